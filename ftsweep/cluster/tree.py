"""The control machine's absolute paths, below a folder of a node: `/home/ann/x.jsonl` is `<root>/home/ann/x.jsonl`.

So files that lie beside each other do on the node, too, and a path goes back by taking the root away.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TEXT_SUFFIXES = {".json", ".jsonl", ".md", ".txt", ".log"}
MOST_TEXT_BYTES = 1 << 20
"""Of a file that may tell a path."""


@dataclass(frozen=True)
class Tree:
    """Of one run on one node."""

    root: str
    """Absolute, without a slash at the end, and found in no text by chance."""

    def place(self, path: str) -> Path:
        """Where a path of the control machine lies here."""
        return Path(f"{self.root}{path}")

    def inwards(self, value: Any, paths: Collection[str]) -> Any:
        """A job with these paths replaced wherever a string is one of them."""
        if isinstance(value, str):
            return f"{self.root}{value}" if value in paths else value
        if isinstance(value, dict):
            return {key: self.inwards(each, paths) for key, each in value.items()}
        return [self.inwards(each, paths) for each in value] if isinstance(value, list) else value

    def outwards(self, value: Any) -> Any:
        """A message with the control machine's paths again, wherever they stand in a text."""
        return json.loads(json.dumps(value, ensure_ascii=False).replace(self.root, ""))

    def text_outwards(self, file: Path) -> bytes | None:
        """The content of a small text file that tells a path of this node, with the control machine's; else None."""
        if file.suffix not in _TEXT_SUFFIXES or file.stat().st_size > MOST_TEXT_BYTES:
            return None
        content = file.read_bytes()
        root = self.root.encode()
        return content.replace(root, b"") if root in content else None
