"""Preference: the losses are the papers' formulas, and the shapes of the field are read as they are meant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import Example, RowError
from ftsweep.tasks.encoding.pairs import Answer, cut_pair, pair_of, read_as
from ftsweep.tasks.preference import Preference
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.testing.task import TaskContract

ROWS = (
    {"prompt": "What is it?", "chosen": "A thing.", "rejected": "No thing at all."},
    {"prompt": "And that, which is a long question?", "chosen": "No.", "rejected": "Yes"},
    {"prompt": "Why", "chosen": "Because it is so, and has always been so.", "rejected": "So"},
)


def said(*contents: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(contents)]


def log_prob(model: Any, prompt: str, answer: str) -> tuple[float, int]:
    """The answer's log-probability behind the prompt and its number of tokens: token by token, from plain logits."""
    tokenizer = byte_tokenizer()
    asked = tokenizer(f"{prompt}\n", add_special_tokens=False)["input_ids"]
    answered = [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([asked + answered])).logits[0].double()
    places = range(len(asked) - 1, len(asked) + len(answered) - 1)
    logs = [float(torch.log_softmax(logits[place], 0)[token]) for place, token in zip(places, answered, strict=True)]
    return math.fsum(logs), len(answered)


def expected(kind: str, beta: float, model: Any, base: Any, row: dict[str, str]) -> float:
    """The loss of one row, written down from the paper."""
    (chosen, num_chosen), (rejected, num_rejected) = (log_prob(model, row["prompt"], row[s]) for s in SIDES)
    (base_chosen, _), (base_rejected, _) = (log_prob(base, row["prompt"], row[side]) for side in SIDES)
    if kind == "dpo":
        return -math.log(1 / (1 + math.exp(-beta * ((chosen - base_chosen) - (rejected - base_rejected)))))
    if kind == "ipo":
        ratio = (chosen - base_chosen) / num_chosen - (rejected - base_rejected) / num_rejected
        return (ratio - 1 / (2 * beta)) ** 2
    p, q = math.exp(chosen / num_chosen), math.exp(rejected / num_rejected)
    odds = (p / (1 - p)) / (q / (1 - q))
    return -chosen / num_chosen - beta * math.log(1 / (1 + math.exp(-math.log(odds))))


SIDES = ("chosen", "rejected")


def batch_of(task: Preference, base: Any) -> dict[str, torch.Tensor]:
    examples = [each for each in task.encode(ROWS, byte_tokenizer(), {}) if isinstance(each, Example)]
    batch = TaskContract().batch(task, examples)
    with torch.no_grad():
        batch["labels"] = torch.cat([batch["labels"], task.reference(base, batch)], dim=1)
    return batch


@pytest.mark.parametrize("kind", ["dpo", "ipo", "orpo"])
@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_losses_are_those_of_the_papers(kind: Any, beta: float) -> None:
    model, base = random_llama(seed=1), random_llama(seed=2)
    task = Preference(loss=kind, beta=beta)
    with torch.no_grad():
        losses, _ = task.losses(model, batch_of(task, base))
    assert losses.tolist() == pytest.approx([expected(kind, beta, model, base, row) for row in ROWS], rel=1e-5)


def test_a_model_that_is_its_own_reference_has_no_margin() -> None:
    model, task = random_llama(), Preference()
    batch = batch_of(task, model)
    with torch.no_grad():
        losses, outputs = task.losses(model, batch)
    tally = task.tally({})
    tally.add(losses, outputs, batch)
    values = tally.values()
    assert values["accuracy"] == 0.5
    assert values["margin"] == 0
    assert values["loss"] == pytest.approx(math.log(2))
    own = [[log_prob(model, row["prompt"], row[side]) for side in SIDES] for row in ROWS]
    ahead = [chosen[0] / chosen[1] > rejected[0] / rejected[1] for chosen, rejected in own]
    assert values["ranking_accuracy"] == pytest.approx(np.mean(ahead))


def test_a_reference_that_is_missing_is_said_so() -> None:
    task, model = Preference(), random_llama()
    examples = [each for each in task.encode(ROWS, byte_tokenizer(), {}) if isinstance(each, Example)]
    with pytest.raises(ValueError, match="the batch has none"):
        task.losses(model, TaskContract().batch(task, examples))


def test_only_values_waits_for_the_device(refuse_waiting: Any) -> None:
    tally = Preference().tally({})
    with refuse_waiting:
        for _ in range(2):
            tally.add(torch.tensor([1.0, 2.0]), torch.tensor([[1.0, -1.0], [-3.0, 0.0]]), {})
    assert tally.values() == {"loss": 1.5, "accuracy": 0.5, "ranking_accuracy": 0.25, "margin": -1.0}


def test_metrics_of_resampled_rows_are_those_of_the_rows() -> None:
    task, model = Preference(beta=0.4), random_llama()
    batch = batch_of(task, random_llama(seed=2))
    with torch.no_grad():
        losses, outputs = task.losses(model, batch)
    tally = task.tally({})
    tally.add(losses, outputs, batch)
    units = task.row_units(batch["labels"]).numpy()
    found = task.resampled_scores(losses.numpy(), units, outputs.numpy(), np.ones((1, len(ROWS))))
    assert {name: float(each[0]) for name, each in found.items()} == pytest.approx(tally.values())
    assert found.keys() == task.metrics.keys()


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", "chosen": "Hello", "rejected": "Go"},
        {"prompt": said("Hi"), "chosen": said("Hi", "Hello")[1:], "rejected": said("Hi", "Go")[1:]},
        {"prompt": said("Hi"), "chosen": said("Hi", "Hello"), "rejected": said("Hi", "Go")},
        {"chosen": said("Hi", "Hello"), "rejected": said("Hi", "Go")},
        {"prompt": "Hi", "chosen": said("Hi", "Hello"), "rejected": said("Hi", "Go")},
        {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": "\n\nHuman: Hi\n\nAssistant: Go"},
        {
            "chosen": '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]',
            "rejected": said("Hi", "Go"),
        },
    ],
)
def test_every_shape_of_the_field_is_the_same_pair(row: dict[str, Any]) -> None:
    pair = pair_of(row)
    assert list(pair.chosen.messages) == said("Hi", "Hello")
    assert list(pair.rejected.messages) == said("Hi", "Go")
    assert read_as(row).startswith("preference pairs (")


def test_only_the_last_answer_of_a_conversation_is_compared() -> None:
    pair = pair_of({"chosen": said("Hi", "Hello", "Who?", "Me"), "rejected": said("Hi", "Hello", "Who?", "You")})
    assert list(pair.chosen.learned) == [False, False, False, True]
    with pytest.raises(RowError, match="do not answer the same question"):
        pair_of({"chosen": said("Hi", "Hello", "Who?", "Me"), "rejected": said("Hi", "Hey", "Who?", "You")})


def test_a_long_pair_loses_the_same_of_its_prompt() -> None:
    answers = [Answer([1, 10, 11, 12, 13, 20, 21], 5), Answer([1, 10, 11, 12, 13, 30], 5)]
    cut, is_cut, is_answer_cut = cut_pair(answers, 5, bos_id=1)
    assert [answer.ids for answer in cut] == [[1, 12, 13, 20, 21], [1, 12, 13, 30]]
    assert [answer.start for answer in cut] == [3, 3]
    assert (is_cut, is_answer_cut) == (True, False)
    cut, _, is_answer_cut = cut_pair([Answer(list(range(9)), 2), Answer([0, 1, 2], 2)], 4, bos_id=None)
    assert [answer.ids for answer in cut] == [[1, 2, 3, 4], [1, 2]]
    assert is_answer_cut


def test_predict_says_which_answer_the_model_finds_likelier() -> None:
    model, task = random_llama(), Preference()
    answers = task.predict(model, byte_tokenizer(), {}, ROWS, batch_size=2)
    for row, answer in zip(ROWS, answers, strict=True):
        chosen, rejected = (total / count for total, count in (log_prob(model, row["prompt"], row[s]) for s in SIDES))
        assert answer["margin"] == pytest.approx(chosen - rejected, abs=1e-5)
        assert answer["preferred"] == ("chosen" if chosen > rejected else "rejected")


def test_settings_and_columns_are_checked() -> None:
    with pytest.raises(ConfigError, match="dpo, ipo, orpo"):
        Preference(loss="kto")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="above 0"):
        Preference(beta=0)
    with pytest.raises(DataError, match="'chosen' and 'rejected'"):
        Preference().check_columns(["prompt", "completion"])
    with pytest.raises(DataError) as caught:
        Preference().check_columns(["prompt", "chosen_response", "rejected_response"])
    assert "chosen: chosen_response" in str(caught.value)
