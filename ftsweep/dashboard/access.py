"""Who may look and who may act: hosts, origins, the token of the printed link, and what a page may load.

Reading is open to whoever reaches the address under its own name. Acting needs the token, which the printed link has
and a cookie keeps, and a request that comes from the dashboard's own pages.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from ftsweep.recording.ui import is_loopback

TOKEN = "token"  # noqa: S105 - the name of the parameter
_MAX_BODY_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Access:
    """The rules of one dashboard that is served on `host`."""

    host: str = "127.0.0.1"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def install(self, server: Flask, inline_hashes: list[str]) -> None:
        """Have the server keep the rules. inline_hashes: of the scripts that its pages have in them."""
        server.config["MAX_CONTENT_LENGTH"] = _MAX_BODY_BYTES
        policy = _policy(inline_hashes)

        @server.before_request
        def check() -> AnyResponse | None:
            if not self.is_own_host(request.host):
                abort(Response("This dashboard does not answer to that host name.", 403))
            if request.method not in ("GET", "HEAD") and not self.is_own_origin(request.headers.get("Origin")):
                abort(Response("A request from another site's page is refused.", 403))
            if TOKEN in request.args:
                return self._admit()
            return None

        @server.after_request
        def protect(response: Response) -> Response:
            response.headers["Content-Security-Policy"] = policy
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["X-Frame-Options"] = "DENY"
            return response

    def may_act(self) -> bool:
        """Whether the request in hand has the token."""
        return secrets.compare_digest(request.cookies.get(self._cookie, "").encode(), self.token.encode())

    def is_own_host(self, host: str) -> bool:
        """Whether a request's Host is a name that this server is known by: no name that someone else's DNS leads here.

        An address is nobody's name. A forwarded port may have another number.
        """
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:  # brackets that hold no address
            return False
        try:
            address = ip_address(name)
        except ValueError:
            return name == "localhost" or name == self.host.lower()
        return address.is_loopback or not is_loopback(self.host)

    def is_own_origin(self, origin: str | None) -> bool:
        """Whether a request that changes something comes from a page of this dashboard; browsers always say."""
        return origin is not None and urlsplit(origin).netloc == request.host

    @property
    def _cookie(self) -> str:
        """Cookies do not tell ports apart: each port has a name of its own."""
        return f"ftsweep-{urlsplit(f'//{request.host}').port or 80}"

    def _admit(self) -> AnyResponse:
        """Keep a right token in a cookie, and take it out of the address in any case."""
        rest = "&".join(part for part in request.query_string.decode().split("&") if not part.startswith(f"{TOKEN}="))
        path = "/" + request.path.lstrip("/")  # never //elsewhere
        answer = redirect(f"{path}?{rest}" if rest else path)
        if secrets.compare_digest(request.args[TOKEN].encode(), self.token.encode()):
            answer.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict")
        return answer


def _policy(inline_hashes: list[str]) -> str:
    """Everything from this server alone; of scripts in the page those with these hashes; no eval.

    Plotly and the grid set styles from scripts.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(inline_hashes)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
