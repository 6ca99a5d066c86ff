"""Hosts to serve on, and what is said of one that this machine has not."""

from __future__ import annotations

import errno
import socket

from ftsweep.errors import UsageError


def check_host(host: str, error: OSError) -> None:
    """Raise UsageError where listening failed because of `--host`: no other port would do."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        raise UsageError(
            f"nothing can be served at {host}: {error.strerror or error}",
            where="--host",
            remedy="Name an address that this machine has, such as 127.0.0.1, or 0.0.0.0 for all of them.",
        ) from error
