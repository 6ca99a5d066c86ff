"""What the links of one bridge share to carry files: hashes, the shared folder, a lock for each node, and a count."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ftsweep.cluster.in_place import FileFacts, SharedFolder
from ftsweep.cluster.objects import Hashes


@dataclass
class Carrier:
    """Of one bridge, with its folder for nodes that share the disk."""

    shared: SharedFolder
    hashes: Hashes = field(default_factory=Hashes)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _bytes: Counter[str] = field(default_factory=Counter)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def lock(self, node: str) -> threading.Lock:
        """So that a file goes to a node once where two of its slots need it at the same time."""
        return self._locks.setdefault(node, threading.Lock())

    def facts(self, file: Path) -> FileFacts:
        return self.shared.facts(file, self.hashes)

    def count(self, **num_bytes: int) -> None:
        """Add to `sent` to nodes, `brought` from them, used `in_place` there, `handed` over on a shared disk."""
        with self._counting:
            self._bytes.update(num_bytes)

    @property
    def counted(self) -> Mapping[str, int]:
        with self._counting:
            return {name: self._bytes[name] for name in ("sent", "brought", "in_place", "handed")}
