"""What a search shows about itself: edges, pruning, noise; and silence where there is nothing to say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ftsweep.domain.answers import RacedSetting
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Choice, Dimension, FloatInterval, IntInterval
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.verdicts.edges import edge_of
from ftsweep.verdicts.study import StudyFit, judge_study, study_tags

RATE = "training.learning_rate"
SPACE: dict[str, Dimension] = {RATE: FloatInterval(1e-5, 1e-2, log=True), "strategy.rank": Choice((4, 8))}
NUM_RUNGS = 10


def trial(
    number: int, curve: list[float], rate: float = 1e-3, branch: str = "", is_pruned: bool = False
) -> TrialRecord:
    measured = [
        Measurement(rung, rung / NUM_RUNGS, rung, rung, 1.0 * rung, 0.0, {"validation/loss": value})
        for rung, value in enumerate(curve)
    ]
    prefix = f"{branch}." if branch else ""
    outcome = Outcome(OutcomeKind.PRUNED if is_pruned else OutcomeKind.COMPLETE)
    return TrialRecord(
        Proposal(number, branch, {f"{prefix}{RATE}": rate, f"{prefix}strategy.rank": 4}), tuple(measured), outcome
    )


def falling(floor: float, num: int = NUM_RUNGS) -> list[float]:
    return [floor + 1 / (1 + rung) for rung in range(num + 1)]


def judged(records: list[TrialRecord], best: int = 0, **facts: Any) -> dict[VerdictKind, Verdict]:
    study = StudyFit(records, Objective(), NUM_RUNGS, best, **{"dimensions": SPACE, **facts})
    return {verdict.kind: verdict for verdict in judge_study(study)}


def test_a_best_trial_in_the_middle_of_its_range_says_nothing() -> None:
    assert judged([trial(number, falling(1.0), rate=3e-4) for number in range(6)]) == {}


def test_the_best_at_the_edge_of_a_range_says_which_bound_to_widen() -> None:
    records = [trial(number, falling(1.0), rate=9e-3) for number in range(6)]
    verdict = judged(records)[VerdictKind.EDGE]
    assert verdict.override == f"study.extend=true space.{RATE}.high=0.03 budget.trials=9"
    assert "upper end" in verdict.message
    assert judged(records[:4]) == {}, "of four trials the best one says nothing about a range"


def test_in_a_branch_the_whole_range_is_given() -> None:
    dimensions = {f"lora.{name}": dimension for name, dimension in SPACE.items()}
    records = [trial(number, falling(1.0), rate=1.2e-5, branch="lora") for number in range(6)]
    verdict = judged(records, dimensions=dimensions)[VerdictKind.EDGE]
    assert f" 'branches.lora.space.{RATE}={{low:3.3e-06,high:0.01,log:true}}' " in verdict.override


@pytest.mark.parametrize(
    ("path", "dimension", "value", "bound"),
    [
        ("training.epochs", FloatInterval(1, 3), 2.9, 4),
        ("training.epochs", FloatInterval(1, 3), 1.1, 0.5),
        ("training.weight_decay", FloatInterval(0, 0.1), 0.001, None),
        ("training.replay", FloatInterval(0, 0.9), 0.88, 0.95),
        ("training.replay", FloatInterval(0, 0.95), 0.94, None),
        ("strategy.rate_decay", FloatInterval(0.8, 1), 0.99, None),
        ("task.label_smoothing", FloatInterval(0, 0.7), 0.68, 0.95),
        ("task.threshold", FloatInterval(0.1, 0.9), 0.89, 0.95),
        ("task.masked_share", FloatInterval(0.1, 0.8), 0.79, 0.95),
        ("strategy.dropout", FloatInterval(0.1, 0.7, step=0.2), 0.7, 0.9),
        ("training.warmup", FloatInterval(0, 0.8, step=0.2), 0.8, None),
        ("strategy.rank", IntInterval(4, 16, log=True), 16, 48),
        ("strategy.num_layers", IntInterval(1, 4), 1, None),
        ("strategy.num_layers", IntInterval(2, 4), 4, 5),
        ("strategy.rank", IntInterval(8, 32, step=8), 32, 48),
        ("strategy.rank", Choice((4, 8)), 8, None),
        ("training.epochs", FloatInterval(1, 3), 2, None),
    ],
)
def test_a_wider_bound_makes_sense_or_is_not_proposed(
    path: str, dimension: Dimension, value: float, bound: float | None
) -> None:
    edge = edge_of(path, dimension, value)
    assert (edge.bound if edge else None) == bound


def test_trials_pruned_while_they_caught_up_were_pruned_too_early() -> None:
    best = trial(0, [2.0, 1.0, 0.99, 0.98, 0.97, 0.97, 0.97, 0.97, 0.97, 0.97, 0.97])
    late = [trial(number, [2.0, 1.9, 1.7, 1.5, 1.3], is_pruned=True) for number in (7, 8)]
    hopeless = [trial(number, [2.0, 1.9, 1.89, 1.88, 1.87], is_pruned=True) for number in (9, 10)]
    others = [trial(number, falling(1.1)) for number in range(1, 7)]
    verdict = judged([best, *others, *late, *hopeless], pruner={"warmup": 0.3})[VerdictKind.PRUNED_EARLY]
    assert verdict.message.startswith("2 of 4 pruned trials (7, 8)")
    assert verdict.override == "pruner.warmup=0.5"
    patient = {"patience": 1, "pruner": {"warmup": 0.3, "patience": 1, "startup_trials": 5}}
    verdict = judged([best, *others, *late, *hopeless], pruner=patient)[VerdictKind.PRUNED_EARLY]
    assert verdict.override == "pruner.pruner.warmup=0.5", "one that holds another back prunes no later without it"
    verdict = judged([best, *others, *late, *hopeless], pruner={"warmup": 0.9})[VerdictKind.PRUNED_EARLY]
    assert verdict.override == "pruner=none"
    assert judged([best, *others, *hopeless, *hopeless]) == {}
    assert judged([best, *others, late[0], *hopeless]) == {}, "of one trial alone nothing is said"
    nearly = [trial(number, [2.0, 1.95, 1.89, 1.73, 1.57], is_pruned=True) for number in (7, 8)]
    assert judged([best, *others, *nearly, *hopeless]) == {}, "at half of their speed they do not pass"


def test_nothing_pruned_though_trials_lay_behind_was_too_little() -> None:
    records = [trial(number, falling(1.0 + number / 10), rate=3e-4) for number in range(12)]
    verdict = judged(records, pruner={"patience": 1, "startup_trials": 5})[VerdictKind.PRUNED_LITTLE]
    assert "6 of 12 trials lay behind the median" in verdict.message
    assert "pruner.patience=0" in verdict.override
    for pruner in ({}, {"patience": 1, "pruner": {"patience": 1, "startup_trials": 5}}):
        assert judged(records, pruner=pruner)[VerdictKind.PRUNED_LITTLE].override == "pruner=median"
    assert judged(records[:9]) == {}
    defaults = [replace(record, proposal=replace(record.proposal, is_default=True)) for record in records]
    assert judged(defaults) == {}, "no pruner ends a default setting, so a stricter one would change nothing"


def test_the_noise_band_has_the_searchs_own_run_of_what_was_run_again() -> None:
    records = [trial(number, falling(1.0 + number / 100), rate=3e-4) for number in range(6)]
    contenders = [
        RacedSetting(0, 1.0, (1.01, None, 1.02)),  # with the search's: 1.0, 1.01, 1.02, spread 0.01
        RacedSetting(1, 1.0, (1.02, 1.04)),  # spread 0.02
        RacedSetting(2, 1.0, ()),
    ]
    verdict = judged(records, contenders=contenders)[VerdictKind.NOISE]
    assert verdict.numbers["spread"] == pytest.approx((0.0005 / 2) ** 0.5)
    assert verdict.numbers["band"] == pytest.approx(2 * 2**0.5 * verdict.numbers["spread"])
    assert verdict.numbers["num_within"] == 5
    lucky = [RacedSetting(0, 1.0, (1.25, 1.24))]  # fresh seeds take the lead back: as wide as what a seed can do
    assert judged(records, contenders=lucky)[VerdictKind.NOISE].numbers["band"] > 0.25


def test_tags_of_the_study_tell_verdicts_counts_and_the_winners() -> None:
    healthy, overfit = Verdict(VerdictKind.HEALTHY, "a"), Verdict(VerdictKind.OVERFIT, "b", grade="mild")
    tags = study_tags([Verdict(VerdictKind.EDGE, "at the end")], {0: (healthy,), 1: (overfit,), 2: (overfit,)}, 1)
    assert tags["study_verdict"] == "best at an edge"
    assert tags["study_verdict.trials"] == "2 overfit, 1 healthy"
    assert tags["study_verdict.winner"] == "overfit (mild)"
    assert tags["study_verdict.best_at_an_edge"].startswith("best at an edge: at the end.")
    assert study_tags([], {}, None)["study_verdict"] == "nothing to report"


def test_trials_that_noise_does_not_tell_apart_say_that_what_varied_makes_no_difference() -> None:
    records = [trial(number, falling(1.0 + number / 1000), rate=3e-4) for number in range(6)]
    alike = [RacedSetting(0, 1.0, (1.01, 1.02)), RacedSetting(1, 1.0, (1.02, 1.04))]
    advice = judged(records, contenders=alike)[VerdictKind.NOISE].advice
    assert advice.startswith(
        f"No difference between them can be told: vary something else than {RATE}, strategy.rank, or them"
    )
    better = [RacedSetting(0, 1.0, (1.01, 1.02), standing="better"), alike[1]]
    pruned = [*records, trial(6, falling(2.0), is_pruned=True)]
    far = [*records, trial(6, falling(2.0))]
    for others, contenders in ((records, better), (pruned, alike), (far, alike), (records[:4], alike)):
        verdict = judged(others, contenders=contenders)[VerdictKind.NOISE]
        assert verdict.advice == "Smaller differences between trials mean nothing"
