"""Real files: they lie outside of the project, and where they do not the tests skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftsweep.data.likeness.duplicates import input_keys
from ftsweep.data.prepared import prepare
from ftsweep.data.sources.files import Files

SHARED = Path(os.environ.get("FTSWEEP_SHARED", Path(__file__).parents[4] / "shared")) / "data"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data (FTSWEEP_SHARED)")


def test_tweet_emotion_is_prepared_whole(tmp_path, config, task, tokenizer):
    folder = SHARED / "tweet_emotion"
    source = Files(
        **{
            split: str(folder / f"{name}.jsonl")
            for split, name in (("train", "train"), ("validation", "val"), ("test", "test"))
        }
    )
    prepared = prepare(config, source, task, tokenizer, "words", tmp_path)
    assert prepared.meta["num_examples"] == {"train": 3257, "validation": 374, "test": 1421}
    assert prepared.schema["labels"] == ["anger", "joy", "optimism", "sadness"]


def test_medquad_is_split_without_copies_on_two_sides(tmp_path, config, task, tokenizer):
    columns = {"text": "prompt", "label": "question_type"}
    source = Files(train=str(SHARED / "medquad" / "qa.jsonl"), columns=columns)
    prepared = prepare(config, source, task, tokenizer, "words", tmp_path)
    assert sum(prepared.meta["num_rows"].values()) == 5067
    assert abs(prepared.meta["num_rows"]["validation"] - 507) < 10
    names = list(prepared.meta["num_rows"])
    rows = {name: prepared.rows(name) for name in names}
    keys = input_keys([row.values["text"] for name in names for row in rows[name]])
    row_sides = [name for name in names for _ in rows[name]]
    sides: dict[bytes, str] = {}
    for key, side in zip(keys.normalised, row_sides, strict=True):
        assert sides.setdefault(key, side) == side
