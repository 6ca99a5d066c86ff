"""Where rows come from: what `_target_` may name in a `data` or `general` node."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.data.base import DataSource, Row
    from ftsweep.data.sources.files import Files
    from ftsweep.data.sources.hub import Hub
    from ftsweep.data.sources.pydocs import PyDocs
    from ftsweep.data.sources.topics import Topics

__all__ = ["DataSource", "Files", "Hub", "PyDocs", "Row", "Topics"]

__getattr__ = lazy_exports(
    __name__,
    DataSource="base",
    Files="sources.files",
    Hub="sources.hub",
    PyDocs="sources.pydocs",
    Row="base",
    Topics="sources.topics",
)
