"""How many tokens rows need that `task.max_length` cuts."""

from __future__ import annotations

from ftsweep.data import cut_lengths
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


def test_of_long_texts_only_some_are_encoded_again(make_task, tokenizer, monkeypatch):
    monkeypatch.setattr(cut_lengths, "_MOST_CHARACTERS", 100)
    rows = [Row({"text": "x " * 20, "label": "a"}, f"r:{place}") for place in range(10)]  # 410 characters in all
    task, report, schema = make_task(max_length=4), EncodingReport(), {"labels": ["a"]}
    list(encode_split("train", rows, task, tokenizer, schema, report, is_named=False))
    sizes, encode = [], type(task).encode

    def counted(self, values, *rest):
        sizes.append(len(values))
        return encode(self, values, *rest)

    monkeypatch.setattr(type(task), "encode", counted)
    found = cut_at_lengths(task, tokenizer, schema, {"train": rows}, report)
    assert (set(sizes), found[0].inputs, found[-1].inputs) == ({2}, 1.0, 0.0)
