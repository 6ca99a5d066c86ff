"""What a whole study shows about its own search: ranges, pruning, noise. Pure functions of records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, stdev
from typing import Any

from ftsweep.domain.answers import RacedSetting
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Dimension
from ftsweep.domain.spelling import number
from ftsweep.domain.trial import OutcomeKind, TrialRecord
from ftsweep.domain.verdict import Verdict, VerdictKind, counts_of
from ftsweep.verdicts.edges import edge_of

MIN_TRIALS = 5
"""Complete trials of a branch before its best one says anything about a range."""

MIN_ENDED = 10
"""Ended trials before pruning is judged."""

WARMUP = 0.3  # of the rungs: before that nobody is expected to be pruned
LEAST_SHARE = 0.25
"""Share of trials that pruning must have got wrong before it is said."""

KEPT_SPEED = 0.5
"""Of the speed at which a pruned trial caught up, so much is granted it for its remaining rungs: losses fall ever more
slowly, and a straight line would let everybody win."""


@dataclass(frozen=True)
class StudyFit:
    """What a study's verdicts are made from."""

    records: Sequence[TrialRecord]
    objective: Objective
    num_rungs: int
    best: int | None = None
    """The number of the chosen trial, or of the best so far."""
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    """The space by parameter name."""
    pruner: Mapping[str, Any] = field(default_factory=dict)
    """The pruner's node."""
    contenders: Sequence[RacedSetting] = ()
    """Settings that were run again with fresh seeds; none in a study that confirmed nothing."""


def judge_study(study: StudyFit) -> list[Verdict]:
    """All that holds, the most useful first; nothing for a search that shows nothing wrong and was not confirmed."""
    by_number = {record.number: record for record in study.records}
    best = by_number.get(study.best) if study.best is not None else None
    found: list[Verdict | None] = []
    if best is not None:
        found += _edges(study, best)
        found.append(_pruned_early(study, best))
    found.append(_pruned_little(study))
    found.append(_noise(study))
    return [verdict for verdict in found if verdict is not None]


def study_tags(
    verdicts: Sequence[Verdict], trials: Mapping[int, Sequence[Verdict]], best: int | None
) -> dict[str, str]:
    """Of the run of the whole study: what holds and what to do, how many trials have each verdict, the winner's."""
    tags = {
        "study_verdict": ", ".join(dict.fromkeys(verdict.kind.value for verdict in verdicts)) or "nothing to report",
        "study_verdict.trials": counts_of(trials) or "none judged",
    }
    for verdict in verdicts:
        tags[f"study_verdict.{verdict.kind.value.replace(' ', '_')}"] = verdict.text
    if best is not None and trials.get(best):
        tags["study_verdict.winner"] = trials[best][0].label
    return tags


def _edges(study: StudyFit, best: TrialRecord) -> Iterator[Verdict]:
    branch = best.proposal.branch
    peers = [record for record in study.records if record.is_complete and record.proposal.branch == branch]
    if len(peers) < MIN_TRIALS:
        return
    for name, value in best.proposal.params.items():
        path = name.removeprefix(f"{branch}.") if branch else name
        edge = edge_of(path, study.dimensions[name], value) if name in study.dimensions else None
        if edge is None:
            continue
        yield Verdict(
            VerdictKind.EDGE,
            f"{name} {number(value)} of trial {best.number} lies within 10 % of the {edge.end} end of its range, "
            f"{study.dimensions[name]}",
            numbers={"value": float(value), "position": edge.position},
            advice="Go on in a wider range",
            override=f"study.extend=true {edge.override(path, branch, study.dimensions[name])} "
            f"budget.trials={len(study.records) + math.ceil(len(study.records) / 2)}",
        )


def _pruned_early(study: StudyFit, best: TrialRecord) -> Verdict | None:
    """Pruned trials that were catching up with the best one fast enough to pass it."""
    pruned = [record for record in study.records if record.outcome and record.outcome.kind is OutcomeKind.PRUNED]
    ended = sum(record.outcome is not None for record in study.records)
    if not pruned or ended < MIN_ENDED:
        return None
    reference = _curve(best, study.objective)
    late = [
        record for record in pruned if _was_catching_up(_curve(record, study.objective), reference, study.num_rungs)
    ]
    if len(late) < 2 or len(late) < LEAST_SHARE * len(pruned):
        return None
    names = ", ".join(str(record.number) for record in late[:5]) + (", ..." if len(late) > 5 else "")
    return Verdict(
        VerdictKind.PRUNED_EARLY,
        f"{len(late)} of {len(pruned)} pruned trials ({names}) were catching up with trial {best.number} fast "
        "enough to pass it",
        numbers={"num_catching_up": len(late), "num_pruned": len(pruned)},
        advice="Prune later; the study may go on with it",
        override=_pruning_later(study.pruner),
    )


def _pruning_later(pruner: Mapping[str, Any]) -> str:
    key = "pruner"
    while isinstance(inner := pruner.get("pruner"), Mapping):  # held back by the outer one
        key, pruner = f"{key}.pruner", inner
    warmup = pruner.get("warmup")
    if not isinstance(warmup, int | float):
        return "pruner=median"
    return f"{key}.warmup={min(0.9, warmup + 0.2):g}" if warmup < 0.9 else "pruner=none"


def _was_catching_up(curve: Mapping[int, float], reference: Mapping[int, float], num_rungs: int) -> bool:
    last = max(curve, default=0)
    earlier = last - 2
    if any(rung not in known for rung in (earlier, last) for known in (curve, reference)):
        return False
    gap = curve[last] - reference[last]
    closing = ((curve[earlier] - curve[last]) - (reference[earlier] - reference[last])) / 2
    return closing > 0 and KEPT_SPEED * closing * (num_rungs - last) >= gap


def _pruned_little(study: StudyFit) -> Verdict | None:
    """Nothing was pruned, though trials lay behind from early on; default settings, which no pruner ends, apart."""
    ended = [record for record in study.records if record.outcome is not None]
    complete = [record for record in ended if record.is_complete]
    if len(complete) < MIN_ENDED or any(
        record.outcome.kind is OutcomeKind.PRUNED for record in ended if record.outcome
    ):
        return None
    curves = {record.number: _curve(record, study.objective) for record in complete}
    rungs = [rung for rung in range(1, study.num_rungs) if rung > WARMUP * study.num_rungs]
    medians = {
        rung: median(curve[rung] for curve in curves.values() if rung in curve)
        for rung in rungs
        if any(rung in curve for curve in curves.values())
    }
    defaults = {record.number for record in complete if record.proposal.is_default}
    behind = [
        n
        for n, curve in curves.items()
        if n not in defaults and medians and all(curve.get(r, math.inf) > m for r, m in medians.items())
    ]
    if len(behind) < max(3, LEAST_SHARE * len(complete)):
        return None
    seconds = {record.number: record.measurements[-1].train_seconds for record in complete}
    total = sum(seconds.values())
    share = sum(seconds[number] for number in behind) / total if total else len(behind) / len(complete)
    forgives = study.pruner.get("patience") and "startup_trials" in study.pruner
    return Verdict(
        VerdictKind.PRUNED_LITTLE,
        f"nothing was pruned, though {len(behind)} of {len(complete)} trials lay behind the median at every rung after "
        f"the first {100 * WARMUP:.0f} %; they took {100 * share:.0f} % of all training",
        numbers={"num_behind": len(behind), "share_of_training": share},
        advice="Prune sooner; the study may go on with it",
        override="pruner.patience=0 pruner.startup_trials=3" if forgives else "pruner=median",
    )


def _noise(study: StudyFit) -> Verdict | None:
    """What seeds alone change: two standard deviations of the difference of two single trials.

    Of a setting that was run again the search's own run counts like the fresh ones: a lead that fresh seeds did not
    bear out is noise, too.
    """
    runs = [[each.value, *(seed for seed in each.seeds if seed is not None)] for each in study.contenders]
    groups = [(stdev(values), len(values)) for values in runs if len(values) > 1]
    freedom = sum(count - 1 for _, count in groups)
    values = [value for record in study.records if (value := _value(record, study.objective)) is not None]
    if not freedom or not values:
        return None
    spread = math.sqrt(sum((count - 1) * each**2 for each, count in groups) / freedom)
    band = 2 * math.sqrt(2) * spread
    lowest = min(values)
    num_within = sum(value <= lowest + band for value in values)
    settings = "setting" if len(groups) == 1 else "settings"
    advice = "Smaller differences between trials mean nothing"
    if num_within == len(values) >= MIN_TRIALS and _are_alike(study):
        varied = list(dict.fromkeys(name for record in study.records for name in record.proposal.params))
        wider = "it in a wider range" if len(varied) == 1 else "them in wider ranges"
        advice = f"No difference between them can be told: vary something else than {', '.join(varied)}, or {wider}"
    return Verdict(
        VerdictKind.NOISE,
        f"two runs of one setting differ by up to {number(band, digits=2)} in {study.objective.key} by their seed "
        f"alone (spread {number(spread, digits=2)}, {freedom + len(groups)} runs of {len(groups)} {settings}); "
        f"{num_within} of {len(values)} complete trials {'lies' if num_within == 1 else 'lie'} that near to the best "
        "value",
        numbers={"band": band, "spread": spread, "num_within": num_within},
        advice=advice,
    )


def _are_alike(study: StudyFit) -> bool:
    """Whether nothing tells the settings of a search apart: every trial came to its end, no setting beats the default
    for sure.
    """
    is_told = any(each.standing == "better" for each in study.contenders)
    return not is_told and all(record.is_complete for record in study.records)


def _curve(record: TrialRecord, objective: Objective) -> dict[int, float]:
    """The objective by rung after the start, smaller being better."""
    sign = 1 if objective.direction == "minimize" else -1
    values = {
        each.rung: sign * each.values.get(objective.key, math.nan) for each in record.measurements if each.rung > 0
    }
    return {rung: value for rung, value in values.items() if math.isfinite(value)}


def _value(record: TrialRecord, objective: Objective) -> float | None:
    curve = _curve(record, objective) if record.is_complete else {}
    return min(curve.values()) if curve else None
