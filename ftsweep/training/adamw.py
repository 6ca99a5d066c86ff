"""AdamW without the time that torch spends on finding out, at every step, what it found out at the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class _Group:
    """The tensors of a group of weights that all have a gradient at every step."""

    settings: dict[str, Any]
    weights: list[torch.Tensor]
    means: list[torch.Tensor]
    squares: list[torch.Tensor]
    counts: list[torch.Tensor]
    """One tensor, as often as there are weights: they have all taken as many steps."""


class FusedAdamW(torch.optim.AdamW):
    """As `torch.optim.AdamW(fused=True)` to the bit, for weights that do not change from step to step.

    A step where a weight has no gradient, or is on another device than the others, is torch's own.
    """

    _known: list[_Group] | None = None

    def __init__(self, groups: list[dict[str, Any]], *, lr: float) -> None:
        """`groups`: as torch's, with `weight_decay` each; at least one weight."""
        super().__init__(groups, lr=lr, fused=True)

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the weights."""
        gradients = [[weight.grad for weight in group["params"]] for group in self.param_groups]
        if closure is not None or any(each is None for group in gradients for each in group):
            self._forget()
            super().step(closure)
            return
        if self._known is None:
            super().step()
            self._known = self._groups()
            return
        with torch.no_grad():
            for group, own in zip(self._known, gradients, strict=True):
                self._move(group, own)

    def state_dict(self) -> dict[str, Any]:
        """As torch's."""
        self._settle_counts()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's."""
        self._forget()
        super().load_state_dict(state_dict)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch's."""
        self._forget()
        super().add_param_group(param_group)

    def _forget(self) -> None:
        self._settle_counts()
        self._known = None

    def _settle_counts(self) -> None:
        """Have every weight's state say how many steps it has taken, as torch would."""
        for group in self._known or ():
            for weight in group.weights:
                self.state[weight]["step"].copy_(group.counts[0])

    def _groups(self) -> list[_Group] | None:
        """None where torch's own way is the only one."""
        found = []
        for group in self.param_groups:
            weights = group["params"]
            states = [self.state[weight] for weight in weights]
            counts = [state["step"] for state in states]
            kinds = {(weight.device, weight.dtype) for weight in weights}
            if not weights or len(kinds) > 1 or len({float(count) for count in counts}) > 1:
                return None
            means, squares = [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]
            found.append(_Group(group, weights, means, squares, [counts[0].clone()] * len(counts)))
        return found

    @staticmethod
    def _move(group: _Group, gradients: list[Any]) -> None:
        settings = group.settings
        beta1, beta2 = settings["betas"]
        group.counts[0].add_(1)
        torch._fused_adamw_(
            group.weights,
            gradients,
            group.means,
            group.squares,
            [],
            group.counts,
            amsgrad=False,
            lr=settings["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=settings["weight_decay"],
            eps=settings["eps"],
            maximize=False,
        )
