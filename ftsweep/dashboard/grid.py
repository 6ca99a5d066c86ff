"""The table of trials as rows and columns of the grid: the report's wide table, sent once, then what changes."""

from __future__ import annotations

import json
import math
import threading
import zlib
from dataclasses import dataclass, field
from typing import Any

from ftsweep.dashboard.looks import Look
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.table import Cell
from ftsweep.report.tables.trials import TrialColumns
from ftsweep.report.trial_summary import TrialSummary

KEY = "trial"
"""The field of the trial's number."""
_FIXED = ("trial", "branch", "outcome", "fit", "best rung", "time", "remark")
_CHARACTERS = {"outcome": 12, "fit": 26, "time": 9, "remark": 60}
"""A column's room: to have the grid measure its cells takes a browser longer than all the rest of it."""
_DIGITS, _PARAM_DIGITS = 4, 3
"""Significant digits of a score and of a parameter, here as everywhere; a row has more, so that they sort aright."""
_CHARACTER, _PADDING = 8, 58
"""Pixels: of a character, and of what stands beside a name: margins, the sign of a sort, the door to a filter."""


def grid_columns(shape: TrialColumns) -> list[dict[str, Any]]:
    """A column of the grid for each of the table's; numbers sort and filter as numbers."""
    found: list[dict[str, Any]] = []
    for column in shape.columns:
        is_number = column.kind == "number"
        least = _CHARACTERS.get(column.name, 9 if is_number else 18)
        entry: dict[str, Any] = {
            "field": _field(column.name, shape),
            "headerName": f"{column.name}, s" if column.name == "time" else column.name,
            "headerTooltip": column.name,
            "filter": "agNumberColumnFilter" if is_number else "agTextColumnFilter",
            "width": _PADDING + _CHARACTER * max(len(column.name), least),
        }
        if is_number:  # assets/digits.js
            digits = _PARAM_DIGITS if column.name in shape.paths else _DIGITS
            speller = {"function": f"shortNumber(params.value, {digits})"}
            entry |= {"type": "rightAligned", "valueFormatter": speller}
        else:
            entry["tooltipField"] = entry["field"]
        if column.name == KEY:
            entry |= {"pinned": "left", "width": 90}
        found.append(entry)
    return found


def grid_row(shape: TrialColumns, trial: TrialSummary, sign: int) -> dict[str, Any]:
    """A trial's row; `mark` is `best` for the best trial, `order` smaller the better it is (None without a value)."""
    row = shape.row(trial)
    shown = {
        _field(column.name, shape): _shown(cell, column.kind == "number")
        for cell, column in zip(row.cells, shape.columns, strict=True)
    }
    value = trial.value
    return {**shown, "id": str(trial.number), "mark": row.mark, "order": None if value is None else sign * value}


def first_rows(shape: TrialColumns, study: StudyOverview, count: int) -> list[dict[str, Any]]:
    """The rows of so many trials, in their order."""
    sign = _sign(study)
    return [grid_row(shape, trial, sign) for trial in study.trials[:count]]


def as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _sign(study: StudyOverview) -> int:
    return 1 if study.objective.direction == "minimize" else -1


@dataclass
class TrialRows:
    """The rows of one study as pages have them, for several threads; what a page has already is not sent again."""

    _shape: TrialColumns | None = None
    _columns: list[dict[str, Any]] = field(default_factory=list)
    _fields: list[tuple[str, bool]] = field(default_factory=list)
    _rows: dict[int, tuple[int, TrialSummary, dict[str, Any]]] = field(default_factory=dict)
    """By number: the version in which it changed last, the trial and its row."""
    _version: int = 0
    _since: int = 0
    """The version from which on rows changed one by one."""
    _whole: tuple[tuple[str, int], str] = (("", -1), "")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def text(self, look: Look, seen: int) -> str:
        """`news` as JSON; all rows of a version are written once for however many pages."""
        if seen > 0:
            return as_json(self.news(look, seen))
        if self._whole[0] != (look.name, look.version):
            self._whole = ((look.name, look.version), as_json(self.news(look, 0)))
        return self._whole[1]

    def news(self, look: Look, seen: int) -> dict[str, Any]:
        """What a page that has version `seen` lacks: `rows`, and where everything is new `columns`."""
        with self._lock:
            if look.overview is not None and look.version > self._version:
                self._bring_up(look.overview, look.version)
            if seen < self._since or seen > self._version:
                rows = [row for _, _, row in self._rows.values()]
                return {"version": self._version, "columns": self._columns, "rows": rows}
            return {"version": self._version, "rows": [row for at, _, row in self._rows.values() if at > seen]}

    def _bring_up(self, study: StudyOverview, version: int) -> None:
        shape = TrialColumns.of(study)
        numbers = {trial.number for trial in study.trials}
        if shape != self._shape or not self._rows.keys() <= numbers:
            self._shape, self._columns, self._since, self._rows = shape, grid_columns(shape), version, {}
        sign = _sign(study)
        for trial in study.trials:
            known = self._rows.get(trial.number)
            if known is None or known[1] is not trial:
                self._rows[trial.number] = (version, trial, grid_row(shape, trial, sign))
        self._version = version


def _field(name: str, shape: TrialColumns) -> str:
    """A column's field: no name from outside, which might be read as a path, and the same after a restart."""
    if name == shape.objective:
        return "value"
    return name.replace(" ", "_") if name in _FIXED else f"p{zlib.crc32(name.encode()):08x}"


def _shown(cell: Cell, is_number: bool) -> Any:
    """Numbers as such, to nine digits; text with its tags before it."""
    if not is_number:
        return " · ".join([*cell.tags, *filter(None, [cell.text])])
    if isinstance(cell.value, float):
        return float(f"{cell.value:.9g}") if math.isfinite(cell.value) else None
    return cell.value
