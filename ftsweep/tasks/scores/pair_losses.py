"""What DPO, IPO and ORPO minimise, of the log-probabilities of a chosen and a rejected answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import torch

PairLoss = Literal["dpo", "ipo", "orpo"]
WITH_REFERENCE = ("dpo", "ipo")


class PairLogProbs(NamedTuple):
    """Of each row both answers' log-probabilities, summed over `num_tokens`. Shapes [rows], float32."""

    chosen: torch.Tensor
    rejected: torch.Tensor
    num_chosen: torch.Tensor
    num_rejected: torch.Tensor

    @property
    def mean_chosen(self) -> torch.Tensor:
        return self.chosen / self.num_chosen

    @property
    def mean_rejected(self) -> torch.Tensor:
        return self.rejected / self.num_rejected


def pair_losses(
    kind: PairLoss, beta: float, model: PairLogProbs, reference: PairLogProbs | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each row's loss and reward margin, [rows].

    dpo: -log sigmoid(beta h), h the difference of summed log-ratios to the reference (Rafailov et al. 2023,
    arXiv 2305.18290). ipo: (h - 1 / (2 beta))^2, with h of log-probabilities per token (Azar et al. 2023, arXiv
    2310.12036; per token as its authors advise and TRL does it). orpo: the chosen answer's loss per token and beta
    times -log sigmoid of the log odds ratio (Hong et al. 2024, arXiv 2403.07691); it has no reference. Margins are beta
    times h, of orpo beta times the difference of log-probabilities per token.
    """
    import torch
    from torch.nn.functional import logsigmoid

    if kind == "orpo":
        chosen, rejected = model.mean_chosen, model.mean_rejected
        log_odds = (chosen - _log_one_minus(chosen)) - (rejected - _log_one_minus(rejected))
        return -chosen - beta * logsigmoid(log_odds), beta * (chosen - rejected)
    if reference is None:
        raise ValueError(f"{kind} compares with a reference, and the batch has none")
    if kind == "dpo":
        ratio = (model.chosen - reference.chosen) - (model.rejected - reference.rejected)
        return -logsigmoid(beta * ratio), beta * ratio
    ratio = (model.mean_chosen - reference.mean_chosen) - (model.mean_rejected - reference.mean_rejected)
    return torch.square(ratio - 1 / (2 * beta)), beta * ratio


def _log_one_minus(log_prob: torch.Tensor) -> torch.Tensor:
    """log(1 - p) of log(p) that lies below 0, kept off it by a float32's width."""
    import torch

    return torch.log(-torch.expm1(log_prob.clamp(max=-1e-7)))
