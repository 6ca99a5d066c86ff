"""Whether anything answers where a Ray cluster should be."""

from __future__ import annotations

import socket

from ftsweep.errors import ConfigError

_REACH_SECONDS = 10.0


def check_reached(address: str | None) -> None:
    """Connect to `host:port`; Ray itself would try for minutes.

    Raises:
        ConfigError: nothing answers there.
    """
    host, _, port = (address or "").rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except OSError as error:
        raise ConfigError(
            f"no Ray cluster answers at {address}: {error}",
            where="executor.address",
            remedy="Start one there (ray start --head --port 6379), or correct the address.",
        ) from error
