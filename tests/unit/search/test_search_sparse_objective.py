"""An objective that only some rungs have, as scores of generated answers: what pruners and the study make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.domain.decision import GO_ON, Prune
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.metric import Metric
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, FloatInterval, Space
from ftsweep.errors import StudyError
from ftsweep.search.pruners import Median, Patient, Percentile, Pruner, SuccessiveHalving
from ftsweep.search.pruners.curves import Curves
from ftsweep.search.samplers import Random
from ftsweep.search.study import Study

ROUGE = Objective("rouge_l", direction="maximize", metrics={"rouge_l": Metric("maximize", 0, 1, is_generated=True)})
RUNGS = (3, 6, 10)


def curves(last: float) -> Curves:
    """Seven trials at three rungs of ten; the last is at `last` throughout."""
    values = [0.5, 0.52, 0.54, 0.56, 0.58, 0.6, last]
    return Curves.of({number: dict.fromkeys(RUNGS, value) for number, value in enumerate(values)}, ROUGE, 10)


@pytest.mark.parametrize(
    ("pruner", "first"),
    [
        (Median(patience=0, warmup=0.0), 3),
        (Median(patience=1, warmup=0.0), 6),
        (Percentile(patience=2, warmup=0.0), 10),  # it is complete before
        (SuccessiveHalving(first=0.2), 3),
        (SuccessiveHalving(first=0.5), 6),
        (Patient(pruner=Median(patience=0, warmup=0.0), patience=1), 6),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Pruner) else str(value),
)
def test_rungs_without_the_objective_are_not_counted(pruner: Pruner, first: int) -> None:
    bad, good = curves(0.1), curves(0.9)
    pruned = [rung for rung in RUNGS if isinstance(pruner.decide(bad, 6, rung), Prune)]
    assert pruned[:1] == ([first] if first < 10 else [])
    assert all(pruner.decide(good, 6, rung) == GO_ON for rung in RUNGS)
    assert all(pruner.decide(bad, 6, rung) == GO_ON for rung in range(1, 10) if rung not in RUNGS)


def at(rung: int, **values: float) -> Measurement:
    return Measurement(rung, rung / 10, rung, rung, float(rung), 0.0, {f"validation/{k}": v for k, v in values.items()})


def test_a_trial_goes_on_where_its_objective_was_not_measured(tmp_path: Path) -> None:
    branch = Branch("", {"training": {"learning_rate": 1e-3}}, Space({"training.learning_rate": FloatInterval(0, 1)}))
    pruner = Median(patience=0, warmup=0.0, startup_trials=0, min_peers=2)
    study = Study.open(tmp_path / "s.db", "s", ROUGE, [branch], Random(), pruner, seed=0, num_rungs=10)
    try:
        numbers = [proposal.number for _ in range(4) if (proposal := study.ask())]
        worst = numbers[1]  # number 0 is the default setting, which always goes on
        study.report(worst, at(3, loss=1.0, rouge_l=0.1))
        assert study.decide(worst) == GO_ON, "it has no peers yet"
        study.report(worst, at(4, loss=0.9))
        for number in numbers:
            if number != worst:
                study.report(number, at(3, loss=1.0, rouge_l=0.5))
        assert study.decide(worst) == GO_ON, "peers that came later do not end it between two rungs"
        study.report(worst, at(6, loss=0.8, rouge_l=0.1))
        for number in numbers:
            if number != worst:
                study.report(number, at(6, loss=1.0, rouge_l=0.5))
        assert isinstance(study.decide(worst), Prune)
        with pytest.raises(StudyError, match="no trial 99"):
            study.report(99, at(3))
    finally:
        study.close()


def test_an_objective_that_every_rung_must_have_is_missed() -> None:
    with pytest.raises(StudyError, match="measured no 'validation/loss' at rung 2"):
        Objective().reported(0, at(2, rouge_l=1.0))
    assert ROUGE.reported(0, at(2, loss=1.0)) != ROUGE.reported(0, at(2, loss=1.0)), "not a number"
