"""IA3 (Liu et al. 2022, arXiv 2205.05638) through PEFT: learned factors on keys, values and the feed-forward input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ftsweep.errors import ConfigError
from ftsweep.strategies.adapters import (
    ADAPTER,
    PeftStrategy,
    checked_names,
    linear_layers,
    matching_layers,
    other_modules,
    stores_transposed,
    task_type,
)
from ftsweep.strategies.base import fresh_modules

if TYPE_CHECKING:
    import torch
    from peft import IA3Config
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head
    from ftsweep.strategies.distance import Distance

AUTO = "auto"


class Ia3(PeftStrategy):
    """One factor per feature of chosen linear layers trains, and a new head in full; all factors start at 1."""

    starts_as_base = True
    is_scalable = True
    merges: ClassVar[bool] = True
    names_layers = True  # with `auto` too: PEFT knows the layers of some architectures only

    def __init__(
        self,
        *,
        targets: Literal["auto"] | Sequence[str] = AUTO,
        feedforward: Sequence[str] | None = None,
    ) -> None:
        """`targets` auto are the keys, values and feed-forward outputs that PEFT knows of the architecture.

        `feedforward` names those of the targets whose inputs are scaled and not their outputs.
        """
        is_auto = isinstance(targets, str) and targets == AUTO
        if is_auto and feedforward is not None:
            raise ConfigError(
                "is known where the targets are, and only to be named with them",
                where="strategy.feedforward",
                remedy="Leave it null, or name strategy.targets too.",
            )
        self.targets = AUTO if is_auto else checked_names(targets, where="strategy.targets", instead=AUTO)
        names = checked_names(feedforward, where="strategy.feedforward", instead="null") if feedforward else ()
        self.feedforward = names

    def check_base(self, base: PreTrainedModel, head: Head) -> None:
        self._layers(base, linear_layers(base, fresh_modules(base, head)))

    def peft_config(self, base: PreTrainedModel, head: Head, fresh: Mapping[str, nn.Module]) -> IA3Config:
        from peft import IA3Config

        linear = linear_layers(base, fresh)
        targets, feedforward = self._layers(base, linear)
        return IA3Config(
            task_type=task_type(head),
            target_modules=targets,
            feedforward_modules=feedforward,
            modules_to_save=other_modules(fresh),
            fan_in_fan_out=stores_transposed([linear[name] for name in targets]),
        )

    def decays(self, name: str, weight: nn.Parameter) -> bool:
        """The factors rest at 1: decay would pull them to 0, and with them what they scale."""
        return super().decays(name, weight) and ".ia3_l." not in name

    def rescale(self, model: PreTrainedModel, head: Head, scale: float, start: Mapping[str, Tensor]) -> None:
        from ftsweep.strategies.rescale import rescale_ia3

        rescale_ia3(model, scale)

    def distances(self, model: PreTrainedModel, head: Head) -> list[Distance]:
        from peft.tuners.ia3 import IA3Layer

        return [_distance_of(layer) for layer in model.modules() if isinstance(layer, IA3Layer)]

    def _layers(self, base: PreTrainedModel, linear: Mapping[str, nn.Module]) -> tuple[list[str], list[str]]:
        """Full names of the layers that are scaled, and of those among them whose input is."""
        if isinstance(self.targets, str):
            targets, feedforward = _known_layers(base, linear)
            return matching_layers(targets, linear, where="strategy"), matching_layers(
                feedforward, linear, where="strategy"
            )
        scaled = matching_layers(self.targets, linear, where="strategy.targets")
        inputs = matching_layers(self.feedforward, linear, where="strategy.feedforward")
        for name in inputs:
            if name not in scaled:
                raise ConfigError(
                    f"{name!r} is not among the targets",
                    where="strategy.feedforward",
                    remedy="Name it in strategy.targets too.",
                )
        return scaled, inputs


def _known_layers(base: PreTrainedModel, linear: Mapping[str, nn.Module]) -> tuple[list[str], list[str]]:
    """What PEFT scales in this architecture, by the last parts of names."""
    from peft.utils.constants import (
        TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as FEEDFORWARD,
    )
    from peft.utils.constants import (
        TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as TARGETS,
    )

    kind = base.config.get_text_config().model_type
    absent = [name for name in TARGETS.get(kind, ()) if not any(f".{layer}".endswith(f".{name}") for layer in linear)]
    if kind not in TARGETS or absent:  # experts were linear layers once
        what = f"of a {kind!r} model PEFT scales {', '.join(absent)} in IA3, which is no linear layer here"
        names = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
        raise ConfigError(
            what if absent else f"PEFT does not know which layers of a {kind!r} model IA3 scales",
            where="strategy.targets",
            remedy=f"Name them, and strategy.feedforward among them. This model has: {names}.",
        )
    return TARGETS[kind], FEEDFORWARD[kind]


def _distance_of(layer: Any) -> Distance:
    """The squared distance of the scaled weight and bias from the unscaled ones: each factor moves one row (column)."""
    base = layer.get_base_layer()
    weight: torch.Tensor = base.weight.detach().float()
    weight = weight.T if stores_transposed([base]) else weight
    sizes = weight.square().sum(dim=0 if layer.is_feedforward else 1)
    if base.bias is not None and not layer.is_feedforward:
        sizes = sizes + base.bias.detach().float().square()
    return lambda: ((layer.ia3_l[ADAPTER].flatten() - 1).square() * sizes).sum()
