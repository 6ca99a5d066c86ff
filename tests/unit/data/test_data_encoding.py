from __future__ import annotations

from ftsweep.data.base import Row
from ftsweep.data.encoding import EncodingReport, encode_split
from ftsweep.tasks.token_classification import TokenClassification
from ftsweep.testing.random_models import byte_tokenizer


def test_a_row_whose_entity_is_all_that_was_cut_has_nothing_to_learn():
    """One token tells of the missed entity, by a label that is neither a class nor IGNORED."""
    words = ["Anna", "Maria", "van", "der", "Berg"]
    rows = [
        Row({"tokens": words, "tags": ["B-person", *["I-person"] * 4]}, "train.jsonl:1"),
        Row({"tokens": ["so", "did", "I"], "tags": ["O", "O", "O"]}, "train.jsonl:2"),
    ]
    task, report = TokenClassification(max_length=12), EncodingReport()
    schema = task.learn_schema([row.values for row in rows])
    examples = list(encode_split("train", rows, task, byte_tokenizer(), schema, report, is_named=False))
    assert min(examples[0].labels) < -100
    assert report.unsupervised == {"train": [0]}
