"""Documents packed into blocks, and the proof that a model keeps them apart.

A packed block says by its labels where documents begin: the first token of each is IGNORED, for nothing precedes it.
Positions restart there. From positions that restart, transformers makes a mask that is block-diagonal, for every
attention that it has (sliding windows too), as long as no other mask is given.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ftsweep.errors import ModelError
from ftsweep.tasks.base import IGNORED, Example
from ftsweep.tasks.causal import token_losses

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_PROVEN: WeakSet[Any] = WeakSet()
"""Models that were seen to keep documents apart."""


def pieces(ids: Sequence[int], *, start: Sequence[int], end: int, max_length: int) -> Iterator[list[int]]:
    """A document's token ids and its end, in pieces of up to `max_length` tokens that each begin with `start`.

    A last piece with nothing to learn (one token) is left out.
    """
    ended = [*ids, end]
    room = max_length - len(start)
    for at in range(0, len(ended), room):
        piece = [*start, *ended[at : at + room]]
        if len(piece) > 1:
            yield piece


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Indices of pieces (none longer than `capacity`) by block: the longest first, each where the least room is left.

    Indices ascend within a block, blocks by their first index.
    """
    blocks: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room left, block), ascending
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        at = bisect_left(rooms, (lengths[index], -1))
        room, block = rooms.pop(at) if at < len(rooms) else (capacity, len(blocks))
        if block == len(blocks):
            blocks.append([])
        blocks[block].append(index)
        insort(rooms, (room - lengths[index], block))
    return sorted(sorted(block) for block in blocks)


def block_example(members: Sequence[Sequence[int]]) -> Example:
    """One example of these pieces, one after another."""
    input_ids: list[int] = []
    labels: list[int] = []
    for piece in members:
        input_ids.extend(piece)
        labels.extend([IGNORED, *piece[1:]])
    return Example(input_ids, labels)


def document_positions(labels: torch.Tensor) -> torch.Tensor | None:
    """Each token's position in its own document, [rows, length]; None where every row is one document.

    Of padding every token is a document of its own, so that its attention has something to look at.
    """
    import torch

    is_start = labels == IGNORED
    if not bool((is_start[:, 1:-1] & ~is_start[:, 2:]).any()):  # nothing begins inside of a row
        return None
    index = torch.arange(labels.shape[1], device=labels.device).expand_as(labels)
    return index - index.where(is_start, torch.zeros_like(index)).cummax(dim=1).values


LossesOfLast = Callable[[Any, "torch.Tensor"], "torch.Tensor"]
"""Token losses [rows, 5] that a model gives to the last six tokens of each row, a document of their own; what precedes
them is another."""


def check_keeps_apart(model: PreTrainedModel, losses_of_last: LossesOfLast | None = None) -> None:
    """Refuse a model whose documents see each other inside of a block; looks once per model.

    Two short documents are packed: the second's losses must be those that it has alone, whatever the first one is.
    `losses_of_last`: by default those of next tokens.

    Raises:
        ModelError: they are not.
    """
    import torch

    if model in _PROVEN:
        return
    trained = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            difference = _largest_difference(model, losses_of_last or _losses_of_last)
    finally:
        for module in trained:
            module.training = True
    if not difference <= _tolerance(model):
        raise ModelError(
            f"{type(model).__name__} does not keep packed documents apart: a document's loss changes by "
            f"{difference:.2g} nats with its neighbour",
            where="task.packed",
            remedy="Set task.packed=false: every example is then one document.",
        )
    _PROVEN.add(model)


def _largest_difference(model: Any, losses_of_last: LossesOfLast) -> float:
    """The most that a document's token losses change when another stands before it."""
    import torch

    vocabulary = model.get_input_embeddings().num_embeddings
    generator = torch.Generator().manual_seed(0)
    neighbours = torch.randint(vocabulary, (3, 7), generator=generator)
    document = torch.randint(vocabulary, (1, 6), generator=generator)
    alone = losses_of_last(model, document)
    packed = losses_of_last(model, torch.cat([neighbours, document.expand(3, -1)], dim=1))
    return float((packed - alone).abs().max())


def _losses_of_last(model: Any, input_ids: torch.Tensor) -> torch.Tensor:
    """See LossesOfLast; each token predicts the next one."""
    labels = input_ids.clone()
    labels[:, [0, -6]] = IGNORED
    batch = {"input_ids": input_ids, "labels": labels}
    positions = document_positions(labels)
    batch |= {} if positions is None else {"position_ids": positions}
    device = model.get_input_embeddings().weight.device
    losses, _, _ = token_losses(model, {name: value.to(device) for name, value in batch.items()})
    return losses.view(len(input_ids), -1)[:, -5:]


def _tolerance(model: Any) -> float:
    """Nats by which rounding may change a token's loss: other shapes are summed in another order."""
    import torch

    weight = model.get_input_embeddings().weight
    is_exact = weight.dtype == torch.float32 and not torch.is_autocast_enabled(weight.device.type)
    return 1e-3 if is_exact else 0.2
