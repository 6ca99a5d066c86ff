"""An S3 server of this machine, where moto and s3fs are installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import s3_server as server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with server.s3_server() as address:
        yield address
