"""Something about the data that a person should know before spending GPU time."""

from __future__ import annotations

from collections.abc import Mapping
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
    severity: Severity
    message: str
    count: int = 0
    rate: float = 0.0
    examples: tuple[str, ...] = ()  # "file:line", never the text itself
    remedy: str = ""
    override: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "severity": self.severity.value, "examples": list(self.examples)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        return cls(**{**data, "severity": Severity(data["severity"]), "examples": tuple(data["examples"])})
