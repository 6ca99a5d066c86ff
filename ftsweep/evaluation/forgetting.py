"""How much worse a trial's model predicts general text than the untouched base: what it has forgotten.

F = NLL(tuned) - NLL(base), nats per token, on held-out general text. A model of next tokens is asked as it is, with its
adapter; the base without. A model with a new head lends its body to the language-model head that the base came with;
an encoder its body to the base's masked-language head, which tells masked words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.domain.forgetting import FORGETTING, LOSS, NAME
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.general_text import GeneralText
from ftsweep.models.inner import transformers_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ForgettingMeter:
    """Measures the models of trials that start from one base."""

    text: GeneralText
    evaluator: Evaluator
    base_loss: float
    limit: float | None = None
    lender: Lender | None = None
    """Of the head of a language model, for bodies without one."""
    is_unchanged: bool = False
    """Whether the strategy leaves every weight that predicts text as it was, so that nothing need be measured."""

    def values(self, model: PreTrainedModel) -> dict[str, float]:
        """`general/loss` and `general/forgetting` of the model as it is."""
        loss = self.base_loss if self.is_unchanged else self._loss(model)
        return {LOSS: loss, FORGETTING: loss - self.base_loss}

    def constraints(self, values: Mapping[str, float]) -> dict[str, float]:
        """What is above the limit, of measured values; {} without a limit."""
        return {} if self.limit is None else {NAME: values[FORGETTING] - self.limit}

    def _loss(self, model: PreTrainedModel) -> float:
        if self.lender is None:
            return self.text.score(model, self.evaluator).values["loss"]
        with self.lender.completing(model) as whole:
            return self.text.score(whole, self.evaluator).values["loss"]


@dataclass
class Lender:
    """The untouched base as a language model, whose head completes other bodies."""

    model: PreTrainedModel
    is_masked: bool
    """Whether it tells masked words, as an encoder does, and not next ones."""
    has_body: bool = True

    @contextmanager
    def completing(self, model: PreTrainedModel) -> Iterator[PreTrainedModel]:
        """The lender with the body of `model` in the place of its own, for the length of the block."""
        inner = transformers_model(model)
        own = self._body
        self._put(getattr(inner, inner.base_model_prefix))
        try:
            yield self.model
        finally:
            self._put(own)

    def drop_body(self) -> None:
        """Give up its own body, which takes as much memory as the trial's; a tied head keeps its weights."""
        self._put(None)
        self.has_body = False

    @property
    def _body(self) -> Any:
        return getattr(self.model, self.model.base_model_prefix)

    def _put(self, body: Any) -> None:
        setattr(self.model, self.model.base_model_prefix, body)
