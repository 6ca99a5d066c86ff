"""What a strategy promises: which weights train, and what of them is kept. Torch is imported inside methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ftsweep.domain.component import Component
from ftsweep.domain.role import Role
from ftsweep.errors import ConfigError
from ftsweep.models.base import LANGUAGE_HEADS
from ftsweep.models.inner import transformers_model

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.config.schema import TrainingSettings
    from ftsweep.models.base import Head, Quantisation
    from ftsweep.strategies.distance import Distance
    from ftsweep.tasks.base import Task


class Strategy(Component, ABC):
    """How a model is fine-tuned. The constructor's keyword-only arguments are the schema of the `strategy` node."""

    component_kind = "strategy"

    changes_base: ClassVar[bool]
    """Whether training writes into the base's own weights (full), so that they must be put back after the trial."""

    trains: ClassVar[bool] = True
    """Whether any weight changes. One that trains none (few_shot) is measured once, and takes no training setting."""

    is_reference: ClassVar[bool] = False
    """Whether it is a baseline that strategies which train more should beat (few_shot, head)."""

    takes_few: ClassVar[bool] = False
    """Whether it learns from k examples of train, so that parts of train tell nothing of it."""

    run: ClassVar[str] = "ftsweep.training.trial:TrialRun"
    """What trains a trial of it, as `module:Class`: see `ftsweep.training.runs.choice`. Loaded by workers alone."""

    starts_as_base: bool = False
    """Whether `apply` leaves the model's answers as they were, but for a new head drawn first of all. Then what is
    measured before training is the same for all settings of the strategy, and is measured once."""

    has_frozen_body: ClassVar[bool] = False
    """Whether nothing of the backbone trains, so that its features are the same for all trials."""

    @property
    def num_trained_layers(self) -> int | None:
        """How many of the last layers train while all below them stay as they are and run in eval mode; None where the
        model is not cut so."""
        return None

    exports_whole: ClassVar[bool] = False
    """Whether a chosen model is exported as a whole transformers model, and not as an adapter on its base."""

    merges: ClassVar[bool] = False
    """Whether `merged` can make a whole model of one whose base trains beside an adapter: what a stage needs, and an
    export whose base is a stage's result."""

    moves_weights: ClassVar[bool] = True
    """Whether training changes the pre-trained weights in effect, so that they have a distance from the base."""

    quantisation: Quantisation | None = None
    """How the base is held while it is frozen; None in its own type."""

    num_virtual_tokens: int = 0
    """Positions of the model's input that the strategy takes for itself."""

    is_scalable: bool = False
    """Whether the trained change can be made smaller (`rescale`), down to what training started from."""

    names_layers: bool = False
    """Whether settings name layers of the model, so that `check_base` must see it before the first trial."""

    @property
    def role(self) -> Role:
        """What it is to the other strategies of a study."""
        return Role(self.trains, self.is_reference, self.takes_few)

    def head_for(self, task: Task) -> Head:
        """The head that the base is loaded with."""
        return task.head

    def check_task(self, task: Task) -> None:
        """Raise ConfigError when the strategy cannot serve this task. Called without a model, and without torch."""

    def check_data(self, task: Task, tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]) -> None:
        """Raise ConfigError when a setting does not fit what train has. Called by workers, when data are prepared."""

    def check_training(self, task: Task, training: TrainingSettings) -> None:
        """Raise ConfigError for a training setting that the strategy cannot honour; without a model or torch."""
        if training.l2_sp > 0 and (self.has_frozen_body or not self.moves_weights):
            raise ConfigError(
                "this strategy changes no pre-trained weight that could be pulled back to the base",
                where="training.l2_sp",
                remedy="Leave it 0, or choose strategy=full, top_layers or lora.",
            )
        if training.kl_to_base > 0 and not task.takes_text:
            held = "its losses hold it to the base already" if task.needs_reference else "its head is new"
            raise ConfigError(
                f"the base has no answers to this task that the model could be held to: {held}",
                where="training.kl_to_base",
                remedy="Leave it 0 (training.l2_sp works with a new head), or choose a task of next tokens.",
            )

    def check_machine(self) -> None:
        """Raise ConfigError or MissingExtraError when this machine cannot train so. Called by workers alone."""

    def check_base(self, base: PreTrainedModel, head: Head) -> None:
        """Raise ConfigError when the settings name what this model has not."""

    def rate_factors(self, model: PreTrainedModel) -> Mapping[str, float]:
        """Factors on the learning rate by name of a trained parameter; 1 for those that are not named."""
        return {}

    def decays(self, name: str, weight: nn.Parameter) -> bool:
        """Whether a trained weight is held small by `training.weight_decay`: matrices, but no biases and norms."""
        return weight.ndim >= 2 and not name.endswith("bias")

    def set_training(self, model: PreTrainedModel) -> None:
        """Put what trains into training mode (dropout)."""
        model.train()

    @abstractmethod
    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        """Make the model that trains: adapters added, `requires_grad` set on exactly what trains.

        New weights, those of a new head among them, are drawn from torch's current generator: one seed, one start,
        however many trials the base has served before. Raises ConfigError when the model has no such modules.
        """

    @abstractmethod
    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        """The inverse of `apply`: the base without adapters, its own head back, nothing that trains.

        Changed base weights (`changes_base`) are put back by the caller.
        """

    def measuring(self, model: PreTrainedModel, autocast: torch.dtype | None = None) -> AbstractContextManager[None]:
        """A block in which the model only answers, and its weights stay as they are: what makes answers cheaper.

        `autocast`: the type that passes are computed in; None where that is the weights' own.
        """
        return nullcontext()

    def training_pass(
        self, model: PreTrainedModel, autocast: torch.dtype | None
    ) -> Callable[[], AbstractContextManager[None]]:
        """Makes blocks, each around one forward pass of which a gradient is taken: what makes it cheaper."""
        return nullcontext

    def merged(self, model: PreTrainedModel) -> PreTrainedModel:
        """A whole transformers model that answers as `model` does. The base is spent by it, and must be loaded anew."""
        return model

    def rescale(self, model: PreTrainedModel, head: Head, scale: float, start: Mapping[str, Tensor]) -> None:
        """Scale what training changed of a model that `restore` made; 1 leaves it, 0 takes it back. A new head stays.

        Of a strategy that is scalable. `start` holds the base's own weights by name where `changes_base`.
        """

    @abstractmethod
    def save(self, model: PreTrainedModel, folder: Path) -> None:
        """Write what training changed, as safetensors, in the format of PEFT or transformers."""

    @abstractmethod
    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        """Load what `save` wrote into a model that `apply` made."""

    def exported(self, folder: Path) -> Path:
        """Where, in a folder that `save` wrote, the files of a single model lie."""
        return folder

    def predict(
        self,
        model: PreTrainedModel,
        task: Task,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """Answers of a model that `restore` made: as the task gives them, unless the strategy asks in its own way."""
        with self.measuring(model):
            return task.predict(model, tokenizer, schema, rows, batch_size)

    def distances(self, model: PreTrainedModel, head: Head) -> list[Distance]:
        """How far what trains has moved from the base (`training.l2_sp`); called before the first step.

        The squared Euclidean distance is the sum of all these functions; a new head has no part in it.
        """
        from ftsweep.strategies.distance import weight_distances

        return weight_distances(model, fresh_modules(model, head))

    def base_answers(self, model: PreTrainedModel) -> Callable[[], AbstractContextManager[PreTrainedModel]]:
        """A way to what the base answers while the model trains (`training.kl_to_base`): a context that gives it.

        Called before the first step. By default it is a frozen copy, which costs the model's memory once more.
        """
        copy = deepcopy(model).requires_grad_(False).eval()
        return lambda: nullcontext(copy)


def check_length(strategy: Strategy, task: Task, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ConfigError when the model has no positions for the task's longest input behind the virtual tokens."""
    limit, taken = tokenizer.model_max_length, strategy.num_virtual_tokens
    if taken and task.max_length + taken > limit:
        raise ConfigError(
            f"{taken} virtual tokens and inputs of {task.max_length} tokens are more than this model's {limit}",
            where="strategy.num_virtual_tokens",
            remedy=f"Use task.max_length={limit - taken} or less, or fewer virtual tokens.",
        )


def parameter_groups(model: PreTrainedModel, strategy: Strategy, weight_decay: float) -> list[dict[str, Any]]:
    """Optimizer groups of exactly what trains, each with its `rate_factor` and the decay that the strategy gives it."""
    factors = strategy.rate_factors(model)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_kept = not strategy.decays(name, parameter)
            groups.setdefault((factors.get(name, 1.0), is_kept), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": 0.0 if is_kept else weight_decay, "rate_factor": factor}
        for (factor, is_kept), parameters in sorted(groups.items(), key=lambda group: (-group[0][0], group[0][1]))
    ]


def start_checkpointing(model: PreTrainedModel) -> None:
    """Recompute activations in the backward pass, for a model that `apply` made; `remove` ends it."""
    inner = transformers_model(model)
    inner.activation_checkpointing_enable({"use_reentrant": False})
    # Non-reentrant checkpoints pass gradients on although the embeddings are frozen. The hook that transformers puts
    # on them for reentrant ones is not needed, and is not taken off when checkpointing ends.
    inner.disable_input_require_grads()


def end_checkpointing(base: Any) -> None:
    """Undo `start_checkpointing`, if it was called."""
    if base.is_activation_checkpointing:
        base.activation_checkpointing_disable()


def fresh_modules(base: PreTrainedModel, head: Head) -> dict[str, nn.Module]:
    """Modules by name whose weights no checkpoint brought: a new head, sometimes a pooler.

    Loading marks every parameter it reads, so the unmarked ones are new; of a model that was never loaded all that
    lies outside of its backbone counts. A new module outside of the backbone is named as a whole (`classifier`). Of a
    language model none, but for the layers of a drawn head for masked words, without its output layer.
    """
    loaded = any(_is_loaded(parameter) for parameter in base.parameters())
    if head in LANGUAGE_HEADS:
        return _drawn_language_layers(base) if loaded and head == "masked_lm" else {}
    names = set()
    for name, _parameter in ((n, p) for n, p in base.named_parameters() if not (loaded and _is_loaded(p))):
        top = name.partition(".")[0]
        if top != base.base_model_prefix:
            names.add(top)
        elif loaded:
            names.add(name.rpartition(".")[0])
    return {name: base.get_submodule(name) for name in sorted(names)}


def _drawn_language_layers(base: PreTrainedModel) -> dict[str, nn.Module]:
    output = base.get_output_embeddings()  # tied to the input embeddings: drawing it would draw these
    names = sorted({name.rpartition(".")[0] for name, weight in base.named_parameters() if not _is_loaded(weight)})
    modules = {name: base.get_submodule(name) for name in names}
    return {name: module for name, module in modules.items() if all(part is not output for part in module.modules())}


def redraw_fresh_modules(base: PreTrainedModel, head: Head) -> None:
    """Give a new head new weights, as the model itself draws them, from torch's current generator."""
    import torch

    fresh = fresh_modules(base, head)
    with torch.no_grad():
        for module in fresh.values():
            for part in module.modules():
                base._init_weights(part)
        if fresh:
            base._init_weights(base)  # some architectures draw their head when they reach the whole model


def _is_loaded(parameter: nn.Parameter) -> bool:
    return getattr(parameter, "_is_hf_initialized", False)
