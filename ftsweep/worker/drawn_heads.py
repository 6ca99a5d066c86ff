"""A base whose files lack a head for masked words: what is drawn says nothing of it, and what follows from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ftsweep.config.schema import TrainingSettings
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import ConfigError
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.strategies.base import fresh_modules

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def has_drawn_head(parts: TrialParts, base: PreTrainedModel) -> bool:
    """Whether this base of these parts tells masked words, and by a head that no file brought."""
    head = parts.strategy.head_for(parts.task)
    return head == "masked_lm" and bool(fresh_modules(base, head))


def check_held_to_base(parts: TrialParts, base: PreTrainedModel) -> None:
    """Raise ConfigError where training shall be held to the answers of a drawn head, which are none."""
    if TrainingSettings(**parts.config["training"]).kl_to_base > 0 and has_drawn_head(parts, base):
        raise ConfigError(
            "the base's head for masked words is newly drawn, and has no answers that the model could be held to",
            where="training.kl_to_base",
            remedy="Leave it 0, or choose a model that comes with this head (model=modernbert_base).",
        )


def drawn_head_findings(
    each_parts: Iterable[TrialParts], look_at: Callable[[TrialParts], PreTrainedModel]
) -> list[Finding]:
    """A warning where a trial, or one of its stages, trains such a head. Raises ConfigError as `check_held_to_base`."""
    of_encoders = [parts for parts in each_parts if parts.task.head == "masked_lm"]
    for parts in of_encoders:
        check_held_to_base(parts, look_at(parts))
    drawn = next((parts for parts in of_encoders if has_drawn_head(parts, look_at(parts))), None)
    if drawn is None:
        return []
    message = (
        "the base's files have no head for masked words: one is drawn over the base's own embeddings and trains along; "
        f"its perplexity before training is that of guessing among {len(drawn.tokenizer):,} tokens, and says nothing "
        "of the base"
    )
    remedy = "Where the untouched base shall be compared with, choose one that comes with this head"
    return [Finding("model", Severity.WARN, message, remedy=remedy, override="model=modernbert_base")]
