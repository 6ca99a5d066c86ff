"""Preference: of two answers to one prompt the chosen one is to become likelier (DPO, IPO, ORPO)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from ftsweep.domain.metric import LOSS, Metric, Metrics, dependent, right_answers
from ftsweep.errors import ConfigError
from ftsweep.models.base import Head
from ftsweep.tasks.base import Example, LabelShape, LabelType, RowError, Tally, Task
from ftsweep.tasks.causal import sums_by_row, token_losses
from ftsweep.tasks.encoding.answers import answer_labels, texts_of, tokenized
from ftsweep.tasks.encoding.chat import ChatFormat, Rendered
from ftsweep.tasks.encoding.pairs import (
    COLUMNS,
    Pair,
    answer_of,
    check_columns,
    cut_pair,
    pair_example,
    pair_of,
    read_as,
)
from ftsweep.tasks.encoding.tokens import (
    ROWS_PER_CALL,
    attempt,
    batches_by_length,
    check_fits_tokenizer,
    checked_max_length,
    in_chunks,
    to_predict,
)
from ftsweep.tasks.scores.pair_losses import WITH_REFERENCE, PairLogProbs, PairLoss, pair_losses
from ftsweep.tasks.scores.pair_tally import PairTally, resampled_pairs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from tokenizers import Encoding
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_NUM_LABELS = 4
"""Of a row: the chosen sequence's length and where its answer begins, then the rejected one's; a reference's two
log-probabilities follow."""


class Preference(Task):
    """Pairs of answers, in columns `prompt`, `chosen` and `rejected` or two conversations (docs/preference.md).

    The reference of DPO and IPO is the model that training starts from; its log-probabilities are labels of every row.
    """

    head: ClassVar[Head] = "causal_lm"
    columns = COLUMNS
    label_shape: ClassVar[LabelShape] = "vector"
    label_type: ClassVar[LabelType] = "float"
    num_sequences: ClassVar[int] = 2
    loss_settings = frozenset({"loss", "beta"})
    metrics: ClassVar[Metrics] = {
        "accuracy": replace(right_answers(is_readable=True), depends_on=("loss",)),
        "ranking_accuracy": right_answers(is_readable=True),
        **dependent({"margin": Metric("maximize"), "loss": LOSS}, "loss", "beta", "max_length"),
    }

    def __init__(self, *, loss: PairLoss = "dpo", beta: float = 0.1, max_length: int = 512) -> None:
        """`max_length` bounds the prompt with one of its answers."""
        if loss not in get_args(PairLoss):
            raise ConfigError(f"must be one of {', '.join(get_args(PairLoss))}, not {loss!r}", where="task.loss")
        if isinstance(beta, bool) or not isinstance(beta, int | float) or not 0 < beta < math.inf:
            raise ConfigError(f"must be a number above 0, not {beta!r}", where="task.beta")
        self.loss: PairLoss = loss
        self.beta = float(beta)
        self.max_length = checked_max_length(max_length)

    @property
    def needs_reference(self) -> bool:
        return self.loss in WITH_REFERENCE

    def check_columns(self, available: Iterable[str]) -> None:
        check_columns(available)

    def input_text(self, values: Mapping[str, Any]) -> str:
        """The question."""
        return texts_of(pair_of(values).chosen, is_learned=False)

    def target_text(self, values: Mapping[str, Any]) -> str:
        """Both answers, the chosen one first."""
        return "\n".join(texts_of(side, is_learned=True) for side in pair_of(values))

    def read_as(self, values: Mapping[str, Any]) -> str:
        return read_as(values)

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        return {}

    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        check_fits_tokenizer(self.max_length, tokenizer)
        chat = ChatFormat(tokenizer)
        for chunk in in_chunks(rows, ROWS_PER_CALL):
            parts = [attempt(lambda values: _rendered(pair_of(values), chat), values) for values in chunk]
            examples = self._examples([part for part in parts if not isinstance(part, RowError)], tokenizer)
            for part in parts:
                yield part if isinstance(part, RowError) else next(examples)

    def batch_extras(self, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Where each sequence's tokens stand in its row, all chosen ones before all rejected ones."""
        import torch

        lengths, starts = labels[:, [0, 2]].T.flatten().long(), labels[:, [1, 3]].T.flatten().long()
        first = torch.cat([torch.zeros_like(lengths[: len(labels)]), lengths[: len(labels)]])
        places = torch.arange(int(lengths.max()), device=labels.device)
        is_token = places < lengths[:, None]
        return {
            "pair_columns": torch.where(is_token, first[:, None] + places, 0),
            "pair_mask": is_token.long(),
            "supervised": (is_token & (places >= starts[:, None])).flatten().nonzero().squeeze(1),
        }

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Each row's loss [rows], and [rows, 2]: the reward margin, and by how much the chosen answer is the likelier
        one to the model itself, per token."""
        import torch

        found, reference = _log_probs(model, self._with_extras(batch)), None
        if self.needs_reference and batch["labels"].shape[1] > _NUM_LABELS:
            chosen, rejected = batch["labels"][:, _NUM_LABELS:].unbind(dim=1)
            reference = found._replace(chosen=chosen, rejected=rejected)
        losses, margins = pair_losses(self.loss, self.beta, found, reference)
        return losses, torch.stack([margins, found.mean_chosen - found.mean_rejected], dim=1).detach()

    def reference(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The log-probabilities of both answers, [rows, 2]."""
        import torch

        found = _log_probs(model, self._with_extras(batch))
        return torch.stack([found.chosen, found.rejected], dim=1)

    def row_scores(
        self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor | None:
        return outputs

    def resampled_scores(
        self, losses: np.ndarray, units: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        found = super().resampled_scores(losses, units, scores, weights)
        return {**found, **resampled_pairs(units, scores, weights)} if scores.size else found

    def tally(self, schema: Mapping[str, Any]) -> Tally:
        return PairTally()

    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[Any]]) -> dict[str, float] | None:
        return None

    def answer_ends(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        return ChatFormat(tokenizer).end_ids()

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """`{"preferred", "margin", "chosen", "rejected"}`: which answer the model itself finds likelier per token.

        Log-probabilities per token and their difference; nothing is generated, and no reference is asked.
        """
        import torch

        check_fits_tokenizer(self.max_length, tokenizer)
        chat = ChatFormat(tokenizer)
        rendered = to_predict(lambda values: _rendered(pair_of(values), chat), rows)
        examples = [_usable(example) for example in self._examples(rendered, tokenizer)]
        answers: list[dict[str, Any]] = [{}] * len(rows)
        model.eval()
        device = next(model.parameters()).device
        with torch.inference_mode():
            for indices in batches_by_length([len(example.input_ids) for example in examples], batch_size):
                found = _log_probs(model, self._with_extras(_batch([examples[index] for index in indices], device)))
                both = torch.stack([found.mean_chosen, found.mean_rejected], dim=1).tolist()
                for index, (chosen, rejected) in zip(indices, both, strict=True):
                    preferred = "chosen" if chosen >= rejected else "rejected"
                    answers[index] = {
                        "preferred": preferred,
                        "margin": chosen - rejected,
                        "chosen": chosen,
                        "rejected": rejected,
                    }
        return answers

    def _with_extras(self, batch: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        return batch if "pair_columns" in batch else {**batch, **self.batch_extras(batch["labels"])}

    def _examples(
        self, rendered: Sequence[tuple[Rendered, Rendered]], tokenizer: PreTrainedTokenizerBase
    ) -> Iterator[Example | RowError]:
        if not rendered:
            return
        sides = [side for pair in rendered for side in pair]
        both = zip(tokenized(tokenizer, [side.text for side in sides]), sides, strict=True)
        for chosen, rejected in zip(both, both, strict=True):
            yield self._example((chosen, rejected), tokenizer.bos_token_id)

    def _example(self, pair: Sequence[tuple[Encoding, Rendered]], bos_id: int | None) -> Example | RowError:
        try:
            answers = [answer_of(tokens.ids, answer_labels(tokens, side.spans)) for tokens, side in pair]
        except RowError as error:
            return error
        answers, *cut = cut_pair(answers, self.max_length, bos_id)
        return pair_example(answers, [clause for _, side in pair for clause in side.unsaid], cut=(cut[0], cut[1]))


def _rendered(pair: Pair, chat: ChatFormat) -> tuple[Rendered, Rendered]:
    return chat.render(pair.chosen), chat.render(pair.rejected)


def _usable(example: Example | RowError) -> Example:
    if isinstance(example, RowError):
        raise example
    return example


def _batch(examples: Sequence[Example], device: torch.device) -> dict[str, torch.Tensor]:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = [torch.tensor(example.input_ids) for example in examples]
    labels = torch.tensor([list(example.labels) for example in examples], dtype=torch.float32)
    return {"input_ids": pad_sequence(ids, batch_first=True).to(device), "labels": labels.to(device)}


def _log_probs(model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> PairLogProbs:
    """Both answers' log-probabilities, from one forward pass over all sequences."""
    columns, mask, labels = batch["pair_columns"], batch["pair_mask"], batch["labels"]
    ids = batch["input_ids"].repeat(2, 1).gather(1, columns)
    inputs = {"input_ids": ids, "attention_mask": mask, "labels": ids, "supervised": batch["supervised"]}
    losses, _, positions = token_losses(model, inputs)
    chosen, rejected = (-sums_by_row(losses, positions, ids)).chunk(2)
    return PairLogProbs(chosen, rejected, labels[:, 0] - labels[:, 1], labels[:, 2] - labels[:, 3])
