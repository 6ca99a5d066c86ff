"""The command's verbs. Ctrl-C while they are being imported ends the process as anywhere, without a traceback."""

from __future__ import annotations

import sys
from types import TracebackType

_usual = sys.excepthook


def _quiet(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _usual(kind, error, trace)


sys.excepthook = _quiet
