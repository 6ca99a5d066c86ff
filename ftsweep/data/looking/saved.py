"""The files of a folder that `datasets` saved, by split: Arrow files, which are looked at without that library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ftsweep.data.base import SPLITS
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.sources.dataset_rows import named_split, not_read
from ftsweep.domain.finding import Finding
from ftsweep.errors import DataError


def saved_files(folder: Path) -> tuple[dict[str, list[DataFile]], list[Finding]]:
    """Of a Dataset all as train; of a DatasetDict those of the splits that have a name of one, with a note of others.

    Raises:
        DataError: what `save_to_disk` writes beside the rows cannot be read, or there is no train split.
    """
    if not (folder / "dataset_dict.json").exists():
        return {"train": _files_of(folder, folder.name)}, []
    saved = _json_in(folder / "dataset_dict.json").get("splits", [])
    found = {split: name for split in SPLITS if (name := named_split(saved, split)) is not None}
    if "train" not in found:
        raise DataError(
            f"the saved data set has no split 'train', only {', '.join(map(str, saved)) or 'none'}",
            where=str(folder),
            remedy="Name one split's folder instead.",
        )
    files = {split: _files_of(folder / name, f"{folder.name}/{name}") for split, name in found.items()}
    return files, not_read(folder.name, [each for each in saved if not any(named_split({each}, s) for s in SPLITS)])


def _files_of(folder: Path, name: str) -> list[DataFile]:
    names = [str(each["filename"]) for each in _json_in(folder / "state.json").get("_data_files", [])]
    return [DataFile(folder / each, f"{name}/{each}", "arrow") for each in names]


def _json_in(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"the saved data set cannot be read: {error}", where=str(file), remedy="Save it again with save_to_disk."
        ) from error
    return value if isinstance(value, dict) else {}
