"""How a model is fine-tuned: what `_target_` may name in a `strategy` node. Torch is imported in methods only."""

from typing import TYPE_CHECKING

from ftsweep.exports import lazy_exports

if TYPE_CHECKING:
    from ftsweep.strategies.base import Strategy
    from ftsweep.strategies.few_shot import FewShot
    from ftsweep.strategies.few_shot_tuned import FewShotTuned
    from ftsweep.strategies.full import Full
    from ftsweep.strategies.head import LinearProbe
    from ftsweep.strategies.head_then_full import HeadThenFull
    from ftsweep.strategies.ia3 import Ia3
    from ftsweep.strategies.lora import Lora
    from ftsweep.strategies.prefix_tuning import PrefixTuning
    from ftsweep.strategies.prompt_tuning import PromptTuning
    from ftsweep.strategies.qlora import QLora
    from ftsweep.strategies.top_layers import TopLayers

__all__ = [
    "FewShot",
    "FewShotTuned",
    "Full",
    "HeadThenFull",
    "Ia3",
    "LinearProbe",
    "Lora",
    "PrefixTuning",
    "PromptTuning",
    "QLora",
    "Strategy",
    "TopLayers",
]

__getattr__ = lazy_exports(
    __name__,
    FewShot="few_shot",
    FewShotTuned="few_shot_tuned",
    Full="full",
    HeadThenFull="head_then_full",
    Ia3="ia3",
    LinearProbe="head",
    Lora="lora",
    PrefixTuning="prefix_tuning",
    PromptTuning="prompt_tuning",
    QLora="qlora",
    Strategy="base",
    TopLayers="top_layers",
)
