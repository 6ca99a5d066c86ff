"""How a study's workers use the machine: cores and threads, trials at once, steps that were shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ftsweep.control.threads import sharing_text
from ftsweep.domain.spelling import plural
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.atomic import read_json
from ftsweep.store.folders import StudyFolder


def workers_facts(folder: StudyFolder, trials: Sequence[TrialRecord]) -> dict[str, Any]:
    """`threads` and `lanes`: what was measured and chosen, None where it was set by hand or is not known yet;
    `shared_steps` of all trials and, by reason, how many trials took steps alone in a worker of several lanes.
    """
    extras = [record.outcome.extra for record in trials if record.outcome is not None]
    shared = [int(extra["shared_steps"]) for extra in extras if "shared_steps" in extra]
    return {
        "threads": read_json(folder.threads_file) if folder.threads_file.exists() else None,
        "lanes": read_json(folder.lanes_file) if folder.lanes_file.exists() else None,
        "shared_steps": sum(shared) if shared else None,
        "alone": dict(Counter(extra["alone"] for extra in extras if "alone" in extra)),
    }


def workers_lines(facts: Mapping[str, Any]) -> list[str]:
    """The same for a person; nothing of what was neither measured nor used."""
    lines = []
    if facts["threads"] is not None:
        lines.append(f"{sharing_text(facts['threads'])}.")
    if facts["lanes"] is not None:
        lines += [f"Lanes of {label}: {lanes_text(found)}" for label, found in facts["lanes"]["branches"].items()]
    if facts["shared_steps"] is not None:
        lines.append(f"{plural(facts['shared_steps'], 'step')} of ended trials in shared passes.")
    lines += [f"  {plural(count, 'trial')} alone: {reason}" for reason, count in facts["alone"].items()]
    return lines


def lanes_text(measured: Mapping[str, Any]) -> str:
    """What `executor.lanes: auto` found of a branch."""
    rates = [f"{number} train {rate:.2f} times as much" for number, rate in measured["rates"].items() if number != "1"]
    told = f"; measured: {', '.join(rates)} in the same CPU time" if rates else ""
    why = f", because {measured['reason']}" if measured["reason"] else ""
    return f"{measured['lanes']}{why}{told}."
