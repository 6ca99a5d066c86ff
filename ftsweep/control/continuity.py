"""Whether a study that is there is the same as the one that is asked for: it goes on, is extended, or is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ftsweep.config.schema import SweepConfig
from ftsweep.control.extension import extend
from ftsweep.domain.terms import BranchTerms, Change, StudyTerms, changes
from ftsweep.domain.trial import Proposal
from ftsweep.errors import ConfigError, UsageError
from ftsweep.search.study import Study
from ftsweep.store.folders import StudyFolder
from ftsweep.store.manifest import Extension, StudyManifest

_INCOMPARABLE = re.compile(r"(objective|rungs|seed|branches\.[^.]+\.config\.(data|general|guards))(\.|$)")
"""What makes values, when it changes, that cannot be compared with earlier ones."""

_MOST_SHOWN = 6


def manifest_of(config: SweepConfig, extension: Extension = Extension()) -> StudyManifest:  # noqa: B008 - frozen
    """What is written down of a sweep when its study begins or goes on."""
    branches = {branch.label: BranchTerms(branch.config, dict(branch.space.dimensions)) for branch in config.branches}
    return StudyManifest(
        study=config.study.name,
        terms=StudyTerms(config.objective, config.rungs.count, asdict(config.seed), branches, config.rungs.train_rows),
        num_trials=config.budget.trials,
        sweep_file=config.sweep_file,
        overrides=config.overrides,
        budget=asdict(config.budget),
        selection=asdict(config.selection),
        pruner=config.pruner,
        report=config.report,
        allow=config.allowed_packages,
        search_folders=config.search_folders,
        extension=extension,
    )


def earlier_manifest(folder: StudyFolder) -> StudyManifest | None:
    """That of the study as it is; None where none was begun.

    Raises:
        UsageError: another version of ftsweep began it.
    """
    return folder.manifest() if folder.manifest_file.exists() else None


def continued(config: SweepConfig, folder: StudyFolder, earlier: StudyManifest | None) -> StudyManifest:
    """The manifest from now on. Where the space has changed and may, the study is extended to it; see `extension`.

    Raises:
        ConfigError: the study was begun with another configuration.
    """
    if earlier is None:
        return manifest_of(config)
    now = manifest_of(config, earlier.extension)
    found = changes(earlier.terms, now.terms)
    if not found:
        return now
    if not folder.has_trials:  # the sweep file was mended before anything came of it
        folder.forget_baselines()
        return now
    if config.study.extend:
        check_extendable(found, config.study.name, folder.manifest_file)
        return replace(now, extension=extend(config, folder, now))
    way = " go on in the new space with the trials that lie in it (study.extend=true),"
    raise ConfigError(
        f"study {config.study.name!r} was started with another configuration: {_shown(found)}",
        where=str(folder.manifest_file),
        remedy=f"Put it back,{way if _is_about_space(found) else ''} or give this run a name of its own with "
        "study.name=...",
    )


def check_extendable(found: Sequence[Change], name: str, where: Path) -> None:
    """Refuse a change after which values could not be compared.

    Raises:
        ConfigError: the objective, the rungs, a seed or the data has changed.
    """
    wrong = [change for change in found if _INCOMPARABLE.match(change.path)]
    if not wrong:
        return
    is_objective = any(change.path.startswith("objective") for change in wrong)
    kept = " Another metric was measured as well, but the weights that were kept are the best by the old one."
    raise ConfigError(
        f"study {name!r} cannot be extended: its trials cannot be compared with those after this change: "
        + _shown(wrong),
        where=str(where),
        remedy=f"Put it back, or give this run a name of its own with study.name=...{kept if is_objective else ''}",
    )


def changed_data(known: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """The labels whose data is not what it was. A branch that is new has none to compare; one of them must be known."""
    shared = found.keys() & known.keys()
    if not shared and not set(found.values()) <= set(known.values()):  # all branches were renamed
        return list(found)
    return [label for label in found if label in shared and known[label] != found[label]]


def settle_trials(study: Study, folder: StudyFolder) -> list[int]:
    """Have the database tell of the trials that the folders tell of, before anything is proposed: what it has lost (it
    is an earlier copy, or its last writes went with the power) is put back. The numbers of these.

    Raises:
        UsageError: folders of ended trials are gone, or tell of another setting or number than the database.
    """
    database = study.database.name
    stored = {record.proposal.number: record for record in study.records()}
    ended = [number for number, record in stored.items() if record.outcome is not None]
    gone = [number for number in ended if not folder.trial(number).outcome_file.exists()]
    if gone:
        raise _lost(folder, f"{database} has {len(ended)} ended trials, and {len(gone)} of their folders are gone")
    put_back = []
    for proposal in (record.proposal for record in folder.records()):
        number = proposal.number
        if number in stored and not _is_same(proposal, stored[number].proposal):
            raise _lost(folder, f"trial {number} has another setting in its folder than in {database}")
        if number < study.next_number:
            continue
        if number > study.next_number:
            raise _lost(folder, f"it has a trial {number}, but neither a folder nor {database} has {study.next_number}")
        try:
            study.put_back(proposal)
        except (KeyError, ValueError):
            raise _lost(folder, f"{database} does not know trial {number}, which does not lie in the space") from None
        put_back.append(number)
    return put_back


def put_back_text(numbers: Sequence[int]) -> str:
    """For people."""
    named = f"trial {numbers[0]}" if len(numbers) == 1 else f"trials {numbers[0]} to {numbers[-1]}"
    return f"Optuna's database did not know {named} any more: put back from the folders"


def _is_same(one: Proposal, other: Proposal) -> bool:
    settings = [json.dumps(dict(each.params), sort_keys=True, default=list) for each in (one, other)]
    return one.branch == other.branch and settings[0] == settings[1]


def _lost(folder: StudyFolder, what: str) -> UsageError:
    return UsageError(
        f"study {folder.name!r} has lost a part of itself: {what}",
        where=str(folder.path / "trials"),
        remedy="Put back what is missing, or give this run a name of its own with study.name=...",
    )


def _is_about_space(found: Sequence[Change]) -> bool:
    """Whether a changed space is all that keeps earlier trials from being compared."""
    is_incomparable = any(_INCOMPARABLE.match(change.path) for change in found)
    return any(".space." in change.path for change in found) and not is_incomparable


def _shown(found: Sequence[Change]) -> str:
    more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    return "; ".join(change.text for change in found[:_MOST_SHOWN]) + more
