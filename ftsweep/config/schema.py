"""The typed core of a sweep's configuration. The docstring under each field is its help text.

Component nodes (`model`, `data`, `general`, `task`, `strategy`, `executor`, `sampler`, `pruner`, `recording`, `report`,
`data`, `task` and `strategy` of every stage, and every guard) are open: the constructor that their `_target_` names is
their schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt

from ftsweep.domain.metric import Direction
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch

COMPONENT_GROUPS = ("model", "data", "task", "strategy", "executor", "sampler", "pruner", "recording", "report")
"""Config groups whose node is built by its `_target_`."""

GENERAL = "general"
"""The node of general text: a data source, for replay and for measuring what is forgotten."""

STAGES = "stages"
"""The node of what every trial does before its own training, by name and in order."""

GUARDS = "guards"
"""The node of checks: guards by name, each built by its `_target_`."""

STAGE_GROUPS = ("data", "task", "strategy")
"""The component nodes of a stage; its `training` is the fourth."""

TRIAL_NODES = ("model", STAGES, "data", GENERAL, "task", "strategy", "training", "rungs", "objective", "seed", GUARDS)
"""What of the configuration a trial depends on: exactly this is written to its spec.json."""

CORE_NODES = ("study", "store", "budget", "seed", "rungs", "objective", "selection", "training")
"""Nodes whose schema is a dataclass below."""

TOP_LEVEL_KEYS = (*CORE_NODES, *COMPONENT_GROUPS, GENERAL, STAGES, GUARDS, "space", "branches", "allow")
"""Everything that may stand at the top of a composed sweep."""

BRANCH_GROUPS = ("model", "task", "strategy")
"""Groups that a branch may choose; all others are the study's."""

SPACE_NODES = ("model", "task", "strategy", "training", STAGES)
"""Nodes whose keys may vary from trial to trial."""

BRANCH_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
"""What a branch may be called: like a study, but without the dot that separates it from a parameter's path."""


@dataclass(frozen=True)
class StudySettings:
    name: str
    """The study's name: its folder, its MLflow experiment and its registered model. Letters, digits, `.`, `_`, `-`."""
    enqueue: tuple[Mapping[str, Any], ...] = ()
    """Settings to try right after the default one: mappings from parameter name to value (dotted or nested)."""
    target: float | None = None
    """The study ends when a complete trial's objective is at least this good."""
    patience: Annotated[int, Ge(1)] | None = None
    """The study ends after so many trials in a row that are no better than the best one before them."""
    min_delta: Annotated[float, Ge(0)] = 0.0
    """With `patience`: a trial is better only by more than this."""
    extend: bool = False
    """Go on with a study whose space has changed: its trials that lie in the new space count, others are set aside."""


@dataclass(frozen=True)
class StoreSettings:
    path: str = "mlruns"
    """The folder of all that is kept: studies, databases, artifacts, cache. Relative to where the command runs. Or the
    address of an object store, `s3://bucket/prefix`: studies lie there, and a machine works in a folder of its own."""
    database: str | None = None
    """Where Optuna keeps trials: null is SQLite in the store; or `postgresql://user@host/name`, without a password."""
    cache_gib: Annotated[float, Ge(0)] | None = None
    """How large the cache may be after a run; what was not used for longest goes first. Null sets no limit."""


@dataclass(frozen=True)
class Budget:
    trials: Annotated[int, Ge(1)] = 12
    """How many trials the study makes, exactly; the baseline is not one of them."""
    wall_minutes: Annotated[float, Gt(0)] | None = None
    """The search and runs with fresh seeds end after this much wall time of one `ftsweep run`."""
    worker_hours: Annotated[float, Gt(0)] | None = None
    """The search ends once trials have trained for this long in total, runs with fresh seeds included."""
    disk_gib: Annotated[float, Gt(0)] | None = None
    """No new trial starts while the study's folder is larger than this; checkpoints of paused trials go first."""


@dataclass(frozen=True)
class SeedSettings:
    data: Annotated[int, Ge(0), Lt(2**32)] = 0
    """Splits, and with `model` the order of training examples."""
    model: Annotated[int, Ge(0), Lt(2**32)] = 0
    """New weights (heads, adapters), dropout, and with `data` the order of training examples and draws of few."""
    sampler: Annotated[int, Ge(0), Lt(2**32)] = 0
    """The sampler's proposals."""


@dataclass(frozen=True)
class RungSettings:
    count: Annotated[int, Ge(1)] = 10
    """At how many equal fractions of its own run a trial measures itself."""
    train_rows: Annotated[int, Ge(16)] | None = None
    """So many rows of train are measured there, 16 at least, always the same; null: as many as validation has."""


@dataclass(frozen=True)
class ObjectiveSettings:
    """The `objective` node as it may be written; the direction is the metric's own."""

    metric: str = "loss"
    split: str = "validation"
    direction: Direction = "minimize"


@dataclass(frozen=True)
class SelectionSettings:
    top: Annotated[int, Ge(1)] = 3
    """How many of the best trials race before one is chosen, beside the default setting."""
    seeds: Annotated[int, Ge(0)] = 3
    """How often each is run again at most, with a fresh seed for new weights and dropout; 0: chosen by the search."""
    budget: Annotated[float, Ge(0)] = 0.5
    """What all these runs may cost together, as a share of what the search's trials cost."""
    quantity: bool = False
    """Train the chosen setting on 25, 50 and 100 % of train too, and say whether more data would still help."""


@dataclass(frozen=True)
class TrainingSettings:
    learning_rate: Annotated[float, Gt(0)] = 2e-4
    """Peak learning rate."""
    batch_size: Annotated[int, Ge(1)] = 16
    """Examples per optimizer step (the effective batch)."""
    epochs: Annotated[float, Gt(0)] = 3
    """Passes over the training split; may be a fraction."""
    micro_batch_size: Annotated[int, Ge(1)] | None = None
    """Examples per forward pass; null starts at batch_size and halves when memory runs out."""
    warmup: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Fraction of the run over which the rate rises linearly to its peak."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls after warm-up: to zero linearly, as half a cosine, or not at all."""
    weight_decay: Annotated[float, Ge(0)] = 0.0
    """AdamW's decoupled weight decay; biases and norms are not decayed."""
    l2_sp: Annotated[float, Ge(0)] = 0.0
    """Pull of trained weights back to the base's (L2-SP): half of this times their squared distance, in the loss."""
    kl_to_base: Annotated[float, Ge(0)] = 0.0
    """Pull of answers back to the base's: this times KL(base to model) per supervised token, in the loss."""
    max_grad_norm: Annotated[float, Gt(0)] | None = 1.0
    """Clip the gradient to this L2 norm; null does not clip."""
    patience: Annotated[int, Ge(1)] | None = None
    """End the trial (as complete) after this many rungs without a better objective; null trains to the end."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of forward and backward: auto is bfloat16 autocast on CUDA and float32 elsewhere."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    compile: bool = False
    """Compile training passes with torch.compile: about a minute before the first step, then fewer calls in each."""
    replay: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Fraction of general text in the training mix, for tasks that predict text: less is forgotten."""


@dataclass(frozen=True)
class SweepConfig:
    """A whole sweep, composed, resolved and checked. Component nodes stay mappings until something builds them."""

    study: StudySettings
    store: StoreSettings
    budget: Budget
    seed: SeedSettings
    rungs: RungSettings
    objective: Objective
    selection: SelectionSettings
    branches: tuple[Branch, ...]
    """At least one; a sweep without branches has one named ""."""
    executor: Mapping[str, Any]
    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any]
    recording: Mapping[str, Any]
    report: Mapping[str, Any]
    allowed_packages: tuple[str, ...] = ()
    """Packages beside `ftsweep` that a `_target_` may name, as the sweep file's `allow` lists them."""
    search_folders: tuple[Path, ...] = ()
    """Folders put on the import path for user components: the sweep file's own."""
    sweep_file: str = ""
    overrides: tuple[str, ...] = ()
    """The command line's, as they came; paths are absolute."""
    composed: Mapping[str, Any] = field(default_factory=dict)
    """The composed tree as `ftsweep show` prints it."""
