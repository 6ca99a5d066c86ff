"""Fine-tuning on few examples: another strategy, trained on the same draws that `few_shot` puts into its prompts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ftsweep.data.subsets.draws import Draws, Per
from ftsweep.errors import ConfigError
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.text import Text

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.config.schema import TrainingSettings
    from ftsweep.models.base import Head
    from ftsweep.strategies.distance import Distance
    from ftsweep.tasks.base import Task

OWN = frozenset({"run", "takes_few", "is_reference"})
"""What it says of itself and not as its inner strategy does."""

DRAW = "draw-{:03d}"
"""The folder of one draw's weights, in what is kept of a trial."""


class FewShotTuned(Strategy):
    """`inner` trains on k examples at a time, from the same start for every draw; a trial's value is the mean of draws.

    Each draw is trained for `training.epochs` over its examples and measured once, at the end.

    Args:
        inner: the strategy that trains (lora, head, top_layers, full).
        k: examples; of every label, or in all (`per`).
        per: `class` or `total`; null is class for classification and total for other tasks.
        draws: how many different draws are trained and measured.
        draw: the number of the first one.
    """

    changes_base: bool  # type: ignore[misc]  # this and all else but `OWN` is as of the inner one
    takes_few: ClassVar[bool] = True
    run: ClassVar[str] = "ftsweep.training.runs.drawn:DrawnRun"

    def __init__(
        self,
        *,
        inner: Strategy,
        k: int = 4,
        per: Literal["class", "total"] | None = None,
        draws: int = 5,
        draw: int = 0,
    ) -> None:
        Draws(k=k, per=per or "total", num=draws, first=draw)
        if k == 0:
            remedy = "Use 1 or more; without examples there is few_shot."
            raise ConfigError("there is nothing to train on with k = 0", where="strategy.k", remedy=remedy)
        if not isinstance(inner, Strategy) or inner.run != Strategy.run:
            what = f"{type(inner).__name__} cannot train on draws"
            raise ConfigError(what, where="strategy.inner", remedy="Choose lora, head, top_layers or full.")
        self.inner = inner
        self.k, self.per, self.num_draws, self.draw = k, per, draws, draw
        for name in set(Strategy.__annotations__) - OWN:
            setattr(self, name, getattr(inner, name))
        self.folders: list[Path] = []
        """Where each draw's weights were written, in the order of draws, for `save`."""

    def draws_for(self, task: Task) -> Draws:
        """The draws of this task's examples: those of `few_shot` with the same settings."""
        per: Per = self.per or ("class" if _has_classes(task) else "total")
        return Draws(k=self.k, per=per, num=self.num_draws, first=self.draw)

    def check_task(self, task: Task) -> None:
        if isinstance(task, Text):
            raise ConfigError("rows are drawn, and an example of text holds pieces of several", where="strategy")
        if self.per == "class" and not _has_classes(task):
            what = f"{type(task).__name__} has no classes to draw from"
            raise ConfigError(what, where="strategy.per", remedy="Use strategy.per=total.")
        self.inner.check_task(task)

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        """Write every draw's weights, each in a folder of its own; those of the model where no draws were made."""
        if not self.folders:
            self.inner.save(model, folder)
        for draw in self.folders:
            shutil.copytree(draw, folder / draw.name)

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        """Load the first draw's weights, or those of a single model."""
        self.inner.restore(model, self.exported(folder))

    def exported(self, folder: Path) -> Path:
        """The first draw's folder; `folder` itself where a single model was written."""
        return self.inner.exported((draw_folders(folder) or [folder])[0])

    # -- as the inner strategy ------------------------------------------------------------------------------------

    def head_for(self, task: Task) -> Head:
        return self.inner.head_for(task)

    def check_data(self, task: Task, tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]) -> None:
        self.inner.check_data(task, tokenizer, schema)

    def check_training(self, task: Task, training: TrainingSettings) -> None:
        self.inner.check_training(task, training)

    def check_machine(self) -> None:
        self.inner.check_machine()

    def check_base(self, base: PreTrainedModel, head: Head) -> None:
        self.inner.check_base(base, head)

    def rate_factors(self, model: PreTrainedModel) -> Mapping[str, float]:
        return self.inner.rate_factors(model)

    def decays(self, name: str, weight: nn.Parameter) -> bool:
        return self.inner.decays(name, weight)

    def set_training(self, model: PreTrainedModel) -> None:
        self.inner.set_training(model)

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        return self.inner.apply(base, head)

    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        return self.inner.remove(model)

    def merged(self, model: PreTrainedModel) -> PreTrainedModel:
        return self.inner.merged(model)

    def rescale(self, model: PreTrainedModel, head: Head, scale: float, start: Mapping[str, Tensor]) -> None:
        self.inner.rescale(model, head, scale, start)

    def predict(
        self,
        model: PreTrainedModel,
        task: Task,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        return self.inner.predict(model, task, tokenizer, schema, rows, batch_size)

    def distances(self, model: PreTrainedModel, head: Head) -> list[Distance]:
        return self.inner.distances(model, head)

    def base_answers(self, model: PreTrainedModel) -> Callable[[], AbstractContextManager[PreTrainedModel]]:
        return self.inner.base_answers(model)


def draw_folders(folder: Path) -> list[Path]:
    """The folders of draws in what `save` wrote, in their order."""
    return sorted(path for path in folder.glob("draw-*") if path.is_dir())


def _has_classes(task: Task) -> bool:
    return task.label_shape == "example" and task.label_type == "int"
