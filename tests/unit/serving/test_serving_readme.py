"""An exported folder's README loads the model that lies there, whatever class its task has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ftsweep.serving.readme import readme_of
from ftsweep.store.atomic import write_json

OWN = {"trial": 3, "task": {"_target_": "my_tasks.Tickets", "max_length": 64}, "schema": {"labels": ["a", "b"]}}


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("config.json", {"architectures": ["BertForSequenceClassification"]}, 'pipeline("text-classification", model='),
        ("config.json", {"architectures": ["BertForTokenClassification"]}, 'pipeline("token-classification", model='),
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


def test_a_tagger_is_given_words_and_signs_apart_where_it_learned_them_so(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"architectures": ["BertForTokenClassification"]})
    plain = readme_of(tmp_path, OWN)
    assert 'model="FOLDER", aggregation_strategy="first")("a text")' in plain
    parted = readme_of(tmp_path, {**OWN, "schema": {"labels": ["O", "B-a"], "parts_signs": True}})
    (call,) = [line for line in parted.splitlines() if line.startswith("pipeline(")]
    assert call.endswith('aggregation_strategy="first")(" ".join(re.findall(r"\\w+|[^\\w\\s]", "a text")))')
    assert "import re\n" in parted
    assert eval(call.partition("first")[2].removeprefix('")'), {"re": re}) == "a text"
