"""What the advice says: what to use, what a cheaper approach costs, and whether training is needed."""

from __future__ import annotations

from typing import Any

import pytest
from comparison_records import OBJECTIVE, ROWS, facts, record

from ftsweep.analysis.advice import advise
from ftsweep.analysis.comparison import compare
from ftsweep.domain.objective import Objective
from ftsweep.domain.scores import Interval
from ftsweep.domain.trial import TrialRecord

FULL = record(0, "full", 0.8, seconds=40, parameters=10_000)
LORA = record(1, "lora", 0.78, seconds=30, parameters=200)
HEAD = record(2, "head", 0.6, seconds=1, parameters=10)
FEW_SHOT = record(3, "few_shot", 0.5, seconds=0, parameters=0)
TEST = {
    "trial-0000": {"accuracy": 0.81, "loss": 0.5},
    "trial-0001": {"accuracy": 0.79, "loss": 0.6},
    "trial-0002": {"accuracy": 0.58, "loss": 0.9},
    "trial-0003": {"accuracy": 0.52, "loss": 1.0},
    "baseline": {"accuracy": 0.25, "loss": 1.4},
}
BASE = {"accuracy": 0.26, "loss": 1.4}


def say(
    *records: TrialRecord,
    winner: int = 0,
    test: dict[str, Any] = TEST,
    base: dict[str, float] = BASE,
    objective: Objective = OBJECTIVE,
    errors: dict[str, dict[str, float]] | None = None,
    groups: dict[str, int] | None = None,
    **changed: str,
) -> str:
    branches = list(dict.fromkeys(one.proposal.branch for one in records))
    baseline = dict.fromkeys(branches, base)
    data = facts(*branches, **changed)
    sure = {
        model: {metric: Interval(error, 0.0, 1.0) for metric, error in found.items()}
        for model, found in (errors or {}).items()
    }
    approaches = compare(records, objective, branches, baseline=baseline, test=test, data=data, intervals=sure)
    return advise(approaches, objective, winner=winner, data={"num_rows": ROWS, "num_groups": groups or {}})


def test_rows_of_a_group_tell_chance_as_one() -> None:
    assert "less than one standard error, 0.13 on 20 groups" in say(FULL, LORA, groups={"test": 20})


def test_advice_names_the_cost_of_every_cheaper_approach() -> None:
    assert say(FULL, LORA, HEAD, FEW_SHOT) == (
        "Use full: accuracy 0.81 on test. Cheaper: lora costs 0.02 of accuracy (less than one standard error, "
        "0.028 on 400 rows) and trains 2 % of the parameters in 75 % of the time; head costs 0.23 of accuracy and "
        "trains 0.1 % of the parameters 40 times faster; few_shot costs 0.29 of accuracy and trains nothing. "
        "Fine-tuning pays: without training, few_shot reaches 0.52."
    )


def test_difference_beyond_one_standard_error_is_not_called_noise() -> None:
    assert "standard error" not in say(FULL, HEAD)


def test_approach_that_another_one_beats_in_everything_is_not_named() -> None:
    poor = record(2, "head", 0.4, seconds=35, parameters=300)
    assert "head" not in say(FULL, LORA, poor)
    assert "No other approach is cheaper." in say(FULL, record(1, "lora", 0.7, seconds=60, parameters=20_000))


def test_slower_approach_with_fewer_parameters_is_told_as_it_is() -> None:
    slow = record(1, "lora", 0.78, seconds=60, parameters=200)
    assert "lora costs 0.02 of accuracy (" in say(FULL, slow)
    assert "trains 2 % of the parameters in 1.5 times the time" in say(FULL, slow)


def test_approach_that_saves_time_alone_is_told_so() -> None:
    text = say(FULL, record(1, "lora", 0.7, seconds=10, parameters=10_000))
    chance = "(less than one standard error, 0.028 on 400 rows)"
    assert f"lora costs 0.02 of accuracy {chance} and trains as many parameters" in text
    assert "in 25 % of the time." in text


def test_cheaper_approach_that_is_better_on_test_is_not_chosen_for_it() -> None:
    test = {**TEST, "trial-0002": {"accuracy": 0.95}}
    text = say(FULL, HEAD, test=test)
    assert text.startswith("Use full: accuracy 0.81 on test. Cheaper: head is 0.14 better on test and trains")


def test_base_that_is_as_good_makes_fine_tuning_needless() -> None:
    text = say(FULL, LORA, base={"accuracy": 0.8})
    assert (
        "Fine-tuning gains nothing here: the untouched base is no worse (validation/accuracy 0.8 against 0.8)" in text
    )


def test_few_shot_that_wins_makes_training_needless() -> None:
    text = say(record(3, "few_shot", 0.9, seconds=0, parameters=0), LORA, FULL, winner=3)
    assert text.startswith("Use few_shot, which trains nothing: accuracy 0.52 on test. No other approach is cheaper. ")
    assert "No training is needed: the best trained approach, full, has 0.81; it is 0.29 better on test." in text


def test_few_shot_within_the_noise_is_said_to_be_enough() -> None:
    test = {**TEST, "trial-0003": {"accuracy": 0.8}}
    text = say(FULL, FEW_SHOT, test=test)
    chance = "(less than one standard error, 0.028 on 400 rows)"
    assert f"few_shot costs 0.01 of accuracy {chance} and trains nothing." in text
    assert text.endswith("Fine-tuning may not be needed: few_shot has 0.8.")
    text = say(FULL, test={**TEST, "baseline": {"accuracy": 0.8}})
    assert "Fine-tuning may not be needed: the untouched base has 0.8; it costs 0.01 of accuracy (less than one" in text


def test_without_a_test_split_validation_speaks() -> None:
    text = say(FULL, HEAD, test={})
    assert text.startswith("Use full: accuracy 0.8 on validation. Cheaper: head costs 0.2 of accuracy and trains")
    assert "without training, the untouched base reaches 0.26" in text


def test_loss_is_chosen_by_and_accuracy_spoken_of() -> None:
    loss = Objective("loss", metrics=OBJECTIVE.metrics)
    one, other = (record(n, b, a, seconds=s) for n, b, a, s in ((0, "full", 0.8, 40), (1, "head", 0.6, 1)))
    assert "Use full: accuracy 0.81 on test. Cheaper: head costs 0.02 of accuracy" in say(one, other, objective=loss)
    only_loss = {name: {"loss": scores["loss"]} for name, scores in TEST.items()}
    text = say(one, other, objective=loss, test=only_loss)
    assert "Use full: loss 0.5 on test. Cheaper: head costs 0.1 of loss and" in text


def test_chance_is_what_the_intervals_on_test_say_also_of_a_loss() -> None:
    wide = {name: {"accuracy": 0.2, "loss": 0.3} for name in ("trial-0000", "trial-0002")}
    assert "head costs 0.23 of accuracy (less than one standard error, 0.28 on 400 rows)" in say(
        FULL, HEAD, errors=wide
    )
    loss = Objective("loss", metrics=OBJECTIVE.metrics)
    only_loss = {name: {"loss": scores["loss"]} for name, scores in TEST.items()}
    text = say(FULL, HEAD, objective=loss, test=only_loss, errors=wide)
    assert "head costs 0.4 of loss (less than one standard error, 0.42 on 400 rows)" in text
    assert "standard error" not in say(FULL, HEAD, objective=loss, test=only_loss)


@pytest.mark.parametrize("kind", ["pruned", "failed"])
def test_branch_without_a_trial_is_told_of(kind: str) -> None:
    assert f"head has no complete trial (1 {kind})." in say(FULL, record(2, "head", 0.9, kind=kind))


def test_branch_on_other_data_is_not_compared() -> None:
    text = say(FULL, HEAD, LORA, head="other")
    assert "head was measured on other data and is not compared." in text
    assert "head costs" not in text
