"""Answers of several models side by side: read from the trials' folders, in the terminal, on the page, in MLflow."""

from __future__ import annotations

import io
import json

import pytest
from report_studies import StudyBuilder
from rich.console import Console

from ftsweep.cli.answers_view import print_telling_answers
from ftsweep.domain.metric import Metric
from ftsweep.domain.objective import Objective
from ftsweep.domain.sample import Sample
from ftsweep.recording.mlflow_samples import sample_table
from ftsweep.report.answers import (
    ModelAnswers,
    answer_table,
    base_answers,
    judged_cost,
    marked,
    parting_rows,
    telling_rows,
    told_score,
    trial_answers,
)
from ftsweep.report.overview import read_overview
from ftsweep.report.page import HtmlPage
from ftsweep.store.folders import StudyFolder
from ftsweep.store.samples import read_samples, rung_name, sampled_rungs, write_samples

EVIL = "<script>alert(1)</script>\x1b[2J\nsecond line"
OBJECTIVE = Objective("loss", metrics={"rouge_l": Metric("maximize", 0, 1, is_generated=True)})


def samples(*scores: float, answer: str = "an answer") -> list[Sample]:
    return [
        Sample(10 * place, f"prompt {place}", "expected", f"{answer} {place}", {"rouge_l": score})
        for place, score in enumerate(scores)
    ]


@pytest.fixture
def folder(builder: StudyBuilder) -> StudyFolder:
    builder.trial(0, [2.0, 1.5, 1.6], is_default=True)
    builder.trial(1, [2.0, 1.2, 1.0])
    builder.trial(2, [2.0, 1.9], "pruned")
    study = builder.folder
    write_samples(study.baseline("main").path, rung_name(0), samples(0.1, 0.1, 0.1, 0.1))
    for rung in (1, 2):
        write_samples(study.trial(0).path, rung_name(rung), samples(0.2, 0.3, 0.4, 0.5, answer=f"at {rung}"))
        write_samples(study.trial(1).path, rung_name(rung), samples(0.9, 0.6, 0.7, 0.8, answer=f"{EVIL} {rung}"))
    return study


def test_answers_are_read_as_they_were_kept(folder: StudyFolder) -> None:
    path = folder.trial(1).path
    assert sampled_rungs(path) == [1, 2]
    assert read_samples(path, rung_name(2)) == samples(0.9, 0.6, 0.7, 0.8, answer=f"{EVIL} 2")
    assert read_samples(path, rung_name(3)) == []
    (path / "samples" / "rung-002.jsonl").write_text('{"row": 1, "prom', encoding="utf-8")
    assert read_samples(path, rung_name(2)) == []


def test_each_trial_answers_at_its_best_rung(folder: StudyFolder) -> None:
    found = trial_answers(folder, [1, 0, 2], OBJECTIVE)
    assert [(each.label, each.rung) for each in found] == [("trial 1", 2), ("trial 0", 1)]
    base = base_answers(folder, "", OBJECTIVE)
    assert base is not None
    assert (base.label, base.rung) == ("untouched base", 0)


def test_the_worst_and_the_best_rows_are_those_of_the_last_model() -> None:
    models = [ModelAnswers("base", 0, samples(0.5, 0.6, 0.7)), ModelAnswers("trial 1", 2, samples(0.9, 0.1, 0.5, 1.0))]
    assert told_score(models, OBJECTIVE) == "rouge_l"
    assert telling_rows(models, "rouge_l", num=1) == ([10], [0]), "row 30 was not asked of both"
    assert telling_rows(models, "rouge_l", num=2) == ([10, 20], [0])
    assert telling_rows([], "rouge_l") == ([], [])
    table = answer_table(models, [10], "rouge_l", "worst")
    assert table is not None
    assert table.rows[0].cells[-1].tags == ("0.1", "as base")


def test_models_part_on_the_rows_that_they_score_most_differently_on() -> None:
    models = [ModelAnswers("trial 1", 1, samples(0.5, 0.6, 0.1)), ModelAnswers("trial 2", 1, samples(0.5, 0.1, 0.2))]
    assert parting_rows(models, "rouge_l") == [], "they said the same"
    other = [*models[:1], ModelAnswers("trial 2", 1, samples(0.5, 0.1, 0.2, answer="another"))]
    assert parting_rows(other, "rouge_l", num=2) == [10, 20]
    assert parting_rows(other, "chrf") == []
    assert parting_rows(other[:1], "rouge_l") == []


def test_texts_from_outside_are_text_everywhere(folder: StudyFolder) -> None:
    overview = read_overview(folder)
    assert [each.label for each in overview.answers] == ["untouched base", "trial 0", "trial 1"]
    html = HtmlPage(figures=[]).html(overview)
    assert "answered worst, by rouge_l" in html
    assert '<a href="#answers">Answers</a>' in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    console = Console(file=io.StringIO(), width=200, highlight=False)
    print_telling_answers(console, overview.answers, overview.objective)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text
    assert "<script>alert(1)</script>\\x1b[2J⏎second line 2 0  (rouge_l 0.9)" in text
    assert text.index("row 10") < text.index("row 0")


def test_a_run_of_mlflow_has_all_rungs_in_one_table(folder: StudyFolder) -> None:
    table = json.loads(sample_table(folder.trial(1).path))
    assert table["columns"] == ["rung", "row", "prompt", "expected", "answer", "rouge_l"]
    assert [line[:2] for line in table["data"]][3:5] == [[1, 30], [2, 0]]
    assert table["data"][0][4].startswith(EVIL)
    assert sample_table(folder.trial(2).path) == ""


def test_what_a_judge_cost_is_summed_over_trials() -> None:
    costs = [{"metrics": {"judge/calls": 10.0, "judge/tokens": 700.0, "general/loss": 3.0}}, {}, {"metrics": {}}]
    assert judged_cost(costs) == "The judge cost 10 calls and 700 tokens in 1 trial of the search."
    assert judged_cost([*costs, costs[0]]) == "The judge cost 20 calls and 1,400 tokens in 2 trials of the search."
    assert judged_cost(costs[1:]) == ""


@pytest.mark.parametrize(
    ("answer", "expected", "shown"),
    [
        ("The cat, sat down", "a cat sat", "The [cat, sat] down"),
        ("sat the cat", "cat sat", "[sat] the cat"),
        ("odd", "even", "odd"),
        ("Even", "even", "[Even]"),
        ("", "even", ""),
    ],
)
def test_words_of_the_expected_text_are_marked_in_its_order(answer: str, expected: str, shown: str) -> None:
    pieces = marked(answer, expected)
    assert "".join(f"[{piece}]" if is_marked else piece for piece, is_marked in pieces) == shown
    assert "".join(piece for piece, _ in pieces) == answer
