"""Answers row by row on the dashboard's pages: as tables of their own width, marked, and as text whatever they hold."""

from __future__ import annotations

import json

import pytest
from report_studies import StudyBuilder

from ftsweep.dashboard.told_tables import answers_of_trial, evidence_part, parting_answers
from ftsweep.domain.sample import Sample
from ftsweep.report.overview import StudyOverview, read_overview
from ftsweep.report.tables.difference import Compared
from ftsweep.store.samples import rung_name, write_samples

EXPECTED = "the <b>boat</b> is slow"


@pytest.fixture
def study(builder: StudyBuilder) -> StudyOverview:
    builder.trial(0, [2.0, 1.5], is_default=True)
    builder.trial(1, [2.0, 1.2])
    for trial, answer in ((0, "a <b>boat</b>"), (1, "x" * 200)):
        rows = [Sample(row, f"prompt {row}", EXPECTED, answer, {"rouge_l": 0.1 * row * trial}) for row in range(4)]
        write_samples(builder.folder.trial(trial).path, rung_name(1), rows)
    return read_overview(builder.folder)


def shown(parts: list[object]) -> str:
    return json.dumps([part.to_plotly_json() for part in parts], default=lambda each: each.to_plotly_json())  # type: ignore[attr-defined]


def test_every_page_shows_the_rows_that_tell_with_words_of_the_expected_text_marked(study: StudyOverview) -> None:
    trials = {trial.number: trial for trial in study.trials}
    compared = [Compared(study, trials[number]) for number in (0, 1)]
    for parts, title in (
        (answers_of_trial(study, trials[0]), "Answered worst, by rouge_l"),
        (evidence_part(study), "Answered best, by rouge_l"),
        (parting_answers(compared), "Answered most differently, by rouge_l"),
    ):
        text = shown(parts)
        assert title in text
        assert '"className": "told answers"' in text, "long words do not widen their column"
        assert '"type": "Mark"' in text
        assert "words of the expected text are marked" in text
        assert EXPECTED in text, "as text: the browser is given no markup"


def test_a_study_without_answers_has_no_such_tables(builder: StudyBuilder) -> None:
    builder.trial(0, [2.0, 1.5], is_default=True)
    study = read_overview(builder.folder)
    assert answers_of_trial(study, study.trials[0]) == []
    assert "Answered" not in shown(evidence_part(study))
