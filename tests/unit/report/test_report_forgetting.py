"""The figure of skill against forgetting shows what may be chosen; the page says what the limit cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_studies import StudyBuilder

from ftsweep.domain.forgetting import ForgettingResult, ScalePoint
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.report.figures import forgetting, history
from ftsweep.report.overview import StudyOverview, read_overview
from ftsweep.report.page import HtmlPage
from ftsweep.store.atomic import append_line, write_json

LIMIT = 0.1


@pytest.fixture
def rows(tmp_path: Path) -> StudyOverview:
    builder = StudyBuilder(tmp_path)
    for number, rungs in enumerate([[(3.0, 0.01), (2.5, 0.05)], [(2.0, 0.2), (1.5, 0.4)], [(2.8, 0.08), (1.8, 0.3)]]):
        folder = builder.folder.trial(number)
        write_json(folder.spec_file, {"number": number, "branch": "", "is_default": False, "params": {}, "config": {}})
        for rung, (loss, lost) in enumerate([(9.0, 0.0), *rungs]):
            values = {"validation/loss": loss, "general/loss": 3 + lost, "general/forgetting": lost}
            measured = Measurement(rung, rung / 2, 1, 1, 1.0, 1.0, values, {"forgetting": lost - LIMIT})
            append_line(folder.measurements_file, measured.to_dict())
        folder.write_outcome(Outcome(OutcomeKind.COMPLETE, rung=2))
    point, said = ScalePoint(1, 0.5, 2.0, 0.09), ("Without the limit trial 1 would be the best.",)
    found = ForgettingResult(LIMIT, None, None, None, 1, (point,), point, said)
    builder.result(winner=0, forgetting=found.to_dict())
    return read_overview(builder.folder)


def test_each_trial_stands_at_the_rung_that_counts_and_the_front_has_all_rungs(rows: StudyOverview) -> None:
    assert forgetting.is_about(rows)
    info = forgetting.info(rows)
    assert [(point.trial.number, point.rung, point.forgetting) for point in info.trials] == [
        (0, 2, 0.05), (1, 2, 0.4), (2, 1, 0.08),
    ]  # fmt: skip
    assert [(point.forgetting, point.value) for point in info.front] == [
        (0.01, 3.0), (0.05, 2.5), (0.2, 2.0), (0.3, 1.8), (0.4, 1.5),
    ]  # fmt: skip
    assert (info.limit, info.winner) == (LIMIT, 0)
    assert info.scaled == ((1, ((0.5, 0.09, 2.0),)),)
    drawn = forgetting.figure(info)
    assert {trace.name for trace in drawn.data} >= {"complete", "winner", "Pareto front of all rungs", "trial 1 scaled"}
    assert any("limit 0.1" in (note.text or "") for note in drawn.layout.annotations)


def test_best_so_far_is_within_the_limit(rows: StudyOverview, tmp_path: Path) -> None:
    (tmp_path / "studies" / "demo" / "result.json").unlink()
    best = read_overview(StudyBuilder(tmp_path).folder).best
    assert best is not None
    assert best.number == 0
    assert history.info(rows).best_so_far == ((0, 2.5), (2, 2.5)), "trial 1 is over the limit"


def test_page_says_what_the_limit_cost(rows: StudyOverview) -> None:
    page = HtmlPage().html(rows)
    assert "Without the limit trial 1 would be the best." in page
    assert "Skill versus forgetting" in page
    assert '<table class="scaling">' in page
    assert '<tr class="best">' in page


def test_study_that_measured_none_has_no_such_figure(tmp_path: Path) -> None:
    builder = StudyBuilder(tmp_path)
    builder.trial(0, [1.6, 1.0])
    plain = read_overview(builder.folder)
    assert not forgetting.is_about(plain)
    assert "Skill versus forgetting" not in HtmlPage().html(plain)
