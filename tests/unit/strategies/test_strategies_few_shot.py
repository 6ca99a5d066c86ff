"""Settings of `few_shot` and `few_shot_tuned`: what cannot be honoured is refused before anything runs."""

from __future__ import annotations

import pytest

from ftsweep.errors import ConfigError, ModelError
from ftsweep.strategies.few_shot import FewShot
from ftsweep.strategies.few_shot_tuned import FewShotTuned
from ftsweep.strategies.full import Full
from ftsweep.strategies.head import LinearProbe
from ftsweep.strategies.head_then_full import HeadThenFull
from ftsweep.strategies.lora import Lora
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.regression import Regression
from ftsweep.tasks.text import Text


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"k": -1}, "k"),
        ({"draws": 0}, "draws"),
        ({"draw": -1}, "draw"),
        ({"orders": 0}, "orders"),
        ({"per": "row"}, "per"),
        ({"template": "{text}"}, "template"),
        ({"template": "{label}"}, "template"),
        ({"label_words": {"a": "same", "b": "same "}}, "label_words"),
        ({"label_words": {"a": " "}}, "label_words"),
        ({"calibration": "domain"}, "calibration"),
        ({"content_free": []}, "content_free"),
        ({"max_demonstration_tokens": 0}, "max_demonstration_tokens"),
    ],
)
def test_setting_that_cannot_be_honoured_is_refused_at_its_key(settings, where):
    with pytest.raises(ConfigError) as caught:
        FewShot(**settings)
    assert caught.value.where == f"strategy.{where}"


@pytest.mark.parametrize("task", [Regression(), Text()])
def test_task_without_labels_or_answers_is_refused(task):
    with pytest.raises(ConfigError, match="answers classification and instruction"):
        FewShot().check_task(task)


@pytest.mark.parametrize(
    "settings",
    [
        {"per": "class"},
        {"label_words": {"a": "b"}},
        {"calibration": "contextual"},
        {"content_free": ["x"]},
        {"length_normalised": False},
        {"separator": "\n"},
        {"template": "{text} {label}"},
    ],
)
def test_setting_without_a_meaning_for_free_answers_is_refused(settings):
    FewShot().check_task(Instruction())
    with pytest.raises(ConfigError) as caught:
        FewShot(**settings).check_task(Instruction())
    assert caught.value.where == f"strategy.{next(iter(settings))}"


def test_template_of_the_other_task_is_refused():
    FewShot(template="{prompt} {completion}", separator="\n").check_task(Instruction())
    with pytest.raises(ConfigError, match=r"names \{label\}, not \{completion\}"):
        FewShot(template="{prompt} {completion}").check_task(Classification())


def test_default_draws_from_every_class_where_there_are_classes():
    assert FewShot().draws_for(Classification()).per == "class"
    assert FewShot().draws_for(Instruction()).per == "total"
    assert FewShot(per="total").draws_for(Classification()).per == "total"


def test_both_arms_draw_the_same_examples():
    labels = [index % 3 for index in range(50)]
    asked = FewShot(k=4, draws=3, draw=2, orders=2)
    trained = FewShotTuned(inner=Lora(), k=4, draws=3, draw=2)
    chosen = [
        (draw, examples) for draw, order, examples in asked.choose(Classification(), labels, [5, 0]) if order == 0
    ]
    draws = trained.draws_for(Classification())
    assert chosen == [(draw, draws.examples(labels, draw=draw, seeds=[5, 0])) for draw in draws.numbers]


def test_every_draw_is_asked_in_every_order():
    found = FewShot(k=3, per="total", draws=2, orders=4).choose(Classification(), [0] * 9, [0, 0])
    assert [(draw, order) for draw, order, _ in found] == [(draw, order) for draw in (0, 1) for order in range(4)]
    assert len({tuple(examples) for _, _, examples in found}) == 8


def test_few_shot_prompts_that_cannot_be_read_are_told(tmp_path):
    for text in ("{}", "no json", '{"prompts": []}'):
        (tmp_path / "few_shot.json").write_text(text)
        with pytest.raises(ModelError, match="prompt"):
            FewShot().restore(None, tmp_path)


@pytest.mark.parametrize("inner", [FewShot(), HeadThenFull(), FewShotTuned(inner=Lora())])
def test_strategy_that_does_not_train_on_draws_is_refused_inside(inner):
    with pytest.raises(ConfigError) as caught:
        FewShotTuned(inner=inner)
    assert caught.value.where == "strategy.inner"


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ConfigError, match="nothing to train on"):
        FewShotTuned(inner=Lora(), k=0)


def test_tuned_strategy_is_to_a_model_what_its_inner_one_is():
    for inner in (Lora(), LinearProbe(), Full()):
        tuned = FewShotTuned(inner=inner)
        for name in ("changes_base", "starts_as_base", "has_frozen_body", "exports_whole", "moves_weights", "merges"):
            assert getattr(tuned, name) == getattr(inner, name), name


def test_scaled_change_of_a_tuned_strategy_is_that_of_its_inner_one(monkeypatch):
    asked = []
    monkeypatch.setattr(Full, "rescale", lambda self, *given: asked.append(given))
    tuned = FewShotTuned(inner=Full())
    assert tuned.is_scalable
    tuned.rescale("model", "head", 0.5, {})
    assert asked == [("model", "head", 0.5, {})]


def test_tuned_strategy_refuses_what_its_inner_one_refuses():
    with pytest.raises(ConfigError):
        FewShotTuned(inner=LinearProbe()).check_task(Instruction())
    FewShotTuned(inner=Lora()).check_task(Instruction())


def test_classes_are_drawn_only_where_there_are_classes():
    with pytest.raises(ConfigError) as caught:
        FewShotTuned(inner=Lora(), per="class").check_task(Regression())
    assert caught.value.where == "strategy.per"
    with pytest.raises(ConfigError, match="pieces of several"):
        FewShotTuned(inner=Lora()).check_task(Text())
