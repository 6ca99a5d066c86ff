"""Both answers in words: what is said of the model, of its lead on test, and of the setting to train again."""

from __future__ import annotations

import pytest

from ftsweep.analysis.sentence import said_of_choice
from ftsweep.domain.answers import Lead, Model, RacedSetting, Setting
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord

RECORDS = [
    TrialRecord(Proposal(number, "", {}, is_default=number == 0), (), Outcome(OutcomeKind.COMPLETE))
    for number in range(3)
]
MODEL = Model(2, 1.66, 8, "why", seed=1, corrected=1.71, num_models=7, over_default=Lead(0.2, 0.06, is_sure=True))


def raced(standing: str, *, chosen: int = 2, margin: float | None = 0.058) -> Setting:
    lead = Lead(0.05, 0.02, is_sure=standing == "better", margin=margin)
    own = RacedSetting(2, 1.7, (1.66, 1.8), 1.73, 0.04, over_default=lead, standing=standing)
    default = RacedSetting(0, 1.9, (1.7, 1.75), 1.725, 0.04, is_default=True)
    return Setting(chosen, "why", (own, default))


def said(setting: Setting | None, model: Model = MODEL, own: float = 1.7, default: float = 1.9) -> str:
    test = {"trial-0002-1": {"loss": own}, "trial-0000": {"loss": default}, "baseline": {"loss": 2.5}}
    return said_of_choice(
        model, setting, RECORDS, Objective(), num_rungs=10, baseline={"main": {"loss": 2.4}}, test=test, default=0
    )


def test_the_models_value_stands_beside_its_base_and_what_the_choice_made_of_it():
    assert said(None) == (
        "Trial 2 with fresh seed 1 is chosen: validation/loss 1.66 at rung 8 of 10 (untouched base 2.4; about 1.71 "
        "without the luck of being the best of 7); on test loss 1.7 (default setting 1.9, untouched base 2.5)."
    )


@pytest.mark.parametrize(("own", "verb"), [(1.7, "held"), (2.0, "did not hold")])
def test_a_good_draw_of_a_setting_that_is_no_better_is_called_so(own: float, verb: str):
    text = said(raced("no better", chosen=0), own=own)
    assert (
        "This model is a good draw of a setting that is no better than the default on average (2 fresh seeds)" in text
    )
    assert f"the model's lead over the default {verb} on test (loss {own:.4g} against 1.9)" in text
    assert text.endswith("to train again take the setting of trial 0, validation/loss 1.725 on average.")


def test_a_better_setting_and_an_open_question_are_told_apart():
    better = said(raced("better"))
    assert "Its setting is better than the default on average, too, by 0.05 ± 0.02 over 2 fresh seeds" in better
    assert better.endswith("it is the setting to train again as well.")
    tie = "A tie: its setting leads the default by 0.05 ± 0.02 on average over 2 fresh seeds, where"
    assert f"{tie} only a lead above 0.058 is sure;" in said(raced("undecided")), "why two standard errors are a tie"
    assert f"{tie} no lead is sure;" in said(raced("undecided", margin=None))


def test_a_setting_that_failed_with_a_seed_is_not_praised():
    failed = Setting(0, "why", (RacedSetting(0, 1.9, (1.7,), 1.7, is_default=True), RacedSetting(2, 1.7, (None,))))
    assert "This setting did not hold with every fresh seed" in said(failed)
