"""What a page says beside its figures: verdict, key numbers, evidence, the table of trials. Pure functions of rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ftsweep.analysis.comparison import base_label, distinct_bases
from ftsweep.domain.verdict import VerdictSeverity
from ftsweep.report.rows import DataRow, StudyRows, TestRow, TrialRow
from ftsweep.report.wording import NOTHING, number, param, plural, seconds

OUTCOME_ORDER = ("complete", "pruned", "running", "stopped", "diverged", "infeasible", "failed")


@dataclass(frozen=True)
class Tile:
    """One key number: what it is, the number, and what to hold it against."""

    label: str
    value: str
    note: str = ""
    is_main: bool = False


@dataclass(frozen=True)
class Comparison:
    """Winner, default setting and untouched base side by side. Cells are words; an absent number is a dash."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Cell:
    text: str
    order: str
    """What the column is sorted by: a number as text, or a word; empty sorts last."""
    is_number: bool = True


@dataclass(frozen=True)
class TrialLine:
    trial: TrialRow
    cells: tuple[Cell, ...]
    remark: str


@dataclass(frozen=True)
class TrialTable:
    columns: tuple[str, ...]
    num_params: int
    """How many of the columns, at the end, are parameters."""
    lines: tuple[TrialLine, ...]


def verdict(rows: StudyRows) -> str:
    """The study's own sentence; while there is none, what is known so far."""
    if rows.sentence:
        return rows.sentence
    ended = sum(trial.has_ended for trial in rows.trials)
    planned = f" of {rows.num_planned}" if rows.num_planned else ""
    best = rows.best
    if not rows.trials:
        return "No trial has started yet."
    if best is None or best.value is None:
        return f"{ended}{planned} trials have ended, and none of them is complete with a value."
    what = "Chosen" if rows.is_final else f"{ended}{planned} trials have ended. Best so far"
    return f"{what}: trial {best.number}, {rows.objective.key} {number(best.value)} at rung {best.best_rung}."


def tiles(rows: StudyRows) -> list[Tile]:
    """The numbers that a reader looks for first: test, validation, default setting, untouched base."""
    best, default, key = rows.best, rows.default, rows.objective.key
    found = []
    tested = _tested(rows, best)
    test_key = f"test/{rows.objective.metric}"
    if tested is not None and test_key in tested.values:
        optimism = f"validation {number(best.value)}" if best and best.value is not None else ""
        found.append(Tile(f"{test_key} · winner", number(tested.values[test_key]), optimism, is_main=True))
    if best is not None and best.value is not None:
        label = "winner" if rows.is_final else "best so far"
        of = f" of {rows.num_rungs}" if rows.num_rungs else ""
        found.append(
            Tile(f"{key} · {label}", number(best.value), f"trial {best.number}, rung {best.best_rung}{of}", not found)
        )
    if default is not None and default.value is not None:
        found.append(Tile(f"{key} · default setting", number(default.value), _against(rows, default.value)))
    base = rows.baseline_value(best.branch if best else next((trial.branch for trial in rows.trials), ""))
    if base is not None:
        found.append(Tile(f"{key} · untouched base", number(base), _against(rows, base)))
    return found


def _against(rows: StudyRows, value: float) -> str:
    """How much better the best trial is than `value`."""
    best = rows.best
    if best is None or best.value is None:
        return ""
    gain = value - best.value if rows.objective.direction == "minimize" else best.value - value
    if gain == 0 or math.isnan(gain):
        return "the best is equal"
    share = f" ({abs(gain / value):.0%})" if value else ""
    return f"the best is {number(abs(gain), digits=3)}{share} {'better' if gain > 0 else 'worse'}"


def _tested(rows: StudyRows, trial: TrialRow | None) -> TestRow | None:
    return next((test for test in rows.tests if trial is not None and test.number == trial.number), None)


def comparison(rows: StudyRows) -> Comparison | None:
    """All metrics of winner, default setting and base on validation and test; None when there is nothing to compare."""
    best = rows.best
    lines: list[tuple[str, Mapping[str, float]]] = []
    defaults = [trial for trial in rows.trials if trial.is_default and not trial.is_best]
    for trial in [*([best] if best else []), *defaults]:
        label = "default setting" if not trial.is_best else "winner" if rows.is_final else "best so far"
        branch = f" of {trial.branch}" if trial.branch else ""
        test = _tested(rows, trial)
        measured = {**trial.best_values(), **(test.values if test else {})}
        lines.append((f"Trial {trial.number} · {label}{branch if trial in defaults else ''}", measured))
    bases = [test for test in rows.tests if test.number is None]
    own = (best.branch or "main") if best else ""
    groups = distinct_bases(rows.baselines, own)
    for labels in groups:
        name = "Untouched base" if len(groups) == 1 else f"Untouched base ({', '.join(labels)})"
        tested = next((test.values for test in bases if test.label == base_label(labels, own)), {})
        lines.append((name, {**rows.baselines[labels[0]], **tested}))
    if not rows.baselines:
        lines += [(test.label.capitalize(), test.values) for test in bases]
    keys = list(dict.fromkeys(key for _, values in lines for key in values if not key.startswith("train/")))
    keys.sort(key=lambda key: (key.startswith("test/"), key.partition("/")[2] != rows.objective.metric, key))
    if not keys or len(lines) < 2:
        return None
    return Comparison(
        tuple(keys), tuple((label, tuple(number(values.get(key)) for key in keys)) for label, values in lines)
    )


def outcome_counts(rows: StudyRows) -> list[tuple[str, int]]:
    counts = Counter(trial.kind for trial in rows.trials)
    return [(kind, counts[kind]) for kind in OUTCOME_ORDER if counts[kind]]


def facts(rows: StudyRows) -> list[tuple[str, str]]:
    """What was tuned and what it cost, as label and words."""
    found = list(rows.summary.items())
    if rows.num_rungs:
        found.append(("rungs", str(rows.num_rungs)))
    total = sum(trial.train_seconds for trial in rows.trials)
    found.append(("training time of all trials", seconds(total)))
    if rows.registered:
        found.append(("registered as", rows.registered))
    return found


def trial_table(rows: StudyRows) -> TrialTable:
    """One line per trial. Branches share the column of one config path, so that their values can be compared."""
    paths = list(dict.fromkeys(rows.param_path(name) for name in rows.param_names))
    has_branches = any(trial.branch for trial in rows.trials)
    has_fits = any(trial.verdicts for trial in rows.trials)
    columns = ["trial", *(["branch"] if has_branches else []), "outcome", *(["fit"] if has_fits else [])]
    columns += [rows.objective.key, "best rung", "time"]
    lines = []
    for trial in rows.trials:
        by_path = {rows.param_path(name): value for name, value in trial.params.items()}
        cells = [_cell(trial.number)]
        if has_branches:
            cells.append(Cell(trial.branch or "main", trial.branch, is_number=False))
        cells.append(Cell(trial.kind, f"{OUTCOME_ORDER.index(trial.kind)}", is_number=False))
        if has_fits:
            cells.append(_fit(trial))
        cells.append(Cell(number(trial.value), _order(trial.value)))
        cells.append(Cell(_rungs(trial), _order(trial.best_rung)))
        cells.append(Cell(seconds(trial.train_seconds) if trial.curve else NOTHING, f"{trial.train_seconds:.3f}"))
        cells += [_cell(by_path[path]) if path in by_path else Cell("", "") for path in paths]
        lines.append(TrialLine(trial, tuple(cells), _remark(trial)))
    return TrialTable((*columns, *paths), len(paths), tuple(lines))


def _fit(trial: TrialRow) -> Cell:
    """The trial's own verdict; sorted by how bad it is."""
    if not trial.verdicts:
        return Cell(NOTHING, "", is_number=False)
    first = trial.verdicts[0]
    order = list(VerdictSeverity).index(first.severity)
    return Cell(first.label + ("+" if len(trial.verdicts) > 1 else ""), f"{order} {first.label}", is_number=False)


def _rungs(trial: TrialRow) -> str:
    if trial.best_rung is None:
        return NOTHING
    return str(trial.best_rung) if trial.best_rung == trial.last_rung else f"{trial.best_rung} of {trial.last_rung}"


def _remark(trial: TrialRow) -> str:
    if trial.error_class and not trial.reason.startswith(trial.error_class):
        return f"{trial.error_class}: {trial.reason}"
    return trial.reason


def _cell(value: object) -> Cell:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(param(value), repr(value) if is_number else param(value), is_number)


def _order(value: float | None) -> str:
    return "" if value is None else repr(value)


def data_line(data: DataRow) -> str:
    """The data's size and identity in one line."""
    parts = [f"{split}: {plural(count, 'row')}" for split, count in data.num_rows.items()]
    return " · ".join(parts + ([f"fingerprint {data.fingerprint[:16]}"] if data.fingerprint else []))
