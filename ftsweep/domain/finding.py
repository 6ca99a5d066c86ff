"""Something about the data that a person should know before spending GPU time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    NOTE = "note"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Finding:
    """One check's result: what was found, how often, where for example, and the override that acts on it."""

    check: str
    """The guard that found it, as `guards` names it; or what made a note, such as the split."""
    severity: Severity
    message: str
    count: int = 0
    rate: float = 0.0
    examples: tuple[str, ...] = ()  # "file:line", never the text itself
    remedy: str = ""
    """What to do about it, as a sentence without its full stop, so that the override can follow."""
    override: str = ""
    """What to add to the command, ready to type; "" when only the data itself can be mended."""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "severity": self.severity.value, "examples": list(self.examples)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        return cls(**{**data, "severity": Severity(data["severity"]), "examples": tuple(data["examples"])})

    @property
    def text(self) -> str:
        """All of it in one line but the severity; a note needs no remedy."""
        text = f"{self.check}: {self.message}{self.shown}."
        if not self.remedy or self.severity is Severity.NOTE:
            return text
        return f"{text} {self.remedy}: {self.override}" if self.override else f"{text} {self.remedy}."

    @property
    def shown(self) -> str:
        """The examples in brackets, behind the message; "" without any."""
        more = ", ..." if self.count > len(self.examples) else ""
        return f" ({', '.join(self.examples)}{more})" if self.examples else ""


def most_severe_first(findings: Iterable[Finding]) -> list[Finding]:
    """Refusals, then warnings, then notes; in each the order they came in."""
    order = [Severity.REFUSE, Severity.WARN, Severity.NOTE]
    return sorted(findings, key=lambda finding: order.index(finding.severity))
