"""Where trials run: what `_target_` may name in the `executor` node."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.executors.base import Executor, ExecutorContext, Message
    from ftsweep.executors.inline import Inline
    from ftsweep.executors.local import Local

__all__ = ["Executor", "ExecutorContext", "Inline", "Local", "Message"]

__getattr__ = lazy_exports(
    __name__,
    Executor="base",
    ExecutorContext="base",
    Inline="inline",
    Local="local",
    Message="base",
)
