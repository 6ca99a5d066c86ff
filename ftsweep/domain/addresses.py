"""Addresses of stores that are no folder of this machine: `s3://bucket/prefix` and their like."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from ftsweep.redaction import has_password

_ONE_NAME = {"gcs": "gs", "s3a": "s3", "s3n": "s3", "az": "abfs", "abfss": "abfs"}
_SCHEMES = {"s3", "gs", "abfs", "file", *_ONE_NAME}

_ADDRESS = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://|(?:{'|'.join(sorted(_SCHEMES))}):", re.IGNORECASE)
"""Also one that lacks slashes (`s3:/bucket`): it is refused, and not taken for a folder that is called `s3:`."""


def is_address(text: object) -> bool:
    """Whether the text names an object store rather than a folder."""
    return _ADDRESS.match(str(text)) is not None


def plain_address(text: str) -> str:
    """The address by which a store is known on every machine: no slash at its end, its scheme spelled in one way."""
    scheme, _, rest = text.strip().partition("://")
    scheme = _ONE_NAME.get(scheme.lower(), scheme.lower())
    return f"{scheme}://{os.path.normpath(rest) if scheme == 'file' else rest.rstrip('/')}"


def address_problem(text: str) -> tuple[str, str] | None:
    """What is wrong with an address as it is written, and what to do; None when nothing is."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "this is no address", "Write s3://bucket/prefix."
    scheme = parts.scheme.lower()
    if parts.username is not None or parts.password is not None or has_password(text):
        what = "an address is kept with every study, so it holds no user and no password"
        return what, "Leave them out: they belong in the environment (for S3 AWS_ACCESS_KEY_ID ...)."
    if parts.query or "?" in text:
        what = "an address has no settings behind a `?`"
        return what, "Give them in the environment, as AWS_ENDPOINT_URL=http://host:port and AWS_DEFAULT_REGION."
    if parts.fragment or "#" in text:
        return "an address has no `#` in it", "Name another prefix."
    if scheme not in _SCHEMES:
        return f"{scheme}:// is no object store", "Write s3://bucket/prefix, gs://, abfs://, file:// or a folder."
    if scheme == "file":
        if "://" not in text or parts.netloc or len(parts.path) < 2:
            return "this names no folder", "Write file:///folder, with three slashes."
        return None
    if "://" not in text or not parts.netloc:
        return "this names no bucket", "Write s3://bucket/prefix, with two slashes."
    prefix = parts.path.rstrip("/")[1:]
    if prefix and not {"", ".", ".."}.isdisjoint(prefix.split("/")):
        what = "a prefix has no empty parts, no `.` and no `..`: an object store takes them as they are"
        return what, "Write s3://bucket/prefix/more."
    return None
