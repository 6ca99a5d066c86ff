"""Every shape of data is read right, or refused with its file, and reads right once the remedy has been followed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from data_shapes import SHAPES, Keys, Shape
from data_shapes_disguised import MORE
from data_shapes_programs import PROGRAMS

from ftsweep.data.sources.files import Files
from ftsweep.errors import DataError
from ftsweep.tasks.base import RowError, Task
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.multi_label import MultiLabel
from ftsweep.tasks.text import Text
from ftsweep.tasks.token_classification import TokenClassification

ALL = [*SHAPES, *MORE, *PROGRAMS]

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    "multi_label": MultiLabel,
    "token_classification": TokenClassification,
    "instruction": Instruction,
    "text": Text,
}


def seen(task: Task, values: Any) -> Any:
    """What the task makes of a row: its input, and its target if it has one."""
    if isinstance(task, TokenClassification):
        words, tags = task._parts(values)
        return tuple(words), tuple(tags)
    if isinstance(task, MultiLabel):
        return task.input_text(values), tuple(task.target_of(values))
    if isinstance(task, Classification):
        return task.input_text(values), task.target_of(values)
    target = task.target_text(values)
    return (task.input_text(values), target) if target else task.input_text(values)


def read(folder: Path, keys: Keys, shape: Shape) -> tuple[list[Any], int, set[str]]:
    """Rows as the task sees them, the number of those that cannot be used, and the names of findings."""
    task = TASKS[shape.task](**shape.settings)
    named = keys["train"]
    train = [str(folder / each) for each in named] if isinstance(named, list) else str(folder / named)
    source = Files(**{**keys, "train": train})
    assert source.fingerprint() == source.fingerprint()
    rows, bad = [], 0
    for row in source.load(task.columns)["train"]:
        try:
            assert not row.problem or not row.values
            rows.append(seen(task, row.values) if not row.problem else None)
        except RowError:
            rows.append(None)
        bad += rows[-1] is None
    return [row for row in rows if row is not None], bad, {finding.check for finding in source.findings}


def test_there_are_enough_of_them_and_no_name_twice() -> None:
    assert len({shape.name for shape in ALL}) == len(ALL) >= 60


@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.name)
def test_a_shape_is_read_right_or_its_remedy_works(shape: Shape, tmp_path: Path) -> None:
    keys = shape.write(tmp_path)
    if shape.refused:
        with pytest.raises(DataError) as caught:
            read(tmp_path, keys, shape)
        assert re.search(shape.refused, str(caught.value), re.DOTALL), str(caught.value)
        assert str(tmp_path) in str(caught.value)
        keys = {**keys, **(shape.follow if isinstance(shape.follow, dict) else shape.follow(tmp_path))}
    rows, num_bad, checks = read(tmp_path, keys, shape)
    assert rows == list(shape.rows)
    assert num_bad == shape.num_bad
    assert checks >= set(shape.finds)
