"""When answers are generated while a trial trains, on which rows, and how: the node `task.generation`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Le

from ftsweep.config.checks.values import settings_problem
from ftsweep.errors import ConfigError, suggest
from ftsweep.models.inner import num_virtual_tokens, transformers_model
from ftsweep.models.own_settings import without_own_settings
from ftsweep.tasks.encoding.tokens import batches_by_length, padded
from ftsweep.tasks.scores.answer_scores import ANSWER_METRICS

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

_WHERE = "task.generation"


@dataclass(frozen=True)
class Generation:
    """Answers of a trial at some of its rungs, and of chosen models. Nothing is generated with `rungs` null, unless the
    objective is a score of answers.
    """

    rungs: list[Annotated[int, Ge(1)]] | None = None
    """At which rungs; null: for such an objective half of them and the last."""
    rows: Annotated[int, Ge(1)] | None = 64
    """On so many rows of validation, the same ones for every trial; null: on all."""
    final_rows: Annotated[int, Ge(1)] | None = 1000
    """Chosen models on so many rows of validation and of test; null: on all."""
    scores: tuple[str, ...] = ("exact_match", "token_f1", "rouge_l", "chrf")
    """What of each answer is measured; the objective is, whether it is named or not."""
    max_new_tokens: Annotated[int, Ge(1)] | None = None
    """Tokens of an answer at most; null: as `task.max_new_tokens`."""
    do_sample: bool = False
    """Whether tokens are drawn; else the likeliest is taken."""
    temperature: Annotated[float, Gt(0)] = 1.0
    """Of drawn tokens."""
    top_p: Annotated[float, Gt(0), Le(1)] = 1.0
    """Of drawn tokens: from the likeliest ones that have so much of the probability together."""
    seed: Annotated[int, Ge(0)] = 0
    """Of the choice of rows and of drawn tokens."""

    @classmethod
    def read(cls, node: Mapping[str, Any] | None) -> Generation:
        """From a configuration. Raises ConfigError for keys and values that are not possible."""
        given = dict(node or {})
        problem = settings_problem(cls, given)
        if problem:
            raise ConfigError(problem.what, where=f"{_WHERE}.{problem.key}", remedy=problem.remedy)
        found = cls(**{**given, "scores": tuple(given.get("scores", cls.scores))})
        for name in found.scores:
            if name not in ANSWER_METRICS:
                what = f"there is no score {name!r} of answers"
                raise ConfigError(what, where=f"{_WHERE}.scores", remedy=suggest(name, ANSWER_METRICS))
        if found.rungs == []:
            raise ConfigError("this names no rung", where=f"{_WHERE}.rungs", remedy="Name some, or set it to null.")
        if not found.do_sample and (found.temperature, found.top_p) != (1.0, 1.0):
            key = "top_p" if found.temperature == 1.0 else "temperature"
            what = "the likeliest token is taken, so this changes nothing"
            raise ConfigError(what, where=f"{_WHERE}.{key}", remedy=f"Set {_WHERE}.do_sample=true, or leave it out.")
        return found

    def rungs_of(self, num_rungs: int) -> tuple[int, ...]:
        """At which of so many rungs answers are generated. Raises ConfigError for one that is none of them."""
        if self.rungs is None:
            return (*sorted({math.ceil(num_rungs / 2), num_rungs}),)
        if max(self.rungs) > num_rungs:
            what = f"there is no rung {max(self.rungs)}: a trial has {num_rungs}, counted from 1"
            raise ConfigError(what, where=f"{_WHERE}.rungs", remedy="Name others, or change rungs.count.")
        return (*sorted(set(self.rungs)),)


DEFAULTS: dict[str, Any] = {**asdict(Generation()), "scores": list(Generation.scores)}
"""The node as it is without any setting."""


@dataclass(frozen=True)
class Decoding:
    """How one answer is made, token by token; greedy by default."""

    max_new_tokens: int
    do_sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0

    def config(self, end_ids: list[int], pad_id: int) -> GenerationConfig:
        from transformers import GenerationConfig

        return GenerationConfig(
            max_new_tokens=self.max_new_tokens,
            do_sample=self.do_sample,
            num_beams=1,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=0 if self.do_sample else 50,
            repetition_penalty=1.0,
            use_cache=True,
            eos_token_id=end_ids,
            pad_token_id=pad_id,
        )


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    batch_size: int,
    *,
    decoding: Decoding,
    end_ids: list[int],
) -> list[str]:
    """What the model writes behind each prompt's tokens; a batch ends when all of its rows have.

    Prompts of one length go together, padded on the left. The model is left in eval mode. Drawn tokens depend on the
    seed, the prompts and the batch size; torch's own generators are left as they were.
    """
    import torch

    # Virtual tokens are the wrapper's: the model inside of it knows none. And they must not be parted by padding
    # from a prompt, so prompts behind them come in batches of one length.
    has_virtual = num_virtual_tokens(model) > 0
    inner: Any = model if has_virtual else transformers_model(model)
    inner.eval()
    settings = decoding.config(end_ids, tokenizer.pad_token_id)
    answers = [""] * len(prompts)
    with (
        torch.no_grad(),
        _drawing(decoding, inner.device),
        without_own_settings(model),
        warnings.catch_warnings(),
    ):
        # PEFT says so of virtual tokens, rightly: positions are counted anew with them.
        warnings.filterwarnings("ignore", message="Position ids are not supported", category=UserWarning)
        for indices in batches_by_length([len(ids) for ids in prompts], batch_size, mixed=not has_virtual):
            batch = padded([prompts[index] for index in indices], tokenizer.pad_token_id, inner.device, left=True)
            generated = inner.generate(**batch, generation_config=settings)[:, batch["input_ids"].shape[1] :]
            texts = tokenizer.batch_decode(generated, skip_special_tokens=True)
            for index, text in zip(indices, texts, strict=True):
                answers[index] = text.strip()
    return answers


@contextmanager
def _drawing(decoding: Decoding, device: torch.device) -> Iterator[None]:
    import torch

    if not decoding.do_sample:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(decoding.seed)
        yield
