"""A trial's log between its rungs: what was added to it on a node, in small pieces.

With each rung, and at the end, the file comes as a whole and takes the place of what came so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftsweep.cluster.tree import Tree

NAME = "worker.log"
MOST_BYTES = 64 << 10
"""A piece has at most so many of them; of more the last."""


@dataclass
class GrowingLog:
    """The log in `folder`, by the control machine's name. `num_brought`: bytes of it that the control machine has."""

    folder: str
    tree: Tree
    num_brought: int = 0

    def item(self) -> dict[str, Any] | None:
        """The whole lines that were added since, with the control machine's paths; None without one."""
        file = self.tree.place(self.folder) / NAME
        if not file.is_file() or (size := file.stat().st_size) <= self.num_brought:
            return None
        begin = max(self.num_brought, size - MOST_BYTES)
        with file.open("rb") as opened:
            opened.seek(begin)
            data = opened.read(size - begin)
        left_out = begin - self.num_brought
        if left_out:
            left_out += data.find(b"\n") + 1
            data = data[data.find(b"\n") + 1 :]
        whole = data[: data.rfind(b"\n") + 1]
        if not whole:
            return None
        self.num_brought = size - len(data) + len(whole)
        note = f"... {left_out:,} bytes of the log come with the next rung ...\n".encode() if left_out else b""
        return {"kind": "log", "folder": self.folder, "data": note + self.tree.bytes_outwards(whole)}
