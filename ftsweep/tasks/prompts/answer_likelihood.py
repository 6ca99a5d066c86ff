"""The loss of a causal model on the answers of prompts that begin alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ftsweep.tasks.base import IGNORED
from ftsweep.tasks.causal import (
    MAX_LOGITS_AT_ONCE,
    logits_at,
    score_tokens,
    sums_by_row,
    supervised_positions,
    transformers_model,
)
from ftsweep.tasks.prompts.answer_prompts import AnswerExample
from ftsweep.tasks.prompts.shared_prefix import SharedPrefix, can_share, common_length, row_batches, run_prefix

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class AnswerScores(NamedTuple):
    """One batch: which rows, each one's summed loss [rows], right guesses (shape []), and the labels scored."""

    rows: list[int]
    losses: torch.Tensor
    num_correct: torch.Tensor
    labels: torch.Tensor


def answer_losses(
    model: PreTrainedModel, examples: Sequence[AnswerExample], *, pad_id: int, tokens_per_batch: int
) -> Iterator[AnswerScores]:
    """Every example's summed loss over its answer's tokens, batch by batch, longest first.

    Call it without gradients, with the model in eval mode.
    """
    inner = transformers_model(model)
    length = 0
    if can_share(model):
        firsts = [next(at for at, label in enumerate(each.labels) if label != IGNORED) for each in examples]
        # One token stays before each answer: what predicts the answer's first token.
        length = common_length([each.input_ids for each in examples], [first - 1 for first in firsts])
    prefix = run_prefix(model, examples[0].input_ids[:length])
    most_answer = max(sum(label != IGNORED for label in each.labels) for each in examples)
    most = max(1, MAX_LOGITS_AT_ONCE // (most_answer * inner.get_output_embeddings().weight.shape[0]))
    lengths = [len(each.input_ids) - length for each in examples]
    for rows in row_batches(lengths, tokens_per_batch=tokens_per_batch, most=most):
        yield _score_batch(model, [examples[row] for row in rows], rows, prefix, pad_id)


def _score_batch(
    model: PreTrainedModel, examples: Sequence[AnswerExample], rows: list[int], prefix: SharedPrefix, pad_id: int
) -> AnswerScores:
    import torch

    device = transformers_model(model).device
    own = [len(example.input_ids) - prefix.length for example in examples]
    ids = torch.full((len(examples), max(own)), pad_id, dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    mask = torch.ones(len(examples), prefix.length + max(own), dtype=torch.long)
    for row, (example, size) in enumerate(zip(examples, own, strict=True)):
        ids[row, :size] = torch.tensor(example.input_ids[prefix.length :])
        labels[row, :size] = torch.tensor(example.labels[prefix.length :])
        mask[row, prefix.length + size :] = 0
    positions = supervised_positions(labels).to(device)
    labels = labels.to(device)
    logits = logits_at(
        model,
        positions - 1,
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        position_ids=(prefix.length + torch.arange(max(own), device=device)).expand(len(examples), -1),
        **prefix.arguments(model, len(examples)),
    )
    losses, num_correct = score_tokens(logits, labels.flatten().index_select(0, positions))
    return AnswerScores(rows, sums_by_row(losses, positions, labels), num_correct, labels)
