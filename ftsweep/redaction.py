"""Text without the secrets of the environment: passwords in addresses, and the values of variables that hold secrets.

What goes into a log, a message or a record passes through here: an error of a library may repeat an address with its
password, or a token.
"""

from __future__ import annotations

import logging
import os
import re

HIDDEN = "***"
_MIN_LENGTH = 6
"""Shorter values are words that occur in any text."""

_SECRET_WORDS = {"TOKEN", "PASSWORD", "PASSWD", "PGPASSWORD", "SECRET", "KEY", "APIKEY", "CREDENTIAL", "CREDENTIALS"}
_PLACE_WORDS = {"PATH", "FILE", "DIR", "HOME", "URL", "URI", "ID", "NAME"}
"""A variable whose name ends so says where a secret is, not what it is."""

_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@:'\"<>]*:[^\s@'\"<>]+@")
_WEB_USER = re.compile(r"(https?://)[^\s/@:'\"<>]+@")
_QUERY = re.compile(
    r"([?&](?:password|passwd|token|access_token|api_key|secret|signature|sig|x-amz-signature|x-amz-security-token|"
    r"sslpassword|oauth_client_secret|scram_client_key|scram_server_key)=)"  # libpq's
    r"[^&\s'\"<>]+",
    re.IGNORECASE,
)


def has_password(text: str) -> bool:
    """Whether the text holds an address with a password in it."""
    return any(pattern.search(text) for pattern in (_PASSWORD, _WEB_USER, _QUERY))


def without_secrets(text: str) -> str:
    """The text with `***` for passwords in addresses and for the values of secret environment variables."""
    for value in _secret_values():
        text = text.replace(value, HIDDEN)
    for pattern in (_PASSWORD, _WEB_USER):
        text = pattern.sub(rf"\1{HIDDEN}@", text)
    return _QUERY.sub(rf"\1{HIDDEN}", text)


class RedactingFormatter(logging.Formatter):
    """A formatter whose lines hold no secrets, those of tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def _secret_values() -> list[str]:
    """The longest first, so that a value that holds another is hidden whole."""
    values = {value for name, value in os.environ.items() if _is_secret(name) and len(value) >= _MIN_LENGTH}
    return sorted(values, key=len, reverse=True)


def _is_secret(name: str) -> bool:
    words = name.upper().split("_")
    return not _SECRET_WORDS.isdisjoint(words) and words[-1] not in _PLACE_WORDS
