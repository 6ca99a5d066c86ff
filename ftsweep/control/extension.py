"""Going on with a study whose space has changed: which trials lie in the new one, and the change without a gap.

The study's manifest is written when the new Optuna study is whole, and decides from then on. What is left to do after
it (folders, the old Optuna study) is done by every run until it is done.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftsweep.analysis.comparison import kept_trials
from ftsweep.config.schema import SweepConfig
from ftsweep.control.database import study_database
from ftsweep.domain.space import Branch, leaves, value_at
from ftsweep.domain.terms import FREE, is_moved
from ftsweep.domain.trial import Proposal, TrialRecord
from ftsweep.errors import ConfigError
from ftsweep.search.storage.extend import drop, take_over
from ftsweep.store.atomic import remove, write_json
from ftsweep.store.folders import StudyFolder
from ftsweep.store.manifest import Extension, StudyManifest
from ftsweep.store.result import read_result, write_result

_LOGGER = logging.getLogger(__name__)


def extend(config: SweepConfig, folder: StudyFolder, manifest: StudyManifest) -> Extension:
    """Take the trials that lie in the new space over into it.

    `manifest` is that of the study from now on, but for the extension: it has that of before. A kill before this
    returns changes nothing.

    Raises:
        ConfigError: no trial lies in the new space.
    """
    earlier = manifest.extension
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
        {**earlier.set_aside, **{str(number): why for number, why in aside.items()}},
        tuple(sorted(again)),
        num_kept=len(kept),
        is_settled=False,
    )
    database, name, num_rungs = study_database(config, folder), config.study.name, config.rungs.count
    take_over(database, name, earlier.generation, config.objective, config.branches, num_rungs, kept, again)
    replace(manifest, extension=extension).write(folder.manifest_file)
    _LOGGER.info("%s", extension.text)
    return extension


def settle(config: SweepConfig, folder: StudyFolder, manifest: StudyManifest) -> StudyManifest:
    """Bring folders and database in line with the extension; done once, and again after a kill in the middle."""
    extension = manifest.extension
    if extension.is_settled:
        return manifest
    _move_aside(folder, extension)
    for number in extension.again:
        remove(folder.trial(number).path)
    for number, proposal in _sort(folder, config.branches)[0].items():
        trial = folder.trial(number)
        spec = trial.spec()
        own = {"branch": proposal.branch, "params": dict(proposal.params), "is_default": proposal.is_default}
        if any(spec[key] != value for key, value in own.items()):
            write_json(trial.spec_file, {**spec, **own})
    if (result := read_result(folder)) is not None:
        write_result(folder, replace(result, num_trials=0))  # it is about other trials
    drop(study_database(config, folder), config.study.name, range(1, extension.generation))
    settled = replace(manifest, extension=replace(extension, is_settled=True))
    settled.write(folder.manifest_file)
    return settled


def _move_aside(folder: StudyFolder, extension: Extension) -> None:
    for number in extension.set_aside:
        source = folder.trial(int(number)).path
        if source.exists():
            target = folder.path / "set_aside" / source.name
            target.parent.mkdir(exist_ok=True)
            os.replace(source, target)


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
    own, new = leaves(config), leaves(json.loads(json.dumps(branch.config, default=list)))
    for path in sorted(own.keys() | new.keys()):
        if own.get(path) == new.get(path) or is_moved(path, own.get(path), new.get(path)):
            continue
        if not _is_in(path, branch) and not path.startswith(FREE):
            return f"its {path} is {own.get(path)}, not {new.get(path)}"
    return None


def _is_in(path: str, branch: Branch) -> bool:
    """Whether a leaf belongs to a dimension of the branch's space."""
    return any(path == name or path.startswith(f"{name}.") for name in branch.space.dimensions)


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
