"""How well a trial or a whole study went: what is wrong with it, in numbers, and the override that mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class VerdictKind(StrEnum):
    """What a verdict can be; of several that hold the first in this order is the trial's. The last are a study's."""

    DIVERGED = "diverged"
    OVERFIT = "overfit"
    MEMORISING = "memorising"
    OVER_CONFIDENT = "over-confident"
    NO_LEARNING = "no learning"
    UNDER_TRAINED = "under-trained"
    UNDER_CAPACITY = "under-capacity"
    WORSE_THAN_BASELINE = "worse than baseline"
    HEALTHY = "healthy"

    EDGE = "best at an edge"
    PRUNED_EARLY = "pruned too early"
    PRUNED_LITTLE = "pruned too little"
    NOISE = "noise band"


class VerdictSeverity(StrEnum):
    """How much a verdict should worry."""

    NONE = "none"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


_SEVERITIES = {
    VerdictKind.DIVERGED: VerdictSeverity.SEVERE,
    VerdictKind.MEMORISING: VerdictSeverity.MODERATE,
    VerdictKind.OVER_CONFIDENT: VerdictSeverity.MILD,
    VerdictKind.NO_LEARNING: VerdictSeverity.SEVERE,
    VerdictKind.UNDER_TRAINED: VerdictSeverity.MODERATE,
    VerdictKind.UNDER_CAPACITY: VerdictSeverity.MODERATE,
    VerdictKind.WORSE_THAN_BASELINE: VerdictSeverity.SEVERE,
    VerdictKind.HEALTHY: VerdictSeverity.NONE,
    VerdictKind.EDGE: VerdictSeverity.MODERATE,
    VerdictKind.PRUNED_EARLY: VerdictSeverity.MODERATE,
    VerdictKind.PRUNED_LITTLE: VerdictSeverity.MILD,
    VerdictKind.NOISE: VerdictSeverity.NONE,
}


@dataclass(frozen=True)
class Verdict:
    """One verdict with its numbers, and advice as an override that is ready to use."""

    kind: VerdictKind
    message: str
    grade: str = ""  # of overfit: mild, moderate or severe; of healthy: so far, until pruned
    numbers: Mapping[str, float] = field(default_factory=dict)
    advice: str = ""
    override: str = ""

    @property
    def label(self) -> str:
        """`overfit (mild)`, `healthy`: as tables and tags spell it."""
        return f"{self.kind} ({self.grade})" if self.grade else str(self.kind)

    @property
    def severity(self) -> VerdictSeverity:
        if self.kind is VerdictKind.OVERFIT:
            return VerdictSeverity(self.grade)
        return _SEVERITIES[self.kind]

    @property
    def text(self) -> str:
        """All of it in one line: what, why, what to do, the override."""
        remedy = ": ".join(filter(None, (self.advice.rstrip("."), self.override)))
        remedy = remedy if self.override or not remedy else f"{remedy}."
        return " ".join(filter(None, (f"{self.label}: {self.message}.", remedy)))

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kind": self.kind.value, "severity": self.severity.value, "numbers": dict(self.numbers)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verdict:
        fields = {key: value for key, value in data.items() if key != "severity"}
        return cls(**{**fields, "kind": VerdictKind(data["kind"])})


def verdict_tags(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """A trial's verdicts as tags of its run: its own verdict, how bad, why, what to do, and all that hold."""
    if not verdicts:
        return {}
    first = verdicts[0]
    return {
        "verdict": first.label,
        "verdict.severity": first.severity.value,
        "verdict.reason": first.message,
        "verdict.advice": ": ".join(filter(None, (first.advice, first.override))) or "none",
        "verdict.all": ", ".join(verdict.label for verdict in verdicts),
    }


def counts_of(trials: Mapping[int, Sequence[Verdict]]) -> str:
    """`4 healthy, 3 overfit`: how many trials have each verdict as their own, the commonest first."""
    own = [verdicts[0] for verdicts in trials.values() if verdicts]
    counts = Counter(each.label if each.kind is VerdictKind.HEALTHY else each.kind.value for each in own)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def consistent(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Without what another one explains better: who diverges or overfits from the start learns nothing either, who was
    stopped too early could not, and who learns nothing is neither sure of it nor too weak.
    """
    kinds = {verdict.kind for verdict in verdicts}
    explained = {VerdictKind.OVER_CONFIDENT, VerdictKind.MEMORISING} if VerdictKind.DIVERGED in kinds else set()
    if kinds & {VerdictKind.DIVERGED, VerdictKind.OVERFIT}:
        explained |= {VerdictKind.NO_LEARNING, VerdictKind.UNDER_CAPACITY, VerdictKind.WORSE_THAN_BASELINE}
    elif VerdictKind.UNDER_TRAINED in kinds:
        explained |= {VerdictKind.NO_LEARNING, VerdictKind.UNDER_CAPACITY}
    elif VerdictKind.NO_LEARNING in kinds:
        explained |= {VerdictKind.OVER_CONFIDENT, VerdictKind.UNDER_CAPACITY, VerdictKind.WORSE_THAN_BASELINE}
    return [verdict for verdict in verdicts if verdict.kind not in explained]
