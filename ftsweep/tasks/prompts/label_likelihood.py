"""How likely a causal model finds each label's words behind a prompt.

One forward pass per batch of rows: behind a row's question stand the tokens of all labels side by side, and a mask lets
each label's tokens see the question and their own predecessors alone. What all prompts begin with runs once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ftsweep.models.inner import transformers_model
from ftsweep.tasks.causal import MAX_LOGITS_AT_ONCE, logits_at
from ftsweep.tasks.encoding.tokens import padded
from ftsweep.tasks.prompts.shared_prefix import SharedPrefix, can_share, common_length, row_batches, run_prefix

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def label_likelihoods(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    label_ids: Sequence[Sequence[int]],
    *,
    pad_id: int,
    tokens_per_batch: int,
) -> torch.Tensor:
    """The summed log-probability of each label's tokens behind each prompt. Shape [rows, labels], float32.

    Call it without gradients, with the model in eval mode.
    """
    import torch

    if not can_share(model):
        return _one_by_one(model, prompts, label_ids, pad_id=pad_id, tokens_per_batch=tokens_per_batch)
    answers = _Answers.of(label_ids)
    length = common_length(prompts, [len(prompt) for prompt in prompts])
    prefix = run_prefix(model, prompts[0][:length])
    inner = transformers_model(model)
    found = torch.empty(len(prompts), len(label_ids), device=inner.device)
    most = max(1, MAX_LOGITS_AT_ONCE // (answers.num_slots * inner.get_output_embeddings().weight.shape[0]))
    lengths = [len(prompt) - length + len(answers.tail) for prompt in prompts]
    for rows in row_batches(lengths, tokens_per_batch=tokens_per_batch, most=most):
        found[rows] = _score_batch(model, [prompts[row][length:] for row in rows], prefix, answers, pad_id)
    return found


@dataclass(frozen=True)
class _Answers:
    """The labels' tokens as one sequence behind a question.

    Of each label all tokens but the last stand in the `tail`, for nothing is predicted from the last. A slot is a place
    whose logits are needed: slot 0 is the question's last token, slot m the tail's token m - 1.
    """

    num_labels: int
    tail: np.ndarray  # [tail] token ids
    depth: np.ndarray  # [tail] how many tokens of its label stand before it
    sees: np.ndarray  # [tail, tail] whether a tail token sees another one
    slots: np.ndarray  # [tokens] the slot that predicts each token of all labels
    tokens: np.ndarray  # [tokens] ids
    labels: np.ndarray  # [tokens] whose token it is

    @property
    def num_slots(self) -> int:
        return len(self.tail) + 1

    @classmethod
    def of(cls, label_ids: Sequence[Sequence[int]]) -> _Answers:
        tail = [(label, depth, token) for label, ids in enumerate(label_ids) for depth, token in enumerate(ids[:-1])]
        owner, depth = np.array([part[0] for part in tail], int), np.array([part[1] for part in tail], int)
        slot_of = {(label, depth): slot for slot, (label, depth, _) in enumerate(tail, start=1)}
        placed = [
            (slot_of.get((label, place - 1), 0), token, label)
            for label, ids in enumerate(label_ids)
            for place, token in enumerate(ids)
        ]
        return cls(
            num_labels=len(label_ids),
            tail=np.array([part[2] for part in tail], int),
            depth=depth,
            sees=(owner[:, None] == owner[None, :]) & (depth[None, :] <= depth[:, None]),
            slots=np.array([part[0] for part in placed]),
            tokens=np.array([part[1] for part in placed]),
            labels=np.array([part[2] for part in placed]),
        )


def _score_batch(
    model: PreTrainedModel, questions: Sequence[Sequence[int]], prefix: SharedPrefix, answers: _Answers, pad_id: int
) -> torch.Tensor:
    """Scores [rows, labels] of questions without their shared prefix."""
    import torch

    device = transformers_model(model).device
    num_rows, longest, tail = len(questions), max(map(len, questions)), len(answers.tail)
    lengths = np.array([len(question) for question in questions])
    ids = np.full((num_rows, longest + tail), pad_id)
    for row, question in enumerate(questions):
        ids[row, : len(question)] = question
    ids[:, longest:] = answers.tail
    positions = np.tile(np.arange(longest + tail), (num_rows, 1))
    positions[:, longest:] = lengths[:, None] + answers.depth
    # [rows, query, key]: everything sees the prefix, a question its own past, a tail its question and its own past
    sees = np.zeros((num_rows, longest + tail, prefix.length + longest + tail), bool)
    sees[:, :, : prefix.length] = True
    own = sees[:, :, prefix.length :]
    own[:, :longest, :longest] = np.tri(longest, dtype=bool)
    own[:, longest:, :longest] = np.arange(longest) < lengths[:, None, None]
    own[:, longest:, longest:] = answers.sees
    starts = np.arange(num_rows)[:, None] * (longest + tail)
    places = starts + np.column_stack([lengths - 1, np.tile(longest + np.arange(tail), (num_rows, 1))])

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    logits = logits_at(
        model,
        on_device(places.reshape(-1)),
        input_ids=on_device(ids),
        attention_mask=_as_mask(model, on_device(sees)[:, None]),
        position_ids=on_device(positions + prefix.length),
        **prefix.arguments(model, num_rows),
    )
    logits = logits.float().view(num_rows, answers.num_slots, -1)
    slots, tokens = on_device(answers.slots), on_device(answers.tokens)
    scores = logits[:, slots, tokens] - logits.logsumexp(dim=-1)[:, slots]
    return scores.new_zeros(num_rows, answers.num_labels).index_add(1, on_device(answers.labels), scores)


def _as_mask(model: PreTrainedModel, sees: torch.Tensor) -> torch.Tensor:
    """The mask as the model's attention takes it: truth for SDPA, numbers to add for eager attention."""
    import torch

    inner = transformers_model(model)
    if inner.config._attn_implementation == "sdpa":
        return sees
    mask = torch.zeros(sees.shape, dtype=inner.dtype, device=sees.device)
    return mask.masked_fill(~sees, torch.finfo(inner.dtype).min)


def _one_by_one(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    label_ids: Sequence[Sequence[int]],
    *,
    pad_id: int,
    tokens_per_batch: int,
) -> torch.Tensor:
    """The same scores from whole prompts, one sequence per row and label: for models that cannot share a prefix."""
    import torch

    inner = transformers_model(model)
    pairs = [(row, label) for row in range(len(prompts)) for label in range(len(label_ids))]
    sequences = [[*prompts[row], *label_ids[label]] for row, label in pairs]
    found = torch.empty(len(pairs), device=inner.device)
    most = max(1, MAX_LOGITS_AT_ONCE // (max(map(len, label_ids)) * inner.get_output_embeddings().weight.shape[0]))
    for chosen in row_batches([len(each) for each in sequences], tokens_per_batch=tokens_per_batch, most=most):
        batch: dict[str, Any] = padded([sequences[index] for index in chosen], pad_id, inner.device)
        width = batch["input_ids"].shape[1]
        ends = [len(sequences[index]) for index in chosen]
        sizes = [len(label_ids[pairs[index][1]]) for index in chosen]
        places = [
            row * width + place
            for row, (end, size) in enumerate(zip(ends, sizes, strict=True))
            for place in range(end - size - 1, end - 1)
        ]
        at = torch.tensor(places, device=inner.device)
        log_probs = logits_at(model, at, **batch, use_cache=False).float().log_softmax(dim=-1)
        scores = log_probs.gather(1, batch["input_ids"].flatten()[at + 1][:, None]).squeeze(1)
        borders = [0, *np.cumsum(sizes).tolist()]
        found[chosen] = torch.stack([scores[start:end].sum() for start, end in pairwise(borders)])
    return found.view(len(prompts), len(label_ids))
