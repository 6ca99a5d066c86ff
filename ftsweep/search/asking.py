"""Asking a study for something: checked here as far as its folder tells, then left in its inbox.

The one door for the command line and the dashboard. The process that runs the study checks once more and decides.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ftsweep.config.assigned import assigned_values, raised_values
from ftsweep.config.nodes.enqueued import as_setting, enqueued_params
from ftsweep.domain.commands import run_command, study_command
from ftsweep.domain.request import Request, RequestKind, enqueued, pinned_trials
from ftsweep.domain.trial import PAUSED, TrialRecord
from ftsweep.errors import UsageError, suggest
from ftsweep.search.planned import PlannedSetting
from ftsweep.store.folders import StudyFolder
from ftsweep.store.inbox import Inbox
from ftsweep.store.manifest import StudyManifest


def ask_to_enqueue(folder: StudyFolder, words: Sequence[str], *, from_trial: int | None = None, by: str) -> Request:
    """Ask for a trial of a setting: `key=value` words over that of `from_trial`, else over the configuration's own.

    Raises:
        ConfigError: it does not lie in the space.
        UsageError: there is no such trial, or the setting was tried or asked for already.
    """
    branches, inbox = folder.manifest().branches, Inbox(folder)
    given = assigned_values(words, "setting")
    if not given and from_trial is None:
        raise UsageError(
            "no setting is named", remedy="Name what it has: training.learning_rate=0.002, or --from TRIAL."
        )
    base: Mapping[str, Any] = {}
    if from_trial is not None:
        spec = known_record(folder, from_trial).proposal
        base = as_setting(spec.branch, spec.params)
    item = PlannedSetting(*enqueued_params(branches, {**base, **given}, where="setting"))
    _check_new(item, folder, [*enqueued(inbox.answers()), *inbox.pending()])
    body = {"branch": item.branch.name, "params": item.params, "given": list(words), "from_trial": from_trial}
    return inbox.put(Request(RequestKind.ENQUEUE, by, time.time(), body))


def ask_to_extend(folder: StudyFolder, words: Sequence[str], *, by: str) -> Request:
    """Ask for a larger budget, as in `budget.trials=50`. Only a study that runs can be asked.

    Raises:
        ConfigError: it is not larger, or no budget.
        UsageError: nobody runs the study; the message has the command that goes on with more.
    """
    manifest = folder.manifest()
    budget = raised_values(words, manifest.budget, "budget")
    if not folder.is_running:
        raise UsageError(
            f"study {folder.name!r} is not running, and a command that goes on with it says its budget",
            remedy=f"Run it with more: `{going_on(manifest, folder, *words)}`",
        )
    return Inbox(folder).put(Request(RequestKind.EXTEND, by, time.time(), {"budget": budget}))


def ask_to_pin(folder: StudyFolder, number: int, *, by: str, is_pinned: bool = True) -> Request:
    """Ask that a trial is never pruned, or may be again.

    Raises:
        UsageError: there is no such trial, it has ended, or it is so already.
    """
    record, inbox = known_record(folder, number), Inbox(folder)
    if why := cannot_pin(record, is_pinned=is_pinned, pinned=pinned_trials(inbox.answers())):
        raise UsageError(why, where=f"study {folder.name}")
    kind = RequestKind.PIN if is_pinned else RequestKind.UNPIN
    return inbox.put(Request(kind, by, time.time(), {"trial": number}))


def cannot_pin(record: TrialRecord, *, is_pinned: bool, pinned: set[int]) -> str:
    """Why a trial cannot be pinned, or let go; "" where it can."""
    if record.outcome is not None:
        return f"trial {record.number} has ended already: {record.outcome.kind}, {record.outcome.reason}"
    if record.proposal.is_default:
        return f"trial {record.number} is a default setting, which is never pruned"
    if (record.number in pinned) == is_pinned:
        return f"trial {record.number} is {'pinned already' if is_pinned else 'not pinned'}"
    return ""


def going_on(manifest: StudyManifest, folder: StudyFolder, *words: str) -> str:
    """The command that goes on with a study, with the overrides that it was begun with."""
    name, begun_with = manifest.sweep_file or folder.name, manifest.overrides
    return run_command(name, folder.name, *words, store=folder.store.name, begun_with=begun_with)


def going_on_with(folder: StudyFolder, request: Request) -> str:
    """The command after which a study that does not run can answer a request: with room for one more trial."""
    manifest = folder.manifest()
    records = folder.records()
    is_full = request.kind is RequestKind.ENQUEUE and len(records) >= manifest.num_trials
    return going_on(manifest, folder, *([f"budget.trials={len(records) + 1}"] if is_full else []))


def known_record(folder: StudyFolder, number: int) -> TrialRecord:
    """A trial by its number; UsageError where there is none, with the near ones."""
    known = {record.number: record for record in folder.records()}
    if number not in known:
        see = study_command("status", folder.name, store=folder.store.name)
        remedy = f"{suggest(str(number), map(str, known))} See `{see}`"
        raise UsageError(f"study {folder.name!r} has no trial {number}", remedy=remedy)
    return known[number]


def _check_new(item: PlannedSetting, folder: StudyFolder, planned: Sequence[Request]) -> None:
    for record in folder.records():
        if _is_same(item, record.proposal.branch, record.proposal.params):
            became = "it has not ended yet" if record.outcome is None else str(record.outcome.kind)
            if record.pause is not None:
                pin = study_command("pin", folder.name, str(record.number), store=folder.store.name)
                became = f"it is {PAUSED}: `{pin}` has it go on"
            raise UsageError(
                f"trial {record.number} has this setting already ({became}); none is tried twice",
                where=f"study {folder.name}",
                remedy="Change a value. What a fresh seed changes is told by the runs that follow the search "
                "(selection.seeds).",
            )
    for request in planned:
        if request.kind is RequestKind.ENQUEUE and _is_same(item, request.body["branch"], request.body["params"]):
            raise UsageError(f"this setting was asked for already, by {request.origin}", where=f"study {folder.name}")


def _is_same(item: PlannedSetting, branch: str, params: Mapping[str, Any]) -> bool:
    """Trials of a former space may lie outside of this one."""
    own = item.branch
    if branch != own.name or not all(
        dimension.contains(params.get(own.param_name(path))) for path, dimension in own.space.dimensions.items()
    ):
        return False
    return own.key(params) == item.key
