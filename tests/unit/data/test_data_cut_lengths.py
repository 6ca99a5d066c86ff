"""How many tokens rows need that `task.max_length` cuts."""

from __future__ import annotations

from ftsweep.data.base import Row
from ftsweep.data.cut_lengths import cut_at_lengths
from ftsweep.data.encoding import EncodingReport, encode_split


def test_what_is_cut_is_looked_at_at_greater_lengths_up_to_the_models(make_task, tokenizer):
    class Bounded(type(tokenizer)):
        model_max_length = 20

    texts = [" ".join("x" * size) for size in (3, 7, 15, 30)]
    rows = [Row({"text": text, "label": "a"}, f"r:{place}") for place, text in enumerate(texts)]
    for each_tokenizer, lengths in (
        (tokenizer, [(8, 0.5), (16, 0.25), (32, 0.0)]),
        (Bounded(), [(8, 0.5), (16, 0.25), (20, 0.25)]),
    ):
        task, report, schema = make_task(max_length=4), EncodingReport(), {"labels": ["a"]}
        assert len(list(encode_split("train", rows, task, each_tokenizer, schema, report, is_named=False))) == 4
        found = cut_at_lengths(task, each_tokenizer, schema, {"train": rows}, report)
        assert [(each.max_length, each.inputs) for each in found] == lengths
        assert [each.targets for each in found] == [each.inputs for each in found]
    assert cut_at_lengths(make_task(max_length=4), tokenizer, schema, {"train": rows}, EncodingReport()) == []
