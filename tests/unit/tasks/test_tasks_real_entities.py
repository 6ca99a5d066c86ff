"""WNUT 2017 with MiniLM's tokenizer: real tweets, odd characters included. Where the files are absent this skips."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ftsweep.models.local import LocalModel
from ftsweep.tasks.base import IGNORED
from ftsweep.tasks.token_classification import TokenClassification

SHARED = Path(os.environ.get("FTSWEEP_SHARED", Path(__file__).parents[4] / "shared"))
ROWS, MODEL = SHARED / "data" / "wnut17", SHARED / "models" / "minilm"

pytestmark = pytest.mark.skipif(not (ROWS.is_dir() and MODEL.is_dir()), reason="no shared data (FTSWEEP_SHARED)")

SELECTOR = "\ufe0f"  # half an emoji, a word of its own in seven places; the tokenizer makes nothing of it
TASK = TokenClassification(max_length=192)


def read(name):
    return [json.loads(line) for line in (ROWS / f"{name}.jsonl").read_text().splitlines()]


def test_every_word_and_every_entity_of_wnut17_arrives():
    schema = TASK.learn_schema(read("train"))
    assert schema["labels"][:3] == ["O", "B-corporation", "I-corporation"]
    assert len(schema["labels"]) == 13
    rows = read("test") + read("val")
    examples = list(TASK.encode(rows, LocalModel(path=str(MODEL)).tokenizer(), schema))
    assert not any(example.was_cut for example in examples)
    assert not any(TASK.row_problem(row) for row in rows)
    for row, example in zip(rows, examples, strict=True):
        tags = [schema["labels"][label] for label in example.labels if label >= 0]
        shown = [tag for word, tag in zip(row["tokens"], row["tags"], strict=True) if word != SELECTOR]
        assert tags == shown
    assert sum(word == SELECTOR for row in rows for word in row["tokens"]) == 7

    tally = TASK.tally(schema)
    for example in examples:
        labels = torch.tensor([example.labels])
        tally.add(torch.zeros(1), labels.masked_fill(labels == IGNORED, 3), {"labels": labels})
    assert {name: value for name, value in tally.values().items() if name != "loss"} == dict.fromkeys(
        ("f1", "precision", "recall", "token_accuracy"), 1.0
    )
    support = {kind: scores["support"] for kind, scores in tally.details()["report"].items() if "avg" not in kind}
    begun = np.unique([tag[2:] for row in rows for tag in row["tags"] if tag[0] == "B"], return_counts=True)
    assert support == dict(zip(begun[0].tolist(), begun[1].tolist(), strict=True))
