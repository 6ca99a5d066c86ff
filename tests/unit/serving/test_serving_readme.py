"""An exported folder's README loads the model that lies there, whatever class its task has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftsweep.data.files.text_words import split_words
from ftsweep.serving.readme import readme_of
from ftsweep.store.atomic import write_json

OWN = {"trial": 3, "task": {"_target_": "my_tasks.Tickets", "max_length": 64}, "schema": {"labels": ["a", "b"]}}


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("config.json", {"architectures": ["BertForSequenceClassification"]}, 'pipeline("text-classification", model='),
        ("config.json", {"architectures": ["BertForTokenClassification"]}, "AutoModelForTokenClassification.from"),
        ("config.json", {"architectures": ["GPT2LMHeadModel"]}, 'pipeline("text-generation", model='),
        ("config.json", {"architectures": ["ModernBertForMaskedLM"]}, 'pipeline("fill-mask", model='),
        ("adapter_config.json", {"task_type": "SEQ_CLS"}, "AutoPeftModelForSequenceClassification"),
        ("adapter_config.json", {"task_type": "CAUSAL_LM"}, "AutoPeftModelForCausalLM"),
        ("adapter_config.json", {"task_type": None}, "AutoModelForMaskedLM"),
    ],
)
def test_files_say_how_a_model_of_ones_own_task_is_loaded(
    tmp_path: Path, file: str, content: dict[str, Any], line: str
) -> None:
    write_json(tmp_path / file, content)
    assert line in readme_of(tmp_path, OWN)


def test_a_classifier_of_ones_own_is_given_a_text_of_its_length(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"architectures": ["BertForSequenceClassification"]})
    assert '("a text", truncation=True, max_length=64)' in readme_of(tmp_path, OWN)


def test_a_classifier_of_pairs_is_given_pairs(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"architectures": ["LlamaForSequenceClassification"]})
    pairs = {**OWN, "schema": {"labels": ["a", "b"], "has_pairs": True}}
    text = readme_of(tmp_path, pairs, second_text="\nanother text")
    assert r'({"text": "a text", "text_pair": "\nanother text"}, truncation=True, max_length=64)' in text


def test_a_tagger_is_given_words_and_signs_apart_where_it_learned_them_so(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"architectures": ["BertForTokenClassification"]})
    plain = readme_of(tmp_path, OWN)
    assert 'text = " ".join("a text".split())' in plain
    parted = readme_of(tmp_path, {**OWN, "schema": {"labels": ["O", "B-a"], "parts_signs": True}})
    block = parted.partition("```python\n")[2].partition("from transformers")[0]
    (joined,) = [line for line in parted.splitlines() if line.startswith("text = ")]
    for text in (
        "a_b don't, 3.5%",
        "cafe\u0301 \U0001f600",
        "\u65e5\u672c\u8a9e",
        "\u0928\u092e\u0938\u094d\u0924\u0947",
    ):
        known: dict[str, Any] = {}
        exec(f"{block}{joined}".replace('"a text"', repr(text)), known)  # what a reader would paste
        assert known["text"] == " ".join(split_words(text))
