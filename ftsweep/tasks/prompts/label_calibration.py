"""From likelihoods of labels to a distribution over labels, with a prompt's own bias taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Calibration = Literal["none", "contextual", "batch"]


def label_scores(
    likelihoods: torch.Tensor, label_ids: Sequence[Sequence[int]], *, length_normalised: bool
) -> torch.Tensor:
    """Log-likelihoods [rows, labels] as they compete: summed over a label's tokens, or their mean."""
    if not length_normalised:
        return likelihoods
    return likelihoods / likelihoods.new_tensor([len(ids) for ids in label_ids])


def contextual_log_prior(scores: torch.Tensor) -> torch.Tensor:
    """What a prompt answers when the row says nothing: [labels], from the scores [inputs, labels] of such rows.

    The mean of their distributions, as in Zhao et al. (2021), "Calibrate Before Use".
    """
    return scores.softmax(dim=-1).mean(dim=0).log()


def batch_log_prior(scores: torch.Tensor) -> torch.Tensor:
    """What a prompt answers on the whole: [labels], the mean log-probability over many rows [rows, labels].

    Zhou et al. (2023), "Batch Calibration". No label of these rows is looked at.
    """
    return scores.log_softmax(dim=-1).mean(dim=0)


def calibrated(scores: torch.Tensor, log_prior: torch.Tensor | None) -> torch.Tensor:
    """Log-probabilities [rows, labels] with the prior divided out; the plain distribution without one.

    Renormalised, and not put through another softmax as in Zhao et al.: the likeliest label is the same, and what comes
    out is a distribution whose log-likelihood can be compared with that of a classifier.
    """
    return (scores if log_prior is None else scores - log_prior).log_softmax(dim=-1)
