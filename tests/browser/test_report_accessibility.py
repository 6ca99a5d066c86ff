"""Axe finds nothing serious on the report's page, and the browser has no complaint, whatever the study."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import report_studies as studies

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.report.overview import StudyOverview, read_overview
from ftsweep.report.page import HtmlPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
Written = Callable[[Path], StudyOverview]


def large(num_trials: int) -> StudyOverview:
    source = random.Random(0)
    trials = []
    for number in range(num_trials):
        last, floor = source.randint(2, 10), source.uniform(0.4, 1.6)
        rungs = range(last + 1)
        measured = tuple(
            Measurement(rung, rung / 10, rung, rung, rung, number + rung, {"validation/loss": floor + 0.7**rung})
            for rung in rungs
        )
        kind = OutcomeKind.COMPLETE if last == 10 else OutcomeKind.PRUNED
        params = {"training.learning_rate": 10 ** source.uniform(-5, -2), "strategy.rank": source.choice([4, 8])}
        proposal = Proposal(number, "", params, is_default=number == 0)
        trials.append(TrialRecord(proposal, measured, Outcome(kind, "worse than the median", rung=last)))
    return StudyOverview(StudyState("large", "complete", Objective(), 10, num_trials, tuple(trials)))


def of_trials(root: Path, *trials: tuple[str, list[float]]) -> StudyOverview:
    builder = studies.StudyBuilder(root)
    for number, (kind, losses) in enumerate(trials):
        builder.trial(number, losses, kind, params={"training.learning_rate": 1e-3 * (number + 1)}, reason="A reason.")
    return read_overview(builder.folder)


KINDS: dict[str, Written] = {
    "14 trials of every outcome": lambda root: read_overview(studies.write_demo(root)),
    "branches": lambda root: read_overview(studies.write_demo(root, branches=True)),
    "no trial": lambda root: of_trials(root),
}
MORE: dict[str, Written] = {
    "under way": lambda root: read_overview(studies.write_demo(root, finished=False)),
    "one trial": lambda root: of_trials(root, ("complete", [1.0, 0.5])),
    "only pruned": lambda root: of_trials(root, *3 * [("pruned", [1.0, 0.9])]),
    "NaN": lambda root: of_trials(root, ("complete", [1.0, math.nan]), ("complete", [1.0, 0.5])),
}
MORE |= {f"{count} trials": lambda root, count=count: large(count) for count in (1_000, 10_000)}


@pytest.mark.parametrize(
    "write", [*(pytest.param(*each, id=name) for name, *each in KINDS.items()),
              *(pytest.param(*each, id=name, marks=pytest.mark.slow) for name, *each in MORE.items())],
)  # fmt: skip
def test_axe_finds_nothing_serious_and_the_console_says_nothing(browser, tmp_path: Path, write: Written) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    path = HtmlPage().write(write(tmp_path), tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(180_000)
    troubles = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(path.as_uri())
    count = page.locator("section.figure").count()
    for index in range(count):  # of a large study a figure is drawn when it comes near
        page.locator("section.figure").nth(index).scroll_into_view_if_needed()
        page.locator("section.figure").nth(index).locator(".main-svg").first.wait_for(state="attached")
    assert page.locator(".plot:has(.main-svg)").count() == count

    found = axe.run(page).response
    page.close()
    assert troubles == []
    assert len(found["passes"]) > 15, "axe looked at the page"
    assert [
        (each["id"], each["impact"], each["nodes"][0]["html"][:200])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ] == []
