"""A helper process that ends with the process that started it, however that went. Standard library only."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the one with this id is gone; at once if it is gone already.

    Linux only: elsewhere a helper of a killed study ends when its work is done, seconds later. Call it first in a
    helper's main: what it imports may take longer than what it computes.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
