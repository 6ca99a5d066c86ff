"""What a job has changed in its folders on a node since it was last told, in parts that a message may carry."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.cluster.growing_log import NAME as LOG_NAME
from ftsweep.cluster.growing_log import GrowingLog
from ftsweep.cluster.in_place import handed_name
from ftsweep.cluster.incoming import WHOLE
from ftsweep.cluster.objects import PART_BYTES
from ftsweep.cluster.tree import Tree, may_tell_paths
from ftsweep.store.atomic import settle_folder

_LOGGER = logging.getLogger(__name__)

Item = dict[str, Any]
"""A part (`kind` "part"), a file that was handed over ("handed"), the end of a folder's changes ("folder"), more of a
log ("log"), or a message ("message")."""

HANDED_BYTES = 1 << 16
"""A file of more is handed over where a disk is shared, unless it may tell paths of the node."""
_COPY_BYTES = 16 << 20


@dataclass
class Outgoing:
    """Of one job: its folders, and their files as they were when they were last sent."""

    folders: list[str]
    """By the control machine's names."""
    tree: Tree
    handover: Path | None = None
    """This attempt's own folder on a disk of the control machine: large files are put there, and not sent."""
    _sent: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    _logs: list[GrowingLog] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._logs = [GrowingLog(folder, self.tree) for folder in self.folders]

    def note(self) -> None:
        """What is there now is on the control machine already."""
        for folder in self.folders:
            self._note(folder, self._scan(folder))

    def log_items(self) -> Iterator[Item]:
        """What was added to logs since, while the job works."""
        yield from (item for log in self._logs if (item := log.item()) is not None)

    def items(self) -> Iterator[Item]:
        """What has changed since, folder by folder; nothing of a folder without changes.

        Nobody writes there meanwhile: the job has ended, or waits at a rung for the answer to this very message.
        """
        for folder in self.folders:
            before, now = self._sent.get(folder, {}), self._scan(folder)
            self._note(folder, now)
            changed = [name for name in now if before.get(name) != now[name]]
            removed = [name for name in before if name not in now]
            for name in changed:
                yield from self._parts(folder, name)
            if changed or removed:
                yield {"kind": "folder", "folder": folder, "changed": changed, "removed": removed, "whole": list(now)}

    def _note(self, folder: str, now: dict[str, tuple[int, int]]) -> None:
        self._sent[folder] = now
        for log in self._logs:
            if log.folder == folder:
                _, log.num_brought = now.get(LOG_NAME, (0, 0))

    def _parts(self, folder: str, name: str) -> Iterator[Item]:
        file = self.tree.place(folder) / name
        size = file.stat().st_size
        is_large = size > HANDED_BYTES and not may_tell_paths(file)
        if is_large and self._is_handed_over(file, handed_name(folder, name)):
            yield {"kind": "handed", "folder": folder, "name": name, "size": size}
            return
        for offset in range(0, max(size, 1), PART_BYTES):
            yield {"kind": "part", "folder": folder, "name": name, "offset": offset, "tree": self.tree}

    def _is_handed_over(self, file: Path, name: str) -> bool:
        """Copy it to the shared disk, durably; False where that cannot be done, and the file has to be sent."""
        if self.handover is None or not self.handover.is_dir():  # it goes when the attempt is over
            return False
        target = self.handover / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, _COPY_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError as error:
            _LOGGER.warning("%s cannot be handed over and is sent: %s", name, error)
            return False
        return True

    @staticmethod
    def loaded(item: Item) -> Item:
        """The item with the bytes of its part."""
        if item["kind"] != "part":
            return item
        tree, offset = item["tree"], item["offset"]
        file = tree.place(item["folder"]) / item["name"]
        if (text := tree.text_outwards(file)) is not None:
            data = text if offset == 0 else b""
        else:
            with file.open("rb") as opened:
                opened.seek(offset)
                data = opened.read(PART_BYTES)
        return {key: value for key, value in item.items() if key != "tree"} | {"data": data}

    def _scan(self, folder: str) -> dict[str, tuple[int, int]]:
        root = self.tree.place(folder)
        if not root.is_dir():
            return {}
        for whole in WHOLE:
            settle_folder(root / whole)  # a worker may have been killed while it wrote there
        found = {}
        for file in sorted(root.rglob("*")):
            name = file.relative_to(root)
            if file.is_file() and not file.is_symlink() and not any(part.startswith(".") for part in name.parts):
                status = file.stat()
                found[str(name)] = (status.st_mtime_ns, status.st_size)
        return found
