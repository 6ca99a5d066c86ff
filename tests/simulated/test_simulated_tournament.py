"""A study of several approaches, to its end: one best trial each, measured on test once, weights kept until then."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from simulated_parts import Calls, branch, loss_curve

from ftsweep.control.continuity import manifest_of
from ftsweep.control.live_study import LiveStudy
from ftsweep.control.run import _is_complete
from ftsweep.domain.result import StudyResult
from ftsweep.domain.space import Branch, Choice, Space
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.report.overview import read_overview
from ftsweep.store.atomic import write_text
from ftsweep.store.result import approaches_file, read_result

MakeSweep = Callable[..., LiveStudy]
BRANCHES = (branch("full", rate=1e-3), branch("lora", rate=2e-2), branch("head", rate=1e-2))


@dataclass
class Kept(Calls):
    """Counts what the study as a whole is told."""

    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def tag(self, tags: Any, *, metrics: Any = None, timestamp: Any = None) -> None:
        self.tags.update(tags)
        self.metrics.update(metrics or {})

    def keep_artifacts(self, files: Any) -> None:
        self.files += [file.name for file in files]


def run(sweep: LiveStudy) -> LiveStudy:
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep


def looks(sweep: LiveStudy) -> Counter[str]:
    """How often each test job was submitted."""
    jobs: list[str] = sweep.executor.jobs  # type: ignore[attr-defined]
    return Counter(job for job in jobs if job.startswith("test-"))


def with_weights(sweep: LiveStudy) -> set[int]:
    return {record.number for record in sweep.records if sweep.folder.trial(record.number).best.exists()}


def bests(conclusion: StudyResult) -> dict[str, int | None]:
    return {approach.name: approach.trial for approach in conclusion.approaches if not approach.is_base}


def test_best_of_each_branch_is_measured_on_test_once(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=9, branches=BRANCHES))
    conclusion = sweep.conclude()
    numbers = {number for number in bests(conclusion).values() if number is not None}
    defaults = {record.number for record in sweep.records if record.proposal.is_default}
    assert len(numbers) == 3
    assert set(conclusion.test) == {f"trial-{number:04d}" for number in numbers | defaults} | {"baseline"}
    assert sum(looks(sweep).values()) == len(conclusion.test)
    assert all(approach.test for approach in conclusion.approaches)
    assert conclusion.advice.startswith("Use full: loss 1 on test.")
    assert conclusion.test_looks == 1


def test_study_that_is_concluded_again_looks_at_test_no_more(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=9, branches=BRANCHES))
    first = sweep.conclude()
    jobs = looks(sweep)
    assert sweep.conclude().test == first.test
    assert looks(sweep) == jobs
    again = run(make_sweep(trials=9, branches=BRANCHES))
    assert again.conclude().test == first.test
    assert not looks(again)
    assert read_result(again.folder).test_looks == 1  # type: ignore[union-attr]


def test_kill_while_test_is_measured_repeats_nothing(make_sweep: MakeSweep) -> None:
    class Killed(BaseException):
        pass

    sweep = run(make_sweep(trials=9, branches=BRANCHES))
    executor: Any = sweep.executor
    original, left = executor.submit, [2]

    def submit(job: Any) -> None:
        left[0] -= job["type"] == "test"
        if left[0] < 0:
            raise Killed
        original(job)

    executor.submit = submit
    with pytest.raises(Killed):
        sweep.conclude()
    assert read_result(sweep.folder) is None, "the result is written last"
    assert sum(looks(sweep).values()) == 2
    again = run(make_sweep(trials=9, branches=BRANCHES))
    conclusion = again.conclude()
    assert sum(looks(again).values()) == len(conclusion.test) - 2
    assert all(approach.test for approach in conclusion.approaches)


def test_weights_of_each_branch_wait_for_the_conclusion_and_then_go(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=9, branches=BRANCHES))
    defaults = {record.number for record in sweep.records if record.proposal.is_default}
    before = with_weights(sweep)
    conclusion = sweep.conclude()
    assert before == {number for number in bests(conclusion).values() if number is not None} | defaults
    assert before - defaults, "some branch did better than its default setting, else this proves nothing"
    assert with_weights(sweep) == {conclusion.number} | defaults


def test_extended_study_measures_only_what_is_new(make_sweep: MakeSweep) -> None:
    run(make_sweep(trials=6, branches=BRANCHES, seed=3)).conclude()
    more = run(make_sweep(trials=12, branches=BRANCHES, seed=3))
    first = read_result(more.folder)
    assert first is not None
    conclusion = more.conclude()
    new = set(conclusion.test) - set(first.test)
    assert new, "no branch became better, so this proves nothing"
    assert {f"trial-{int(job.removeprefix('test-')):04d}" for job in looks(more)} >= new
    assert sum(looks(more).values()) <= len(new) + 1  # and the new winner's base
    assert conclusion.test_looks == 2
    assert {name for name, number in bests(conclusion).items() if number is None} == set()


def test_extended_study_is_not_complete_before_it_is_concluded_again(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=9, branches=BRANCHES))
    conclusion = sweep.conclude()
    assert _is_complete(sweep, conclusion)
    more = run(make_sweep(trials=12, branches=BRANCHES))  # and killed here
    assert not _is_complete(more, conclusion)


def test_branch_without_a_complete_trial_is_shown_with_its_fate(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> Any:
        if spec["branch"] == "head":
            return Outcome(OutcomeKind.INFEASIBLE, "out of memory at micro-batch size 1")
        return loss_curve(spec, rung)

    sweep = run(make_sweep(curve, trials=9, branches=BRANCHES))
    conclusion = sweep.conclude()
    (head,) = [approach for approach in conclusion.approaches if approach.name == "head"]
    assert head.trial is None
    assert head.fate == f"{head.num_trials} infeasible"
    assert f"head has no complete trial ({head.fate})." in conclusion.advice
    assert set(bests(conclusion)) == {"full", "lora", "head"}


def test_study_in_which_nothing_completes_still_lists_its_branches(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(lambda spec, rung: Outcome(OutcomeKind.INFEASIBLE, "no"), trials=6, branches=BRANCHES))
    conclusion = sweep.conclude()
    assert conclusion.model is None
    assert conclusion.advice == ""
    assert {approach.fate for approach in conclusion.approaches if not approach.is_base} == {"2 infeasible"}


def test_study_without_branches_compares_nothing(make_sweep: MakeSweep) -> None:
    conclusion = run(make_sweep(trials=3)).conclude()
    assert (conclusion.approaches, conclusion.advice) == ((), "")


def test_recorder_is_told_of_every_approach(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=9, branches=BRANCHES)
    recorder = sweep.recorder = Kept()
    conclusion = run(sweep).conclude()
    assert recorder.tags["advice"] == conclusion.advice
    assert recorder.tags["branch/lora"] == f"trial-{bests(conclusion)['lora']:04d}"
    assert recorder.metrics["branch/lora/test/loss"] == 1.0
    assert recorder.metrics["branch/lora/trained_parameters"] == 100
    assert recorder.metrics["base/lora/test/loss"] == 1.5
    assert recorder.files == ["approaches.csv"]
    lines = list(csv.DictReader(approaches_file(sweep.folder).read_text().splitlines()))
    assert {line["name"] for line in lines} == {"untouched base", "full", "lora", "head"}


def test_report_shows_approaches_while_the_study_runs_and_after(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=9, branches=BRANCHES))
    write_text(sweep.folder.sweep_file, "branches: {full: {}, lora: {}, head: {}}\n")
    manifest_of(sweep.config).write(sweep.folder.manifest_file)
    before = read_overview(sweep.folder)
    assert {approach.name for approach in before.approaches} == {"untouched base", "full", "lora", "head"}
    assert not any(approach.test for approach in before.approaches)
    assert before.conclusion.advice == ""
    conclusion = sweep.conclude()
    after = read_overview(sweep.folder)
    assert after.approaches == conclusion.approaches
    assert after.conclusion.advice == conclusion.advice


def setting(name: str, ranks: tuple[int, ...]) -> Branch:
    space = Space({"strategy.rank": Choice(ranks)} if ranks else {})
    return Branch(name, {"training": {"learning_rate": 1e-3}, "strategy": {"rank": 4}}, space)


def test_branches_with_no_or_few_settings_are_tried_whole_and_leave_the_budget_to_others(make_sweep: MakeSweep) -> None:
    branches = (setting("fixed", ()), setting("few", (4, 8)), branch("wide"))
    sweep = run(make_sweep(trials=12, branches=branches))
    assert Counter(record.proposal.branch for record in sweep.records) == {"fixed": 1, "few": 2, "wide": 9}
    assert [record.proposal.branch for record in sweep.records[:3]] == ["fixed", "few", "wide"]
    assert all(record.proposal.is_default for record in sweep.records[:3])
