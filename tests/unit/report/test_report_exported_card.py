"""The model card of a winner: metadata that Hugging Face reads, origin, scores, and nothing from outside as markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from ftsweep.domain.answers import Model
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.scores import Interval
from ftsweep.domain.study_state import StudyState
from ftsweep.report.exported_card import with_card
from ftsweep.report.overview import StudyOverview

MANIFEST = {
    "model": {"_target_": "ftsweep.models.HubModel", "name": "acme/base-1b", "revision": "abc123", "dtype": "auto"},
    "task": {"_target_": "ftsweep.tasks.Instruction"},
    "strategy": {"_target_": "ftsweep.strategies.Lora"},
    "params": {"training.learning_rate": 0.001, "task.label": "<b>|x|"},
}


@pytest.fixture
def overview() -> StudyOverview:
    result = StudyResult(
        "Trial 3 is best.",
        model=Model(3, 0.5, 10, "It is the best.", values={"validation/rouge_l": 0.5, "train/loss": 1.0}),
        test={"trial-0003": {"rouge_l": 0.25, "loss": 2.0}},
        intervals={"trial-0003": {"rouge_l": Interval(0.05, 0.15, 0.35)}},
        data={"main": {"num_rows": {"train": 70, "test": 30}, "fingerprint": "5eed" * 16}},
        num_trials=1,
    )
    return StudyOverview(StudyState("mine", "complete", Objective("rouge_l"), 10, 1, result=result))


def card_of(overview: StudyOverview, folder: Path, **changes: Any) -> ModelCard:
    text = with_card(
        "# Trial 3 of a study of ftsweep\n\nHow it is loaded.\n", overview, folder, {**MANIFEST, **changes}
    )
    return ModelCard(text)


def test_the_metadata_is_what_hugging_face_reads(overview: StudyOverview, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    card = card_of(overview, tmp_path)
    data = card.data
    assert (data.base_model, data.library_name, data.pipeline_tag) == ("acme/base-1b", "peft", "text-generation")
    assert data.tags == ["ftsweep", "lora"]
    assert {each.metric_type: each.metric_value for each in data.eval_results} == {"rouge_l": 0.25, "loss": 2.0}
    assert "vllm serve acme/base-1b --enable-lora --lora-modules tuned=FOLDER" in card.text
    assert "| base | HubModel acme/base-1b at abc123 |" in card.text
    assert "| rows | train 70, test 30 |" in card.text
    assert f"| data fingerprint | {'5eed' * 16} |" in card.text
    assert "| rouge\\_l | 0.5 | 0.25 | 0.15 to 0.35 |  |" in card.text
    assert "the scores on test are not" in card.text, "its limits"
    assert card.text.rstrip().endswith("How it is loaded.")


def test_texts_from_outside_are_text(overview: StudyOverview, tmp_path: Path) -> None:
    assert "\\<b\\>\\|x\\|" in card_of(overview, tmp_path).text


@pytest.mark.parametrize(
    ("file", "content", "library", "told"),
    [
        ("config.json", {}, "transformers", "vllm serve FOLDER"),
        ("adapter_config.json", {"peft_type": "IA3"}, "peft", "--merge"),
        ("adapter_config.json", {"peft_type": "PROMPT_TUNING"}, "peft", "does not take virtual tokens"),
        ("adapter_config.json", {"peft_type": "LORA", "r": 24}, "peft", "--max-lora-rank 32"),
        ("adapter_config.json", {"peft_type": "LORA", "r": 16}, "peft", "--enable-lora --lora-modules"),
        ("adapter_config.json", {"peft_type": "LORA", "r": 8, "use_dora": True}, "peft", "--merge"),
        ("few_shot.json", {}, "ftsweep", ""),
    ],
)
def test_what_serves_a_folder_depends_on_what_lies_in_it(
    overview: StudyOverview, tmp_path: Path, file: str, content: dict[str, Any], library: str, told: str
) -> None:
    (tmp_path / file).write_text(json.dumps(content))
    card = card_of(overview, tmp_path)
    assert card.data.library_name == library
    assert ("vLLM" in card.text) == bool(told)
    assert told in card.text


def test_its_data_is_named_without_the_folders_of_this_machine(overview: StudyOverview, tmp_path: Path) -> None:
    files = {"_target_": "ftsweep.data.Files", "train": ["/home/ada/rows.jsonl", "more.jsonl"]}
    assert "| data | Files rows.jsonl, more.jsonl |" in card_of(overview, tmp_path, data=files).text


def test_a_classifier_is_one(overview: StudyOverview, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    card = card_of(overview, tmp_path, task={"_target_": "ftsweep.tasks.Classification"}, model={"_target_": "a.B"})
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.base_model is None
    assert "vLLM" not in card.text
