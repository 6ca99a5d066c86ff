"""The control machine's absolute paths, below a folder of a node: `/home/ann/x.jsonl` is `<root>/home/ann/x.jsonl`.

So files that lie beside each other do on the node, too, and a path goes back by taking the root away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TEXT_SUFFIXES = {".json", ".jsonl", ".md", ".txt", ".log"}
_MOST_TEXT_BYTES = 1 << 20


@dataclass(frozen=True)
class Tree:
    """Of one run on one node, or of one attempt there."""

    root: str
    """Absolute, without a slash at the end, and found in no text by chance."""
    others: Sequence[str] = ()
    """Roots of trees whose paths may stand in a text beside its own."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Of stores that the control machine has brought: its folders for them."""

    def place(self, path: str) -> Path:
        """Where a path of the control machine lies here."""
        return Path(f"{self.root}{path}")

    def inwards(self, value: Any, paths: Mapping[str, str]) -> Any:
        """A job with these strings replaced by the places of these paths, wherever one stands for itself."""
        if isinstance(value, str):
            return f"{self.root}{paths[value]}" if value in paths else value
        if isinstance(value, dict):
            return {key: self.inwards(each, paths) for key, each in value.items()}
        return [self.inwards(each, paths) for each in value] if isinstance(value, list) else value

    def outwards(self, value: Any) -> Any:
        """A message with the control machine's paths again, wherever they stand in a text."""
        return json.loads(self.bytes_outwards(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")))

    def bytes_outwards(self, text: bytes) -> bytes:
        """A text, with the control machine's paths; a store's folder that stands for itself is its address."""
        for root in (self.root, *self.others):
            if root.encode() in text:
                for address, folder in self.addresses.items():
                    text = text.replace(f'"{root}{folder}"'.encode(), json.dumps(address).encode())
                text = text.replace(root.encode(), b"")
        return text

    def text_outwards(self, file: Path) -> bytes | None:
        """The content of a small text file that tells a path of this node, with the control machine's; else None."""
        if not may_tell_paths(file):
            return None
        content = file.read_bytes()
        found = self.bytes_outwards(content)
        return None if found == content else found


def may_tell_paths(file: Path) -> bool:
    """Whether it is a small text."""
    return file.suffix in _TEXT_SUFFIXES and file.stat().st_size <= _MOST_TEXT_BYTES
