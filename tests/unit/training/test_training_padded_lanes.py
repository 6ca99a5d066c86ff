"""Lanes in one padded batch, as on a GPU: in float64 the numbers that each comes to alone, whoever stands beside it."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lane_crew import HEAD, SIX, crew_of, largest_apart
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AlbertConfig, AlbertForSequenceClassification

from ftsweep.evaluation.batch import to_device
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.training.lanes import stack
from ftsweep.training.lanes.conductor import NoLaneError
from ftsweep.training.lanes.lane import CHECKED_STEPS
from ftsweep.training.lanes.padded import PaddedConductor, relative_distance


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
        ({"layerdrop": 0.1}, "its layerdrop is drawn"),
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


# -- who is in a pass changes from step to step ----------------------------------------------------------------------


def test_lanes_that_join_and_leave_with_other_layers_change_nothing() -> None:
    settings = [
        {"rank": 4, "batch_size": 4, "length": 30, "targets": ["q_proj"]},
        {"rank": 2, "batch_size": 4, "length": 30, "targets": ["q_proj", "v_proj"], "l2_sp": 0.1},
        {"rank": 16, "batch_size": 5, "length": 30, "dropout": 0.1, "micro_batch_size": 2},
        {"rank": 1, "batch_size": 5, "length": 28, "targets": ["down_proj"]},
    ]
    alone, beside = crew_of(random_llama(HEAD), settings), crew_of(random_llama(HEAD), settings)
    whole = [(crew, crew.lanes) for crew in (alone, beside)]
    for step in range(9):
        for crew, lanes in whole:
            crew.lanes = lanes[step // 6 : 2 + step // 3]
            crew.step(is_shared=crew is beside)
    for crew, lanes in whole:
        crew.lanes = lanes
    assert [lane.refusal for lane in beside.lanes] == [None] * 4
    assert min(lane.num_shared for lane in beside.lanes) >= 3
    assert largest_apart(alone.weights(), beside.weights()) < 1e-9


def test_where_a_lane_s_numbers_stand_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found, passes = [], set()
    real, real_init = stack._places, stack.Stack.__init__
    monkeypatch.setattr(stack, "_places", lambda *given: found.append(given) or real(*given))

    def noted(self: Any, flats: Any, *more: Any) -> None:
        passes.add(tuple(map(id, flats)))
        real_init(self, flats, *more)

    monkeypatch.setattr(stack.Stack, "__init__", noted)
    crew = crew_of(random_llama(HEAD), [{"rank": 2, "batch_size": 4, "length": 30}] * 5)
    for _ in range(8):
        crew.step(is_shared=True)
    assert len(passes) >= 4, "batches of other lengths go in another order"
    assert len(found) == 5


def test_of_a_trial_that_is_over_no_number_is_kept() -> None:
    crew = crew_of(random_llama(HEAD), SIX[:3])
    crew.step(is_shared=True)
    gone = [weakref.ref(crew.lanes[number].flat) for number in (0, 1)]
    crew.lanes = crew.lanes[2:]
    assert [each() for each in gone] == [None, None]
    assert len(crew.conductor._flats) == 1


# -- what goes wrong in a lane's own part ----------------------------------------------------------------------------


def failing(real: Callable[..., Any], error: Exception, *, at: set[int]) -> Callable[..., Any]:
    """A function that raises this error when it is called for these times."""
    calls = []

    def called(*given: Any) -> Any:
        calls.append(given)
        if len(calls) in at:
            raise error
        return real(*given)

    return called


@pytest.mark.parametrize(
    ("error", "at", "reason", "share"),
    [
        (ValueError("no column"), {2, 3}, "a shared pass failed: ValueError: no column", 1),
        (MemoryError("x"), {2}, None, 2),
    ],
    ids=["its own", "memory"],
)
def test_a_lane_whose_second_micro_batch_fails_takes_the_step_alone_and_says_why(
    error: Exception, at: set[int], reason: str | None, share: int
) -> None:
    settings = [{"rank": 4, "batch_size": 6, "length": 30, "micro_batch_size": 3}] * 3
    alone, beside = crew_of(random_llama(HEAD), settings), crew_of(random_llama(HEAD), settings)
    tokens = beside.conductor.tokens_per_pass
    for step in range(5):
        if step == 2:
            lane: Any = beside.lanes[1]
            lane.add_gradient = failing(lane.add_gradient, error, at=at)
        alone.step(is_shared=False)
        beside.step(is_shared=True)
    assert largest_apart(alone.weights(), beside.weights()) < 1e-9
    assert [lane.refusal for lane in beside.lanes] == [None, reason, None]
    assert beside.conductor.tokens_per_pass == tokens // share
    assert [lane.num_shared for lane in beside.lanes] == ([5, 2, 5] if reason else [4, 4, 4])


@pytest.mark.parametrize(("at", "shares"), [({3}, True), ({3, 4}, False)], ids=["once", "again"])
def test_a_pass_that_fails_once_may_be_a_neighbour_s_fault(at: set[int], shares: bool) -> None:
    settings = [{"rank": 4, "batch_size": 6, "length": 30}] * 2
    alone, beside = crew_of(random_llama(HEAD), settings), crew_of(random_llama(HEAD), settings)
    conductor: Any = beside.conductor
    conductor.forward = failing(conductor.forward, IndexError("index out of range in self"), at=at)
    for _ in range(6):
        alone.step(is_shared=False)
        beside.step(is_shared=True)
    assert largest_apart(alone.weights(), beside.weights()) < 1e-9
    assert [lane.num_shared for lane in beside.lanes] == [5 if shares else 2] * 2
    assert all((lane.refusal is None) == shares for lane in beside.lanes)


def test_a_gradient_that_cannot_be_compared_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, beside = crew_of(random_llama(HEAD), SIX[:2]), crew_of(random_llama(HEAD), SIX[:2])
    monkeypatch.setattr(beside.conductor, "doubt", lambda *given: _out_of_memory())
    alone.step(is_shared=False)
    beside.step(is_shared=True)
    assert [(lane.refusal, lane.num_shared) for lane in beside.lanes] == [(None, 0)] * 2
    assert largest_apart(alone.weights(), beside.weights()) == 0


def _out_of_memory() -> str | None:
    raise torch.OutOfMemoryError("tried to allocate 20.00 GiB")


def test_a_batch_goes_to_the_device_once() -> None:
    there: Any = SimpleNamespace(device=torch.device("cuda", 0))
    assert to_device({"input_ids": there}, torch.device("cuda")) == {"input_ids": there}


# -- bodies of other kinds -------------------------------------------------------------------------------------------


def test_a_body_that_is_one_layer_several_times_and_pools_in_its_own_way_is_shared() -> None:
    def albert() -> Any:
        torch.manual_seed(0)
        sizes = {"vocab_size": 264, "embedding_size": 16, "hidden_size": 32, "intermediate_size": 64}
        chances = dict.fromkeys(["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob"], 0.0)
        layers = {"num_hidden_layers": 2, "num_attention_heads": 4, "initializer_range": 0.2, "num_labels": 3}
        return AlbertForSequenceClassification(AlbertConfig(**sizes, **chances, **layers)).eval()

    settings = [{**each, "targets": "all-linear"} for each in SIX[:3]]
    alone, beside = crew_of(albert(), settings), crew_of(albert(), settings)
    for _ in range(4):
        alone.step(is_shared=False)
        beside.step(is_shared=True)
    assert [(lane.refusal, lane.num_shared) for lane in beside.lanes] == [(None, 4)] * 3
    assert largest_apart(alone.weights(), beside.weights()) < 1e-9
