"""What the findings about the data mean for a study: it is refused, or they are written down and go on record."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftsweep.domain.finding import Finding, Severity, most_severe_first
from ftsweep.errors import RefusedDataError
from ftsweep.store.atomic import write_text
from ftsweep.store.folders import StudyFolder

COLUMNS = ("severity", "check", "branches", "count", "rate", "message", "examples", "remedy", "override")


def collect(data: Mapping[str, Mapping[str, Any]]) -> dict[Finding, list[str]]:
    """Every finding in the prepared sets' facts, once, with the labels of the branches that share it.

    Most severe first.
    """
    found: dict[Finding, list[str]] = {}
    for label, facts in data.items():
        for finding in map(Finding.from_dict, facts.get("findings", ())):
            found.setdefault(finding, []).append(label)
    return {finding: found[finding] for finding in most_severe_first(found)}


def refuse(findings: Sequence[Finding], study: str) -> None:
    """Raise RefusedDataError when a guard refuses the data; the message has rows and the overrides that go on."""
    refused = [finding for finding in findings if finding.severity is Severity.REFUSE]
    if not refused:
        return
    checks = "1 guard refuses" if len(refused) == 1 else f"{len(refused)} findings refuse"
    shown = "; ".join(f"{finding.check}: {finding.message}{finding.shown}" for finding in refused)
    mending = " ".join(dict.fromkeys(each for check in _checks(refused) for each in _overrides(check, refused)))
    allowing = " ".join(map(_allowing, _checks(refused)))
    other = f"or, to take it as it is: {allowing} " if allowing != mending else "to take it as it is"
    remedy = f"Mend the data, or add to the command: {mending} ({other})"
    raise RefusedDataError(
        f"{checks} the data of study {study!r}: {shown}",
        remedy=remedy,
        findings=[finding.to_dict() for finding in findings],
    )


def _checks(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(finding.check for finding in findings))


def _allowing(check: str) -> str:
    return f"guards.{check}=allow"


def _overrides(check: str, refused: Sequence[Finding]) -> list[str]:
    """What has this guard refuse nothing any more: to allow, where a fix of train leaves what it refuses elsewhere."""
    found = [finding.override for finding in refused if finding.check == check]
    return [_allowing(check)] if _allowing(check) in found else found


def write_findings(folder: StudyFolder, findings: Mapping[Finding, Sequence[str]]) -> None:
    """The findings as tables in the study's folder: JSON as MLflow shows it, and CSV."""
    lines = [_line(finding, branches) for finding, branches in findings.items()]
    table = {"columns": list(COLUMNS), "data": lines}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([COLUMNS, *lines])
    table_file, csv_file = findings_files(folder)
    write_text(table_file, json.dumps(table, indent=1, ensure_ascii=False))
    write_text(csv_file, text.getvalue())


def findings_files(folder: StudyFolder) -> list[Path]:
    """Where `write_findings` writes."""
    return [folder.path / "data_findings.json", folder.path / "data_findings.csv"]


def finding_tags(findings: Sequence[Finding]) -> dict[str, str]:
    """Tags of a run: how many findings of each severity there are, and the worst of every check."""
    counts = Counter(finding.severity for finding in findings)
    tags = {f"data_findings.{severity}": str(counts[severity]) for severity in Severity}
    for finding in reversed(findings):
        rate = f", {finding.rate:.2%}" if finding.rate else ""
        tags[f"data_finding.{finding.check}"] = f"{finding.severity}: {finding.count}{rate}"
    return tags


def _line(finding: Finding, branches: Sequence[str]) -> list[Any]:
    values = {
        **finding.to_dict(),
        "branches": " ".join(branches),
        "examples": "; ".join(finding.examples),
        "rate": round(finding.rate, 6),
    }
    return [values[column] for column in COLUMNS]
