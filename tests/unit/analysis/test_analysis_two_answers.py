from __future__ import annotations

import pytest
from scored_runs import scored

from ftsweep.analysis.two_answers import SettingFacts, choose_model, choose_setting

FACTS = {0: SettingFacts(is_default=True, cost=1.0), 1: SettingFacts(cost=1.0), 2: SettingFacts(cost=3.0)}
LUCKY = [(0, 0, 1.9), (0, 1, 1.85), (0, 2, 1.87), (1, 0, 1.6), (1, 1, 1.95), (1, 2, 1.9)]
"""The search's run of setting 1 is a good draw of a setting that is no better than the default."""


def model_of(means, facts=FACTS, **options):
    answer = choose_model(scored(means, **options), facts, options.get("sign", 1))
    assert answer is not None
    return answer


def setting_of(means, facts=FACTS, **options):
    answer = choose_setting(scored(means, **options), facts, options.get("sign", 1))
    assert answer is not None
    return answer


@pytest.mark.parametrize("sign", [1, -1])
def test_a_good_draw_of_an_ordinary_setting_is_deployed_and_its_setting_is_not_praised(sign):
    model, setting = model_of(LUCKY, sign=sign), setting_of(LUCKY, sign=sign)
    assert (model.setting, model.seed, model.value) == (1, 0, sign * 1.6)
    assert model.over_default is not None
    assert model.over_default.is_sure
    assert model.over_default.value > 0
    assert setting.number == 0
    luck = setting.of(1)
    assert luck is not None
    assert luck.standing == "no better"
    assert setting.chosen.standing == "alone", "it is the default itself"


def test_the_weights_of_a_fresh_seed_can_be_the_best_in_hand():
    assert model_of([(0, 0, 1.9), (1, 0, 1.8), (1, 1, 1.5)]).seed == 1


def test_among_models_that_the_rows_do_not_tell_apart_the_better_setting_decides():
    means = [(1, 0, 1.600), (1, 1, 1.9), (2, 0, 1.602), (2, 1, 1.7), (0, 0, 2.0)]
    model = model_of(means, row_noise=0.2)
    assert (model.setting, model.is_best) == (2, False)
    assert model.equals == ((1, 0),)
    assert model_of(means, row_noise=0.001).setting == 1


def test_with_equal_means_forgetting_decides_and_then_the_cost():
    means = [(1, 0, 1.602), (1, 1, 1.8), (2, 0, 1.600), (2, 1, 1.8)]
    facts = {1: SettingFacts(cost=2.0, forgetting=0.05), 2: SettingFacts(cost=1.0, forgetting=0.5)}
    assert model_of(means, facts, row_noise=0.2).setting == 1
    unmeasured = {1: SettingFacts(cost=2.0, forgetting=0.05), 2: SettingFacts(cost=1.0)}
    assert model_of(means, unmeasured, row_noise=0.2).setting == 2


def test_the_default_handed_over_does_not_lead_itself():
    model = model_of([(0, 0, 1.0), (1, 0, 1.5), (1, 1, 1.6)])
    assert model.setting == 0
    assert model.over_default is None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_setting_that_is_better_with_every_seed_beats_the_default(sign):
    means = [(0, 1, 2.0), (0, 2, 2.02), (1, 1, 1.5), (1, 2, 1.52), (1, 0, 1.0)]
    answer = setting_of(means, sign=sign)
    assert (answer.number, answer.chosen.standing) == (1, "better")
    assert answer.chosen.mean == pytest.approx(sign * 1.51), "the search's own run does not count"
    assert [each.is_tied for each in answer.settings] == [True, False]


@pytest.mark.parametrize(("lead", "standing"), [(-0.1, "no better"), (0.15, "undecided"), (0.9, "better")])
def test_a_lead_over_the_default_is_claimed_denied_or_left_open(lead, standing):
    means = [(0, 1, 2.0), (0, 2, 2.2), (0, 3, 2.1), (1, 1, 2.2 - lead), (1, 2, 2.0 - lead), (1, 3, 2.08 - lead)]
    mean = setting_of(means).of(1)
    assert mean is not None
    assert mean.standing == standing


def test_settings_within_an_error_are_decided_by_their_cost():
    means = [(1, 1, 1.60), (1, 2, 1.70), (2, 1, 1.59), (2, 2, 1.69)]
    assert setting_of(means).number == 1
    assert setting_of(means, {**FACTS, 2: SettingFacts(cost=0.5)}).number == 2


def test_without_a_second_seed_nothing_is_sure():
    answer = setting_of([(0, 1, 2.0), (1, 1, 1.0)])
    assert answer.number == 1
    assert answer.chosen.standard_error is None
    assert answer.chosen.standing == "undecided"
    assert choose_setting(scored([(1, 0, 1.0)]), FACTS, 1) is None
    assert choose_model([], FACTS, 1) is None
