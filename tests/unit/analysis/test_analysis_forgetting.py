"""The limit decides which rung and which trial count; what it costs and what a smaller scale would give is said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from ftsweep.analysis.comparison import kept_trials
from ftsweep.analysis.fates import explain_no_winner
from ftsweep.analysis.forgetting import (
    conclude_forgetting,
    curve_of,
    forgetting_tags,
    scaled_trials,
)
from ftsweep.analysis.result_record import forgetting_metrics
from ftsweep.domain.decision import Prune
from ftsweep.domain.forgetting import FORGETTING, ForgettingResult, ForgettingTrial, ScalePoint, band
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank, rank_of_all
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.errors import ConfigError
from ftsweep.guards.forgetting import Forgetting
from ftsweep.search.pruners import Median, Pruner
from ftsweep.search.pruners.curves import Curves

LOSS = Objective()
STORE = Path("/elsewhere/runs")
LIMIT = 0.1


def why(pruner: Pruner, curves: Curves, number: int, rung: int) -> str | None:
    """Why the pruner ends the trial there; None where it goes on."""
    decision = pruner.decide(curves, number, rung)
    return decision.reason if isinstance(decision, Prune) else None


def record(
    number: int, rungs: Sequence[tuple[float, float]], limit: float | None = LIMIT, kind: str = "complete"
) -> TrialRecord:
    """A trial with (loss, forgetting) at rung 1, 2, ...; at rung 0 nothing is learned or forgotten."""
    measurements = []
    for rung, (loss, forgetting) in enumerate([(9.0, 0.0), *rungs]):
        constraints = {} if limit is None else {"forgetting": forgetting - limit}
        values = {"validation/loss": loss, FORGETTING: forgetting}
        measurements.append(Measurement(rung, rung / len(rungs), 0, 0, 0, 0, values, constraints))
    return TrialRecord(Proposal(number, "", {}), tuple(measurements), Outcome(OutcomeKind(kind)))


MILD = record(0, [(3.0, 0.01), (2.5, 0.05)])
SEVERE = record(1, [(2.0, 0.20), (1.5, 0.40)])
TURNING = record(2, [(2.8, 0.08), (1.8, 0.30)])
RECORDS = [MILD, SEVERE, TURNING]


def test_best_rung_is_the_best_of_those_that_keep_the_limit() -> None:
    best = LOSS.best(TURNING.measurements)
    assert best is not None
    assert best.rung == 1
    assert LOSS.best_of_all(TURNING.measurements).rung == 2  # type: ignore[union-attr]
    assert LOSS.best(SEVERE.measurements).rung == 2  # type: ignore[union-attr]  # none keeps it: the best of all


def test_trial_that_keeps_the_limit_at_no_rung_is_never_chosen() -> None:
    assert [each.number for each in rank(RECORDS, LOSS)] == [0, 2]
    assert [each.number for each in rank_of_all(RECORDS, LOSS)] == [1, 2, 0]
    assert rank([SEVERE], LOSS) == []
    assert "complete but against a constraint" in explain_no_winner([SEVERE])
    assert StudyState("s", "", LOSS, 2, 3, tuple(RECORDS)).best is MILD
    nan = record(3, [(1.0, math.nan)])
    assert [each.number for each in rank([nan, MILD], LOSS)] == [0]


def test_weights_of_the_unconstrained_best_are_kept_to_be_scaled() -> None:
    assert kept_trials(RECORDS, LOSS, top=1) == {0, 1}
    assert scaled_trials(RECORDS, LOSS, 0) == [0, 1, 2]
    unmeasured = TrialRecord(MILD.proposal, (Measurement(1, 1, 0, 0, 0, 0, {"validation/loss": 1.0}),), MILD.outcome)
    assert scaled_trials([unmeasured], LOSS, 0) == []


def test_feasible_trial_is_not_pruned_for_peers_that_break_the_limit() -> None:
    """Trial 9 is worse than all others, which forget too much; it is better than none that may be chosen."""
    pruner = Median(startup_trials=0, warmup=0, patience=0, min_peers=3)
    free, limited = (Curves(LOSS, 4) for _ in range(2))
    for number in range(5):
        free.add(number, 1, 1.0)
        limited.add(number, 1, 1.0, is_feasible=False)
    for curves in (free, limited):
        curves.add(9, 1, 2.0)
    assert why(pruner, free, 9, 1) is not None
    assert why(pruner, limited, 9, 1) is None
    for number in range(10, 14):
        limited.add(number, 1, 1.5)
    assert why(pruner, limited, 9, 1) is not None, "feasible peers are better"
    limited.add(20, 1, 3.0, is_feasible=False)
    assert why(pruner, limited, 20, 1) is not None, "a trial over the limit is held against everybody"


def test_result_says_what_the_limit_costs_and_names_the_unconstrained_choice() -> None:
    found = conclude_forgetting(RECORDS, LOSS, limit=LIMIT, chosen=0, curves=[], study="s", store=STORE)
    assert found is not None
    assert found.chosen == ForgettingTrial(0, 2.5, 2, 0.05, "mild")
    assert found.unconstrained is not None
    assert (found.unconstrained.number, found.cost, found.num_violating) == (1, 1.0, 1)
    assert list(found.sentences) == [
        "Trial 0 forgets 0.050 nats per token of general text (mild), within the limit of 0.1.",
        "Without the limit trial 1 would be the best: validation/loss 1.5 at a forgetting of 0.400 (severe); the limit "
        "costs 1 of validation/loss.",
    ]
    assert forgetting_metrics(found)["forgetting/cost"] == 1.0
    assert ForgettingResult.from_dict(found.to_dict()) == found
    alone = conclude_forgetting([MILD], LOSS, limit=LIMIT, chosen=0, curves=[], study="s", store=STORE)
    assert alone is not None
    assert alone.cost == 0
    nobody = conclude_forgetting([SEVERE], LOSS, limit=LIMIT, chosen=None, curves=[], study="s", store=STORE)
    assert nobody is not None
    assert nobody.sentences[0].startswith("No complete trial keeps the limit of 0.1; without it trial 1")
    assert "Least was forgotten by trial 1, 0.400: lower the rates" in nobody.sentences[0], "what to do"


def test_scaled_trial_that_keeps_the_limit_and_beats_the_winner_is_suggested() -> None:
    answer = {"points": [{"scale": s, "values": {"validation/loss": v, FORGETTING: f}} for s, v, f in SCALED]}
    curves = [curve_of(SEVERE, LOSS, answer)]
    assert curves[0][-1] == ScalePoint(1, 1.0, 1.5, 0.4)
    found = conclude_forgetting(RECORDS, LOSS, limit=LIMIT, chosen=0, curves=curves, study="demo", store=STORE)
    assert found is not None
    assert found.suggestion == ScalePoint(1, 0.5, 2.0, 0.08)
    assert found.sentences[-1].endswith("ftsweep best demo --trial 1 --scale 0.5 --export DIR --store /elsewhere/runs")


SCALED = [(0.0, 9.0, 0.0), (0.25, 4.0, 0.02), (0.5, 2.0, 0.08), (0.75, 1.6, 0.2)]


@pytest.mark.parametrize(("loss", "expected"), [(2.7, 0.5), (4.0, None)], ids=["little cost", "much cost"])
def test_winner_at_half_its_forgetting_is_suggested_only_when_it_costs_little(
    loss: float, expected: float | None
) -> None:
    curve = [ScalePoint(0, 0.0, 9.0, 0.0), ScalePoint(0, 0.5, loss, 0.02), ScalePoint(0, 1.0, 2.5, 0.05)]
    found = conclude_forgetting([MILD], LOSS, limit=LIMIT, chosen=0, curves=[curve], study="s", store=STORE)
    assert found is not None
    assert (found.suggestion.scale if found.suggestion else None) == expected


@pytest.mark.parametrize(("loss", "expected"), [(2.7, 0.5), (9.0, None)], ids=["better than the base", "as the base"])
def test_where_nobody_keeps_the_limit_a_scale_is_suggested_that_beats_the_untouched_base(
    loss: float, expected: float | None
) -> None:
    curve = [ScalePoint(1, 0.0, 9.0, 0.0), ScalePoint(1, 0.5, loss, 0.08), ScalePoint(1, 1.0, 1.5, 0.4)]
    found = conclude_forgetting([SEVERE], LOSS, limit=LIMIT, chosen=None, curves=[curve], study="s", store=STORE)
    assert found is not None
    assert (found.suggestion.scale if found.suggestion else None) == expected


def test_tags_tell_the_band_and_whether_the_limit_is_kept() -> None:
    assert forgetting_tags(MILD.measurements, LOSS) == {"forgetting": "mild", "constraint.forgetting": "kept"}
    assert forgetting_tags(SEVERE.measurements, LOSS)["constraint.forgetting"] == "violated"
    assert forgetting_tags(record(0, [(1.0, 0.01)], limit=None).measurements, LOSS) == {"forgetting": "none"}


def test_bands_are_those_of_the_method() -> None:
    assert [band(value) for value in (-1, 0.02, 0.021, 0.1, 0.25, 0.251)] == [
        "none", "none", "mild", "mild", "moderate", "severe",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "settings", [{"mode": "maybe"}, {"limit": -0.1}, {"limit": True}, {"tokens": 10}, {"tokens": 2.5}]
)
def test_guard_refuses_what_it_cannot_honour(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Forgetting(**settings)  # type: ignore[arg-type]


def test_measurement_keeps_its_constraints_on_disk() -> None:
    measured = MILD.measurements[1]
    assert Measurement.from_dict(measured.to_dict()) == measured
    plain = Measurement(1, 1, 0, 0, 0, 0, {})
    assert plain.is_feasible
    assert "constraints" not in plain.to_dict()
