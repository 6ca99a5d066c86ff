"""The answers of a trial's model, row by row, in the trial's folder: `samples/rung-005.jsonl`, `samples/test.jsonl`.

They are evidence, not state: what is torn or missing is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ftsweep.domain.sample import Sample
from ftsweep.store.atomic import written_file

TEST, TEST_BASE = "test", "test-base"


def rung_name(rung: int) -> str:
    """What the answers of a rung are called; of an untouched base the rung is 0."""
    return f"rung-{rung:03d}"


def write_samples(folder: Path, name: str, samples: Sequence[Sample]) -> None:
    """Keep answers, a line each, whole or not at all."""
    lines = [json.dumps(sample.to_dict(), ensure_ascii=False) + "\n" for sample in samples]
    with written_file(_path(folder, name), is_synced=False) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def read_samples(folder: Path, name: str) -> list[Sample]:
    """The answers of this name, in the order of the rows; [] when there are none."""
    try:
        lines = _path(folder, name).read_text(encoding="utf-8", errors="replace").split("\n")
        return [Sample(**json.loads(line)) for line in lines if line]
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def sampled_rungs(folder: Path) -> list[int]:
    """The rungs at which a trial was asked, in order."""
    names = [file.stem.removeprefix("rung-") for file in (folder / "samples").glob("rung-*.jsonl")]
    return sorted(int(name) for name in names if name.isdecimal())


def _path(folder: Path, name: str) -> Path:
    return folder / "samples" / f"{name}.jsonl"
