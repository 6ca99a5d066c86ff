from __future__ import annotations

import pytest
from torch.utils._python_dispatch import TorchDispatchMode


class RefuseWaiting(TorchDispatchMode):
    """Fails at operations that make the host wait for a device: reading a number, or a shape that data decides."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        assert name not in {"_local_scalar_dense", "nonzero", "masked_select", "bincount", "unique"}, name
        return func(*args, **(kwargs or {}))


@pytest.fixture
def refuse_waiting():
    return RefuseWaiting()
