"""Addresses of stores that are no folder of this machine: `s3://bucket/prefix` and their like."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ONE_NAME = {"gcs": "gs", "s3a": "s3", "s3n": "s3", "az": "abfs", "abfss": "abfs"}


def is_address(text: object) -> bool:
    """Whether the text names an object store rather than a folder."""
    return _ADDRESS.match(str(text)) is not None


def plain_address(text: str) -> str:
    """The address by which a store is known on every machine: no slash at its end, its scheme spelled in one way."""
    scheme, _, rest = text.strip().partition("://")
    scheme = scheme.lower()
    return f"{_ONE_NAME.get(scheme, scheme)}://{rest.rstrip('/')}"


def address_problem(text: str) -> tuple[str, str] | None:
    """What is wrong with an address as it is written, and what to do; None when nothing is."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "this is no address", "Write s3://bucket/prefix."
    if parts.username is not None or parts.password is not None:
        what = "an address is kept with every study, so it holds no user and no password"
        return (
            what,
            "Leave them out: they belong in the environment (for S3 AWS_ACCESS_KEY_ID ...).",
        )
    if parts.query or parts.fragment or "?" in text:
        what = "an address has no settings behind a `?`"
        return what, "Give them in the environment, as AWS_ENDPOINT_URL=http://host:port and AWS_DEFAULT_REGION."
    if parts.scheme.lower() in ("http", "https", "postgresql", "sqlite"):
        return f"{parts.scheme}:// is no object store", "Write s3://bucket/prefix, gs://, abfs:// or a folder."
    if parts.scheme.lower() == "file" and (parts.netloc or len(parts.path) < 2):
        return "this names no folder", "Write file:///folder, with three slashes."
    if parts.scheme.lower() != "file" and not parts.netloc:
        return "this names no bucket", "Write s3://bucket/prefix."
    return None
