"""The facts of a study as plain values, and how they are read from its folder. No plotting here, no database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ftsweep.analysis.approach import Approach
from ftsweep.analysis.selection import is_feasible
from ftsweep.domain.finding import Finding
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Dimension
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.domain.verdict import Verdict
from ftsweep.errors import UsageError
from ftsweep.report.settings import read_settings
from ftsweep.report.study_fit import judged_study
from ftsweep.report.tables.approaches import read_approaches
from ftsweep.store.atomic import read_json, understood
from ftsweep.store.folders import StudyFolder, TrialFolder

RUNNING = "running"
"""The kind of a trial without an outcome; all other kinds are those of `OutcomeKind`."""

SPLIT_ORDER = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class TrialRow:
    """One trial. `value` is the objective at its best rung, None when it has none that counts as a measurement."""

    number: int
    branch: str
    params: Mapping[str, Any]
    kind: str
    reason: str = ""
    value: float | None = None
    best_rung: int | None = None
    curve: tuple[Measurement, ...] = ()
    train_seconds: float = 0.0
    is_default: bool = False
    is_best: bool = False
    error_class: str | None = None
    log_tail: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    """How well it fits, its own verdict first; none where that was not judged."""

    @property
    def is_complete(self) -> bool:
        return self.kind == OutcomeKind.COMPLETE

    @property
    def has_ended(self) -> bool:
        return self.kind != RUNNING

    @property
    def record(self) -> TrialRecord:
        """As the search knows it."""
        outcome = Outcome(OutcomeKind(self.kind), self.reason) if self.has_ended else None
        return TrialRecord(Proposal(self.number, self.branch, self.params, self.is_default), self.curve, outcome)

    @property
    def last_rung(self) -> int | None:
        return self.curve[-1].rung if self.curve else None

    def best_values(self) -> Mapping[str, float]:
        """All metrics at the best rung, by `<split>/<metric>`."""
        return next((point.values for point in self.curve if point.rung == self.best_rung), {})


@dataclass(frozen=True)
class TestRow:
    """What was measured once on the test split. `number` is None for an untouched base."""

    __test__ = False  # pytest would collect it by its name

    label: str
    number: int | None
    values: Mapping[str, float]


@dataclass(frozen=True)
class DataRow:
    """The data of one or more branches: its size per split, and what the checks found."""

    branches: tuple[str, ...] = ()
    num_rows: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class StudyRows:
    """Everything that a report of one study shows. A study that still runs has fewer of the optional parts."""

    name: str
    objective: Objective
    trials: tuple[TrialRow, ...] = ()
    num_rungs: int | None = None
    num_planned: int | None = None
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    """The declared space by parameter name, as far as the sweep file tells it."""
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Metrics of the untouched base, by branch label."""
    tests: tuple[TestRow, ...] = ()
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By model (`trial-0007`): what its scores on test are made of, as its task tells it."""
    intervals: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Of scores on test, by model and metric: `standard_error`, `low`, `high` (95 %)."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """How the winner was confirmed: see `ftsweep.analysis.confirmation.Choice.to_dict`; empty when it was not."""
    importances: Mapping[str, float] = field(default_factory=dict)
    data: tuple[DataRow, ...] = ()
    """One for all branches, or more where their data differ."""
    summary: Mapping[str, str] = field(default_factory=dict)
    """What was tuned, in a few words each: model, data, task, strategy."""
    config_text: str = ""
    sentence: str = ""
    """The study's verdict in one sentence; empty while nobody has given it."""
    is_final: bool = False
    """Whether the study has come to its end, so that the best is the winner and not only the best so far."""
    registered: str | None = None
    approaches: tuple[Approach, ...] = ()
    """Whole approaches side by side, the cheapest first; none in a study without branches."""
    advice: str = ""
    """Which approach to use, and what a cheaper one costs; empty before the study's end."""
    flagged: Mapping[str, Any] = field(default_factory=dict)
    """By split: the winner on rows that guards flagged, and on the others."""
    forgetting: Mapping[str, Any] = field(default_factory=dict)
    """What the limit on forgetting cost, and trials made smaller; {} where it was not measured."""
    quantity: Mapping[str, Any] = field(default_factory=dict)
    """The chosen setting on parts of train, and what that says; {} when nobody asked."""
    verdicts: tuple[Verdict, ...] = ()
    """What the study shows about its own search."""
    test_looks: int = 0
    """How many conclusions of this study measured models on test; more than one makes the numbers too good."""

    def params_of(self, trial: TrialRow) -> dict[str, Any]:
        """A trial's parameters in the order of the sweep file."""
        return {name: trial.params[name] for name in self.param_names if name in trial.params}

    @property
    def best(self) -> TrialRow | None:
        return next((trial for trial in self.trials if trial.is_best), None)

    @property
    def default(self) -> TrialRow | None:
        """The default setting; with branches, that of the best trial's branch."""
        defaults = [trial for trial in self.trials if trial.is_default]
        branch = self.best.branch if self.best else None
        return next((trial for trial in defaults if trial.branch == branch), defaults[0] if defaults else None)

    @property
    def param_names(self) -> tuple[str, ...]:
        """Parameters in the order of the sweep file."""
        return tuple(dict.fromkeys([*self.dimensions, *(name for trial in self.trials for name in trial.params)]))

    def param_path(self, name: str) -> str:
        """A parameter's dotted config path: its name without the branch's prefix."""
        branches = {trial.branch for trial in self.trials if name in trial.params}
        return next((name.removeprefix(f"{b}.") for b in branches if b and name.startswith(f"{b}.")), name)

    def baseline_value(self, branch: str) -> float | None:
        """The objective of the untouched base in a branch, None when it was not measured."""
        value = self.baselines.get(branch or "main", {}).get(self.objective.key)
        return value if value is not None and math.isfinite(value) else None


def read_study(
    folder: StudyFolder, *, importances: Mapping[str, float] | None = None, winner: int | None = None
) -> StudyRows:
    """The rows of a study, from its files alone; of a study that still runs as well.

    Without `winner` the one in `result.json` counts; before there is one, and when trials have been started since, the
    best complete trial so far.

    Raises:
        UsageError: the folder holds no study.
    """
    if not folder.sweep_file.exists():
        raise UsageError(f"there is no study {folder.name!r}", where=str(folder.path), remedy="See: ftsweep status")
    settings = read_settings(folder)
    result = folder.path / "result.json"
    with understood(result):
        notes = dict(read_json(result)) if result.exists() else {}
    trials = [_trial_row(trial, settings.objective) for trial in folder.trials() if trial.spec_file.exists()]
    is_concluded = bool(notes) and all(trial.has_ended for trial in trials)  # else it has gone on since
    number = winner
    if number is None and is_concluded:
        number = (notes.get("winner") or {}).get("number")
    elif number is None:
        number = _best_number(trials, settings.objective)
    rows = tuple(replace(trial, is_best=trial.number == number) for trial in trials)
    records = [trial.record for trial in rows]
    baseline = folder.baselines() | (notes.get("baseline") or {})
    return StudyRows(
        name=folder.name,
        objective=settings.objective,
        trials=rows,
        num_rungs=settings.num_rungs,
        num_planned=settings.num_planned,
        dimensions=settings.dimensions_of((trial.branch, trial.params) for trial in rows),
        baselines={label: _with_split("validation", values) for label, values in baseline.items()},
        tests=tuple(_test_row(label, values) for label, values in (notes.get("test") or {}).items()),
        details=dict(notes.get("details") or {}),
        intervals=dict(notes.get("intervals") or {}),
        evidence=dict(notes.get("evidence") or {}) if is_concluded else {},
        importances=dict(importances if importances is not None else notes.get("importances") or {}),
        data=_data_rows(notes.get("data") or {}),
        summary=settings.summary,
        config_text=settings.text,
        sentence=str(notes.get("sentence") or "") if is_concluded and winner is None else "",
        is_final=is_concluded or winner is not None,
        verdicts=tuple(judged_study(records, settings, number, notes.get("evidence"))),
        test_looks=int(notes.get("test_looks") or 0),
        approaches=read_approaches(folder, settings, notes if is_concluded else {}, baseline),
        advice=str(notes.get("advice") or "") if is_concluded and winner is None else "",
        registered=notes.get("registered"),
        flagged=dict(notes.get("flagged") or {}) if is_concluded and winner is None else {},
        forgetting=dict(notes.get("forgetting") or {}) if is_concluded and winner is None else {},
        quantity=dict(notes.get("quantity") or {}) if is_concluded and winner is None else {},
    )


def _trial_row(folder: TrialFolder, objective: Objective) -> TrialRow:
    spec, outcome, curve = folder.spec(), folder.outcome(), tuple(folder.measurements())
    best = objective.best(point for point in curve if math.isfinite(point.values.get(objective.key, math.nan)))
    return TrialRow(
        number=int(spec["number"]),
        branch=str(spec.get("branch") or ""),
        params=dict(spec.get("params") or {}),
        kind=outcome.kind.value if outcome else RUNNING,
        reason=outcome.reason if outcome else "",
        value=objective.value(best) if best else None,
        best_rung=best.rung if best else None,
        curve=curve,
        train_seconds=max((point.train_seconds for point in curve), default=0.0),
        is_default=bool(spec.get("is_default")),
        error_class=outcome.error_class if outcome else None,
        log_tail=outcome.log_tail if outcome else "",
        extra=dict(outcome.extra) if outcome else {},
        verdicts=folder.verdicts(),
    )


def _best_number(trials: Iterable[TrialRow], objective: Objective) -> int | None:
    best: TrialRow | None = None
    for trial in trials:
        if not trial.is_complete or trial.value is None or not is_feasible(trial.record):
            continue
        if best is None or best.value is None or objective.is_better(trial.value, best.value):
            best = trial
    return best.number if best else None


def _test_row(label: str, values: Mapping[str, float]) -> TestRow:
    digits = label.removeprefix("trial-")
    number = int(digits) if label.startswith("trial-") and digits.isdigit() else None
    return TestRow(label, number, _with_split("test", values))


def _with_split(split: str, values: Mapping[str, float]) -> dict[str, float]:
    """Metrics under the keys that measurements have: `<split>/<metric>`."""
    return {f"{split}/{metric}": value for metric, value in values.items()}


def _data_rows(data: Mapping[str, Mapping[str, Any]]) -> tuple[DataRow, ...]:
    """From the facts of every branch's prepared data; equal ones become one."""
    found: dict[tuple[Any, ...], DataRow] = {}
    for branch, facts in data.items():
        num_rows = facts.get("num_rows") or {}
        row = DataRow(
            num_rows={split: num_rows[split] for split in sorted(num_rows, key=lambda name: SPLIT_ORDER.get(name, 3))},
            fingerprint=str(facts.get("fingerprint") or ""),
            findings=tuple(Finding.from_dict(finding) for finding in facts.get("findings") or ()),
        )
        key = (tuple(row.num_rows.items()), row.fingerprint, row.findings)
        found[key] = replace(row, branches=(*found.get(key, row).branches, branch))
    return tuple(found.values())
