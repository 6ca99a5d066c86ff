"""An S3 server of this machine: moto's, with one bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

BUCKET = "sweeps"


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address, and what S3's own tools need to find it, in the environment for the length of the block."""
    pytest.importorskip("s3fs", reason="needs s3fs: pip install 'ftsweep[s3]'")
    moto = pytest.importorskip("moto.server", reason="needs moto: pip install 'moto[server]'")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret-value")
        with urlopen(Request(f"http://{host}:{port}/{BUCKET}", method="PUT")) as answer:
            assert answer.status == 200
        yield f"http://{host}:{port}"
    server.stop()
