"""Lanes in one padded batch, as on a GPU: in float64 the numbers that each comes to alone, whoever stands beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.strategies.lora import Lora
from ftsweep.tasks.classification import Classification
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama
from ftsweep.training.lanes.conductor import NoLaneError
from ftsweep.training.lanes.lane import CHECKED_STEPS, Lane
from ftsweep.training.lanes.padded import PaddedConductor, relative_distance
from ftsweep.training.lanes.turns import share_gradients
from ftsweep.training.lanes.twin import twin
from ftsweep.training.step import Stepper
from ftsweep.worker.job_generators import JobGenerators

GENERATORS, NUMBERS = JobGenerators(torch.device("cpu")), count()
LABELS = ["a", "b", "c"]
HEAD = "sequence_classification"
SIX: tuple[dict[str, Any], ...] = (
    {"rank": 8, "batch_size": 4, "learning_rate": 1e-3, "length": 30},
    {"rank": 2, "batch_size": 5, "learning_rate": 1e-2, "length": 25, "weight_decay": 0.1},
    {"rank": 4, "batch_size": 4, "learning_rate": 3e-3, "length": 18, "dropout": 0.1},
    {"rank": 3, "batch_size": 6, "learning_rate": 5e-3, "length": 22, "micro_batch_size": 3},
    {"rank": 16, "batch_size": 3, "learning_rate": 2e-3, "length": 28, "targets": ["q_proj", "up_proj"]},
    {"rank": 8, "batch_size": 4, "learning_rate": 4e-3, "length": 27, "rslora": True},
)


class Rows:
    """Rows of unequal lengths, the longest of which has `longest` tokens."""

    def __init__(self, size: int, longest: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        lengths = [longest, *chance.integers(longest // 2, longest, size - 1)]
        self._ids = [chance.integers(3, 250, length) for length in lengths]
        self._labels = chance.integers(0, len(LABELS), (size, 1))
        self.lengths = np.array(lengths, np.int32)

    def __len__(self) -> int:
        return len(self._ids)

    def input_ids(self, index: int) -> np.ndarray:
        return np.asarray(self._ids[index])

    def labels(self, index: int) -> np.ndarray:
        return np.asarray(self._labels[index])


@dataclass
class Crew:
    """Trials on twins of one base."""

    lanes: list[Lane]
    conductor: PaddedConductor

    def step(self, *, is_shared: bool, most: int | None = None) -> None:
        """One of each, of the first `most` in one pass."""
        if is_shared:
            share_gradients([lane for lane in self.lanes[:most] if lane.refusal is None], self.conductor)
        for lane in self.lanes:
            lane.own_generators()
            lane.stepper.take()

    def weights(self) -> list[list[torch.Tensor]]:
        return [[weight.detach().clone() for weight in lane.stepper.weights] for lane in self.lanes]


def crew_of(
    base: Any, settings: Sequence[dict[str, Any]], *, dtype: torch.dtype = torch.float64, autocast: Any = None
) -> Crew:
    """Of a base in this type, whose adapters are, too, unless `autocast` says what is computed in."""
    base = base.to(dtype).requires_grad_(False)
    lanes = []
    for number, given in enumerate(settings):
        own = dict(given)
        length, strategy = (
            own.pop("length"),
            {key: own.pop(key) for key in ("rank", "dropout", "targets", "rslora") if key in own},
        )
        name = f"lane {next(NUMBERS)}"
        GENERATORS.give_to(name)
        torch.manual_seed(number)
        task = Classification(max_length=length)
        lora = Lora(**{"dropout": 0.0, **strategy})
        with nullcontext() if autocast else patch("ftsweep.strategies.adapters._train_in_float32"):
            model = lora.apply(twin(base), HEAD)
        model = model if autocast else model.to(dtype)
        training = {**TRAINING, **own}
        config = {"training": training, "seed": {"data": number, "model": number}}
        parts: Any = SimpleNamespace(task=task, strategy=lora, config=config, tokenizer=byte_tokenizer())
        evaluator = Evaluator(task, {"labels": LABELS}, 0, torch.device("cpu"), autocast)
        stepper = Stepper(parts, model=model, examples=Rows(40, length, number), evaluator=evaluator)
        lanes.append(Lane(name, stepper, partial(GENERATORS.give_to, name)))
    GENERATORS.give_to("nobody")  # the next base is drawn without any trial noticing
    return Crew(lanes, PaddedConductor(base))


TRAINING: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": 4,
    "epochs": 1000,
    "micro_batch_size": None,
    "warmup": 0.1,
    "schedule": "linear",
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "patience": None,
    "precision": "float32",
    "gradient_checkpointing": False,
    "replay": 0.0,
}


def largest_apart(left: list[list[torch.Tensor]], right: list[list[torch.Tensor]]) -> float:
    return max(
        float((one - other).abs().max())
        for of_left, of_right in zip(left, right, strict=True)
        for one, other in zip(of_left, of_right, strict=True)
    )


def bert_with_dropout() -> Any:
    model = random_bert(HEAD)
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.1
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.1
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.1
    return model


@pytest.mark.parametrize(
    ("make", "targets", "steps"),
    [(random_llama, {}, 50), (random_bert, {"targets": "all-linear"}, 15)],
    ids=["decoder", "encoder"],
)
def test_six_unlike_lanes_come_to_what_each_comes_to_alone(
    make: Callable[[Any], Any], targets: dict[str, Any], steps: int
) -> None:
    settings = [{**each, **targets} for each in SIX]
    alone, beside = crew_of(make(HEAD), settings), crew_of(make(HEAD), settings)
    start = alone.weights()
    for _ in range(steps):
        alone.step(is_shared=False)
        beside.step(is_shared=True)
    assert [lane.refusal for lane in beside.lanes] == [None] * len(SIX)
    assert min(lane.num_shared for lane in beside.lanes) >= 0.8 * steps, "one with a far smaller batch stays out of it"
    assert largest_apart(alone.weights(), beside.weights()) < 1e-9
    assert largest_apart(alone.weights(), start) > 1e-3


def test_a_body_that_drops_out_drops_of_each_lane_what_it_would_drop_alone() -> None:
    settings = [{**each, "targets": "all-linear"} for each in SIX[:4]]
    alone, beside = crew_of(bert_with_dropout(), settings), crew_of(bert_with_dropout(), settings)
    for _ in range(10):
        alone.step(is_shared=False)
        beside.step(is_shared=True)
    assert [lane.refusal for lane in beside.lanes] == [None] * 4
    assert largest_apart(alone.weights(), beside.weights()) < 1e-9


def test_what_is_not_a_number_in_one_lane_reaches_no_other() -> None:
    alone, beside = crew_of(random_llama(HEAD), SIX[:3]), crew_of(random_llama(HEAD), SIX[:3])
    for _ in range(3):
        alone.step(is_shared=False)
        beside.step(is_shared=True)
    for crew in (alone, beside):
        with torch.no_grad():
            for weight in crew.lanes[1].stepper.weights:
                weight.fill_(math.inf)
    for _ in range(3):
        alone.step(is_shared=False)
        beside.step(is_shared=True)
    assert not bool(beside.lanes[1].stepper.is_finite)
    for number in (0, 2):
        assert largest_apart(alone.weights()[number : number + 1], beside.weights()[number : number + 1]) < 1e-9
    assert beside.lanes[0].num_shared == 6


def test_in_mixed_precision_gradients_are_those_alone_to_its_rounding() -> None:
    mixed = {"dtype": torch.bfloat16, "autocast": torch.bfloat16}
    settings = [each for each in SIX if "dropout" not in each]
    beside = crew_of(random_llama(HEAD), settings, **mixed)
    for _ in range(CHECKED_STEPS + 1):
        beside.step(is_shared=True)
    assert [lane.refusal for lane in beside.lanes] == [None] * 5
    weights = {weight.dtype for lane in beside.lanes for weight in lane.stepper.weights}
    assert weights == {torch.float32}


class Counter(TorchDispatchMode):
    """Counts what launches a kernel on a GPU."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not function.is_view and "empty" not in function._schema.name
        return function(*args, **(kwargs or {}))


def test_a_pass_of_the_body_takes_as_many_operations_for_eight_lanes_as_for_two() -> None:
    counts = []
    for size in (2, 8):
        crew = crew_of(random_llama(HEAD, num_hidden_layers=6), [SIX[0]] * size)
        for lane in crew.lanes:
            lane.num_shared = CHECKED_STEPS
        crew.step(is_shared=True)
        of_body = []
        real = crew.conductor.forward

        def counted(*given: Any, real: Any = real, of_body: list[int] = of_body) -> Any:
            with Counter() as forward:
                shared = real(*given)

            def backward(gradients: Any) -> None:
                with Counter() as way_back:
                    shared.backward(gradients)
                of_body.append(forward.count + way_back.count)

            return type(shared)(shared.hidden, backward)

        crew.conductor.forward = counted  # type: ignore[method-assign]
        crew.step(is_shared=True)
        counts.append(of_body[0])
    few, many = counts
    assert few > 200
    assert many - few <= 6 * 6, "what grows is of a lane, not of a layer"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}, "positions"),
        ({"attn_implementation": "eager"}, "eager"),
    ],
)
def test_a_body_of_which_a_row_depends_on_others_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(NoLaneError, match=reason):
        PaddedConductor(random_llama(HEAD, **change))


def test_batches_of_very_unlike_sizes_do_not_go_together() -> None:
    conductor = PaddedConductor(random_llama(HEAD))
    assert conductor.num_tokens([(4, 30), (4, 20)]) == 240
    assert conductor.num_tokens([(4, 30), (1, 10)]) == 240
    assert conductor.num_tokens([(16, 30), (1, 10), (1, 10)]) is None


def test_a_wrong_gradient_is_doubted_and_rounding_is_not() -> None:
    gradient: list[torch.Tensor | None] = [torch.ones(100), None, torch.full((3,), 2.0)]
    near: list[torch.Tensor | None] = [torch.ones(100) * (1 + 1e-6), None, torch.full((3,), 2.0)]
    wrong: list[torch.Tensor | None] = [torch.ones(100), None, torch.full((3,), -2.0)]
    conductor = PaddedConductor(random_llama(HEAD))
    assert conductor.doubt(gradient, near) is None
    assert "another gradient" in (conductor.doubt(gradient, wrong) or "")
    assert relative_distance(gradient, [torch.ones(100), torch.ones(1), None]) == math.inf
    assert relative_distance([torch.zeros(2)], [torch.zeros(2)]) == 0
