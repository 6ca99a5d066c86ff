"""A study's chosen model: what is said where it is not, or not any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_studies import StudyBuilder

from ftsweep.errors import UsageError
from ftsweep.serving.study_model import export_best, predictor_for


def test_a_study_that_has_not_ended_is_told_from_one_whose_model_was_taken_away(tmp_path: Path) -> None:
    builder = StudyBuilder(tmp_path / "store")
    builder.trial(0, [1.6, 0.5], is_default=True)
    with pytest.raises(UsageError, match="has no chosen model yet"):
        predictor_for("demo", builder.folder.store)
    builder.result(winner=0)
    for ask in (
        lambda: predictor_for("demo", builder.folder.store),
        lambda: export_best(builder.folder, tmp_path / "to"),
    ):
        with pytest.raises(UsageError, match=r"demo/model: the chosen model is not there any more\. Give the study's"):
            ask()
    assert not (tmp_path / "to").exists()


def test_an_exported_model_of_foreign_classes_says_how_they_are_allowed(tmp_path: Path) -> None:
    task = {"_target_": "ticket_parts.Routing"}
    (tmp_path / "ftsweep.json").write_text(
        json.dumps({"model": {"_target_": "ftsweep.models.TinyModel"}, "task": task})
    )
    with pytest.raises(UsageError, match=r"needs classes of ticket_parts.*PYTHONPATH and add --allow ticket_parts"):
        predictor_for(str(tmp_path), StudyBuilder(tmp_path / "store").folder.store)
