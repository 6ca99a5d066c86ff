"""The data of a study, as every screen tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftsweep.domain.finding import Finding

SPLIT_ORDER = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class DataFacts:
    """The data of one or more branches: its size per split, and what the checks found."""

    branches: tuple[str, ...] = ()
    num_rows: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str = ""
    findings: tuple[Finding, ...] = ()


def data_facts(answer: Mapping[str, Any]) -> DataFacts:
    """Of a branch's answer to `prepare`."""
    num_rows = answer.get("num_rows") or {}
    return DataFacts(
        num_rows={split: num_rows[split] for split in sorted(num_rows, key=lambda name: SPLIT_ORDER.get(name, 3))},
        fingerprint=str(answer.get("fingerprint") or ""),
        findings=tuple(Finding.from_dict(finding) for finding in answer.get("findings") or ()),
    )
