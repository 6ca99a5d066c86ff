"""Going on with a study whose space has changed: which of its trials lie in the new one, and the change without a gap.

`extension.json` in the study's folder is written when the new Optuna study is whole, and decides from then on. What is
left to do after it (folders, the old Optuna study) is done by every run until it is done.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.analysis.comparison import kept_trials
from ftsweep.config.schema import SweepConfig
from ftsweep.data.base import SPLITS
from ftsweep.domain.space import Branch, value_at
from ftsweep.domain.trial import Proposal, TrialRecord
from ftsweep.errors import ConfigError
from ftsweep.search.storage.extend import drop, optuna_name, take_over
from ftsweep.store.atomic import read_json, remove, understood, write_json
from ftsweep.store.folders import StudyFolder

_LOGGER = logging.getLogger(__name__)

_INCOMPARABLE = re.compile(r"(objective|rungs|seed|branches\.[^.]+\.config\.(data|general|guards))(\.|$)")
"""Settings whose change makes values that cannot be compared with earlier ones."""

_FREE = ("guards.fit", *(f"{node}.{split}" for node in ("data", "general") for split in SPLITS))
"""Settings that change nothing in a trial."""


@dataclass(frozen=True)
class Extension:
    """How a study's space has changed so far."""

    generation: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What must not change, as it is since the last change; {}: nothing has changed, the study's own facts hold."""
    set_aside: Mapping[str, str] = field(default_factory=dict)
    """Trials that do not lie in the space, by number, each with the reason."""
    again: tuple[int, ...] = ()
    """Trials that lead now and whose weights were removed: they are run again."""
    num_kept: int = 0
    """How many trials the study had in the new space when it changed last."""
    is_settled: bool = True

    @classmethod
    def read(cls, folder: StudyFolder) -> Extension:
        file = _file(folder)
        if not file.exists():
            return cls()
        with understood(file):
            stored = cls(**read_json(file))
            return cls(**{**asdict(stored), "again": tuple(stored.again)})

    def write(self, folder: StudyFolder) -> None:
        write_json(_file(folder), asdict(self))

    @property
    def text(self) -> str:
        """What became of the trials, for a person; "" before any change."""
        if self.generation == 1:
            return ""
        gone = "".join(f" Trial {number} was set aside: {why}." for number, why in self.set_aside.items())
        again = f" Run again, for their weights were removed: {', '.join(map(str, self.again))}." if self.again else ""
        count = "1 earlier trial lies" if self.num_kept == 1 else f"{self.num_kept} earlier trials lie"
        return f"The space has changed; {count} in it.{gone}{again}"


def is_about_space(changes: Sequence[str]) -> bool:
    """Whether a changed space is all that keeps earlier trials from being compared."""
    names = [change.partition(" ")[0] for change in changes]
    return any(".space." in name for name in names) and not any(map(_INCOMPARABLE.match, names))


def check_extendable(changes: Sequence[str], name: str, where: Path) -> None:
    """Refuse a change after which values could not be compared.

    Raises:
        ConfigError: the objective, the rungs, a seed or the data has changed.
    """
    wrong = [change for change in changes if _INCOMPARABLE.match(change.partition(" ")[0])]
    if not wrong:
        return
    about = (
        ""
        if not any(change.startswith("objective") for change in wrong)
        else (" Another metric was measured as well, but the weights that were kept are the best by the old one.")
    )
    raise ConfigError(
        f"study {name!r} cannot be extended: its trials cannot be compared with those after this change: "
        + "; ".join(wrong[:6]),
        where=str(where),
        remedy=f"Put it back, or give this run a name of its own with study.name=...{about}",
    )


def changed_data(known: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """The labels whose data is not what it was. A branch that is new has none to compare; one of them must be known."""
    shared = found.keys() & known.keys()
    if not shared and not set(found.values()) <= set(known.values()):  # all branches were renamed
        return list(found)
    return [label for label in found if label in shared and known[label] != found[label]]


def extend(config: SweepConfig, folder: StudyFolder, facts: Mapping[str, Any]) -> Extension:
    """Take the trials that lie in the new space over into it; `facts` is what must not change from now on.

    A kill before this returns changes nothing.

    Raises:
        ConfigError: no trial lies in the new space.
    """
    earlier = Extension.read(folder)
    _move_aside(folder, earlier)  # that change may have been killed before it came to this
    kept, aside = _sort(folder, config.branches)
    if not kept:
        number, why = next(iter(aside.items()))
        raise ConfigError(
            f"none of the {len(aside)} trials of study {config.study.name!r} lies in the new space (trial {number}: "
            f"{why})",
            where="study.extend",
            remedy="There is nothing to go on with: give this run a name of its own with study.name=...",
        )
    records = [
        TrialRecord(kept[record.number], record.measurements, record.outcome)
        for record in folder.records()
        if record.number in kept
    ]
    again = _without_weights(config, folder, records)
    extension = Extension(
        earlier.generation + 1,
        facts,
        {**earlier.set_aside, **{str(number): why for number, why in aside.items()}},
        tuple(sorted(again)),
        num_kept=len(kept),
        is_settled=False,
    )
    names = [optuna_name(config.study.name, generation) for generation in (earlier.generation, extension.generation)]
    take_over(
        folder.store.optuna_database,
        names[0],
        names[1],
        config.objective,
        config.branches,
        config.rungs.count,
        kept,
        again,
    )
    extension.write(folder)
    _LOGGER.info("%s", extension.text)
    return extension


def settle(config: SweepConfig, folder: StudyFolder, extension: Extension) -> None:
    """Bring folders and database in line with the extension; done once, and again after a kill in the middle."""
    if extension.is_settled:
        return
    _move_aside(folder, extension)
    for number in extension.again:
        remove(folder.trial(number).path)
    for number, proposal in _sort(folder, config.branches)[0].items():
        trial = folder.trial(number)
        spec = trial.spec()
        own = {"branch": proposal.branch, "params": dict(proposal.params), "is_default": proposal.is_default}
        if any(spec[key] != value for key, value in own.items()):
            write_json(trial.spec_file, {**spec, **own})
    result = folder.path / "result.json"
    if result.exists():
        write_json(result, {**read_json(result), "num_trials": 0})  # it is about other trials
    earlier = range(1, extension.generation)
    drop(folder.store.optuna_database, [optuna_name(config.study.name, number) for number in earlier])
    Extension(**{**asdict(extension), "again": extension.again, "is_settled": True}).write(folder)


def _move_aside(folder: StudyFolder, extension: Extension) -> None:
    for number in extension.set_aside:
        source = folder.trial(int(number)).path
        if source.exists():
            target = folder.path / "set_aside" / source.name
            target.parent.mkdir(exist_ok=True)
            os.replace(source, target)


def _file(folder: StudyFolder) -> Path:
    return folder.path / "extension.json"


def _sort(folder: StudyFolder, branches: Sequence[Branch]) -> tuple[dict[int, Proposal], dict[int, str]]:
    """The trials that lie in the space of a branch, as proposals of it; of the others, why they do not."""
    kept, aside = {}, {}
    for trial in folder.trials():
        if not trial.spec_file.exists():
            continue
        spec = trial.spec()
        found = _placed(spec, branches)
        if isinstance(found, Proposal):
            kept[found.number] = found
        else:
            aside[int(spec["number"])] = found
    return kept, aside


def _placed(spec: Mapping[str, Any], branches: Sequence[Branch]) -> Proposal | str:
    """A trial as a proposal of the branch that it lies in, its own by name first; or why it lies in none."""
    reasons = []
    for branch in sorted(branches, key=lambda branch: branch.name != spec["branch"]):
        why = _why_outside(spec["config"], branch)
        if why is None:
            params = {branch.param_name(path): value_at(spec["config"], path) for path in branch.space.dimensions}
            is_default = params == branch.default_params()
            return Proposal(int(spec["number"]), branch.name, params, is_default)
        reasons.append(why)
    return reasons[0]


def _why_outside(config: Mapping[str, Any], branch: Branch) -> str | None:
    for path, dimension in branch.space.dimensions.items():
        try:
            value = value_at(config, path)
        except (KeyError, TypeError):
            return f"it has no {path}"
        if not dimension.contains(value):
            shown = f"{value:.6g}" if isinstance(value, float) else value
            return f"{path}={shown} lies outside {dimension}"
    own, new = _leaves(config), _leaves(json.loads(json.dumps(branch.config, default=list)))
    for path in sorted(own.keys() | new.keys()):
        if own.get(path) != new.get(path) and not _is_in(path, branch) and not path.startswith(_FREE):
            return f"its {path} is {own.get(path)}, not {new.get(path)}"
    return None


def _is_in(path: str, branch: Branch) -> bool:
    """Whether a leaf belongs to a dimension of the branch's space."""
    return any(path == name or path.startswith(f"{name}.") for name in branch.space.dimensions)


def _leaves(node: Any, place: str = "") -> dict[str, Any]:
    if not isinstance(node, Mapping) or not node:
        return {place: node}
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= _leaves(value, f"{place}.{key}" if place else str(key))
    return found


def _without_weights(config: SweepConfig, folder: StudyFolder, records: Sequence[TrialRecord]) -> frozenset[int]:
    """Complete trials that may be chosen now and whose weights went when others led."""
    needed = kept_trials(records, config.objective, top=config.selection.top)
    return frozenset(
        record.number
        for record in records
        if record.number in needed
        and record.outcome is not None
        and record.is_complete
        and record.outcome.extra.get("num_trained_parameters")
        and not folder.trial(record.number).best.exists()
    )
