"""QLoRA (Dettmers et al. 2023, arXiv 2305.14314): low-rank adapters on a base that is held in 4 bits."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import ClassVar, Literal

from ftsweep.errors import ConfigError, MissingExtraError
from ftsweep.models.base import Quantisation
from ftsweep.strategies.lora import ALL_LINEAR, Lora


class QLora(Lora):
    """LoRA whose frozen base is held as 4-bit NormalFloat, with double quantisation. Needs a CUDA device."""

    merges: ClassVar[bool] = False
    quantisation: Quantisation | None = "nf4"

    def __init__(
        self,
        *,
        rank: int = 16,
        alpha: float | None = None,
        dropout: float = 0.0,
        targets: Literal["all-linear"] | Sequence[str] = ALL_LINEAR,
        rslora: bool = False,
    ) -> None:
        """The settings mean what they mean in LoRA."""
        super().__init__(rank=rank, alpha=alpha, dropout=dropout, targets=targets, rslora=rslora)

    def check_machine(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise ConfigError(
                "a 4-bit base needs a CUDA device, and this machine has none",
                where="strategy",
                remedy="Choose strategy=lora, or run it where there is one.",
            )
        if find_spec("bitsandbytes") is None:
            raise MissingExtraError("bitsandbytes", "qlora", purpose="strategy=qlora")
