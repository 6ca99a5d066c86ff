"""One trial in a shared pass: what it gives the body, and what it makes of the hidden states it gets back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any, NoReturn

import torch
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

from ftsweep.evaluation.batch import Batch
from ftsweep.models.inner import transformers_model
from ftsweep.strategies.lean import LeanLinear
from ftsweep.tasks.read_rows import positions_read
from ftsweep.training.checkpoint import Weights, pack_generators, unpack_generators
from ftsweep.training.lanes.conductor import Adapter, BodyInputs, Gradients, NoLaneError
from ftsweep.training.lanes.stack import FlatAdapter
from ftsweep.training.step import Stepper

CHECKED_STEPS = 2
"""So many first shared steps of a trial are also taken alone. In the very first the adapter's product is still zero."""


class _Reached(Exception):  # noqa: N818 - a way out of a forward pass, not an error
    """The body is called."""

    def __init__(self, inputs: BodyInputs) -> None:
        super().__init__()
        self.inputs = inputs


class Lane:
    """A trial's model and stepper, as a shared pass needs them. Where it cannot be in one, `refusal` says why."""

    def __init__(self, name: str, stepper: Stepper, own_generators: Callable[[], None]) -> None:
        """`own_generators` has torch's generators stand where this trial left them."""
        self.name = name
        self.stepper = stepper
        self.own_generators = own_generators
        self.refusal: str | None = None
        self.num_shared = 0
        """Steps whose gradient came of a shared pass, in this worker."""
        self._body: Any = transformers_model(stepper.model).base_model
        layers = {name: each for name, each in self._body.named_modules() if isinstance(each, LeanLinear)}
        self.adapters = {name: Adapter.of(each) for name, each in layers.items() if name.split(".")[0] != "pooler"}
        """By the names of their layers in the body; what pools its rows is the lane's own affair."""
        self.has_failed = False
        """Whether the last pass that it was in raised an error, its own or another's."""
        self._generators: Weights = {}
        self._was_finite = torch.empty(0)

    @cached_property
    def flat(self) -> FlatAdapter:
        """Its adapter as one row of numbers, where adapters are stacked."""
        return FlatAdapter(self.adapters)

    @property
    def is_checked(self) -> bool:
        """Whether enough of its shared steps have been held against the same steps alone."""
        return self.num_shared >= CHECKED_STEPS

    def begin(self) -> None:
        """Remember where the step begins, for `reset`."""
        self.own_generators()
        self._generators = pack_generators(self.stepper.evaluator.device)
        self._was_finite = self.stepper.is_finite.clone()

    def reset(self) -> None:
        """Take back what the step has done so far."""
        self.own_generators()
        unpack_generators(self._generators, self.stepper.evaluator.device)
        self.stepper.is_finite.copy_(self._was_finite)
        self.stepper.optimizer.zero_grad(set_to_none=True)
        self.stepper.has_gradient = False

    def body_inputs(self, batch: Batch) -> BodyInputs:
        """What the loss of this batch gives the body.

        Raises:
            NoLaneError: a packed pass has no place for it.
        """

        inner = transformers_model(self.stepper.model)

        def leave(*args: Any, **settings: Any) -> NoReturn:
            raise _Reached(BodyInputs.of_call(args, settings, positions_read(inner)))

        self.own_generators()
        try:
            with self._answering(leave):
                self.stepper.loss(batch)
        except _Reached as reached:
            return reached.inputs
        raise NoLaneError("its loss does not ask the model's body")

    def add_gradient(self, batch: Batch, num_units: int, hidden: torch.Tensor) -> torch.Tensor:
        """Add the gradients of the head where the body says `hidden` of the batch; the gradient of `hidden`."""
        leaf = hidden.detach().requires_grad_()
        answers = [leaf]

        def give(*_args: Any, **_settings: Any) -> Any:
            if not answers:
                raise NoLaneError("its loss asks the model's body more than once")
            states = answers.pop()
            return BaseModelOutputWithPoolingAndCrossAttentions(
                last_hidden_state=states, pooler_output=self._pooled(states)
            )

        self.own_generators()
        with self._answering(give):
            self.stepper.add_gradient(batch, num_units)
        assert leaf.grad is not None
        return leaf.grad

    def _pooled(self, states: torch.Tensor) -> torch.Tensor | None:
        """What the body makes of its last hidden states [rows, length, hidden] for a head over whole rows."""
        pooler, activation = (getattr(self._body, name, None) for name in ("pooler", "pooler_activation"))
        if pooler is None:
            return None
        pooled: torch.Tensor = pooler(states) if activation is None else activation(pooler(states[:, 0]))  # ALBERT's
        return pooled

    def gradients(self) -> Gradients:
        """Copies of what every trained weight has now."""
        return [None if weight.grad is None else weight.grad.clone() for weight in self.stepper.weights]

    @contextmanager
    def _answering(self, forward: Callable[..., Any]) -> Iterator[None]:
        """Let the body answer in this way, without getting it ready: hooks on it run, its weights keep their names."""
        ready, self.stepper.ready = self.stepper.ready, nullcontext
        self._body.forward = forward
        try:
            yield
        finally:
            del self._body.forward
            self.stepper.ready = ready
