"""How well each trial of a running study fits: judged at every measurement, kept in the trial's folder.

Plain numbers and numpy in the control process. Of a running trial the rows' losses of three rungs are held in memory;
of one that has ended nothing is read again, for what was made of its rows is kept with the verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ftsweep.analysis.comparison import best_trials
from ftsweep.config.build import build
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import TrialRecord
from ftsweep.domain.verdict import Verdict, verdict_tags
from ftsweep.errors import ConfigError
from ftsweep.store.atomic import read_json, written_file
from ftsweep.store.folders import StudyFolder, TrialFolder
from ftsweep.store.row_scores import RungLosses, read_validation_losses
from ftsweep.verdicts.curve import NO_TESTS, FitCurve, PairedTests, paired_z
from ftsweep.verdicts.facts import TrialFit
from ftsweep.verdicts.trial import FitVerdicts

GUARD = "fit"
"""The name of the judge among the guards."""


@dataclass
class Verdicts:
    """The judge of one study. `baseline` and `data` may be filled in after it was made: metrics of the untouched base
    and facts of the prepared set, by branch label.
    """

    folder: StudyFolder
    objective: Objective
    branches: Mapping[str, Branch]
    baseline: Mapping[str, Mapping[str, float]]
    data: Mapping[str, Mapping[str, Any]]
    found: dict[int, tuple[Verdict, ...]] = field(default_factory=dict)
    """What was last said of each trial that something was said of, by number."""

    def __post_init__(self) -> None:
        node = next(iter(self.branches.values())).config.get("guards", {}).get(GUARD, {"mode": "off"})
        self._judge = FitVerdicts(mode="off") if node["mode"] == "off" else _built(node)
        self._rows: dict[int, dict[int, RungLosses]] = {}  # of running trials: losses by rung
        self._tests: dict[int, PairedTests] = {}
        self._best_loss: float | None = None

    @property
    def is_on(self) -> bool:
        return self._judge.is_on

    def judge(self, record: TrialRecord) -> bool:
        """Judge a trial that has just measured or ended by all it has measured; whether its label has changed."""
        if not self.is_on:
            return False
        number = record.number
        tests = self._tests[number] = self._paired_tests(record)
        before = self._label(number)
        self._say(record, self._judge.judge(self._fit(record, tests)))
        if record.outcome is not None:
            self._rows.pop(number, None)
            if record.is_complete:
                self._note_loss(record)
        return self._label(number) != before

    def recover(self, records: Iterable[TrialRecord]) -> None:
        """Take up what earlier processes said of ended and paused trials; judge those again that were judged by other
        thresholds, or not at all.
        """
        if not self.is_on:
            return
        resting = [record for record in records if record.outcome is not None or record.pause is not None]
        for record in resting:
            if record.is_complete:
                self._note_loss(record)
        for record in resting:
            known = self._read(record)
            if known is None:
                self.judge(record)
            else:
                self._tests[record.number] = PairedTests(**known["tests"])
                self._find(record.number, map(Verdict.from_dict, known["verdicts"]))

    def settle(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        """When the search is over: judge complete trials by the study's best and by simple approaches, too.

        Those of which something else is said now.
        """
        if not self.is_on:
            return []
        complete = [record for record in records if record.is_complete]
        simple = self._simple_approaches(complete)
        changed = []
        for record in complete:
            own = record.proposal.branch or "main"  # whose best trial is no baseline, but where its search leads
            others = {name: values for name, values in simple.items() if name != own}
            fit = replace(self._fit(record, self._tests.get(record.number, NO_TESTS)), others=others)
            verdicts = self._judge.judge(fit)
            if tuple(verdicts) != self.found.get(record.number, ()):
                self._say(record, verdicts)
                changed.append(record)
        return changed

    def tags(self, number: int) -> dict[str, str]:
        """The trial's verdict as tags of its run; none before there is one."""
        return verdict_tags(self.found.get(number, ()))

    def _find(self, number: int, verdicts: Iterable[Verdict]) -> None:
        self.found[number] = tuple(verdicts)
        if not self.found[number]:
            del self.found[number]

    def _label(self, number: int) -> str:
        verdicts = self.found.get(number)
        return verdicts[0].label if verdicts else ""

    def _fit(self, record: TrialRecord, tests: PairedTests) -> TrialFit:
        branch = self.branches[record.proposal.branch]
        rows = self.data.get(branch.label, {}).get("num_examples", {})
        return TrialFit(
            record.measurements,
            self.objective,
            tests,
            rows.get("validation", 1),
            record.outcome,
            branch.config_with(record.proposal.params) if branch.role.trains else {},
            self.baseline.get(branch.label, {}),
            best_loss=self._best_loss,
        )

    def _paired_tests(self, record: TrialRecord) -> PairedTests:
        curve = FitCurve.of(record.measurements)
        if curve is None:
            return NO_TESTS
        best = curve.best
        start = curve.start if curve.has_start else best
        folder, known = self.folder.trial(record.number).path, self._rows.get(record.number, {})
        rows: dict[int, RungLosses] = {}
        for rung in {start, best, curve.end}:
            losses = known[rung] if rung in known else read_validation_losses(folder, rung)
            if losses is not None:
                rows[rung] = losses
        self._rows[record.number] = rows

        def compared(rung: int) -> float | None:
            if rung == best or rung not in rows or best not in rows:
                return None
            return paired_z(rows[rung].validation, rows[best].validation, rows[best].clusters)

        return PairedTests(compared(start), compared(curve.end))

    def _note_loss(self, record: TrialRecord) -> None:
        curve = FitCurve.of(record.measurements)
        if curve is not None:
            loss = curve.validation_at(curve.best)
            self._best_loss = loss if self._best_loss is None else min(loss, self._best_loss)

    def _simple_approaches(self, complete: list[TrialRecord]) -> dict[str, dict[str, float]]:
        """Metrics of the best trial of every branch whose strategy is a reference, by the branch's name."""
        by_number = {record.number: record for record in complete}
        found = {}
        for name, number in best_trials(complete, self.objective).items():
            best = self.objective.best(by_number[number].measurements)
            if best is not None and self.branches[name].role.is_reference:
                values = {key.partition("/")[2]: v for key, v in best.values.items() if key.startswith("validation/")}
                found[name or "main"] = values
        return found

    # -- on disk --------------------------------------------------------------------------------------------------

    def _say(self, record: TrialRecord, verdicts: list[Verdict]) -> None:
        self._find(record.number, verdicts)
        said = {
            **self._made_from(record),
            "tests": asdict(self._tests.get(record.number, NO_TESTS)),
            "verdicts": [verdict.to_dict() for verdict in verdicts],
        }
        _write(self.folder.trial(record.number), said)

    def _made_from(self, record: TrialRecord) -> dict[str, Any]:
        return {
            "rung": record.measurements[-1].rung if record.measurements else None,
            "outcome": record.outcome.kind.value if record.outcome else None,
            "settings": self._judge.settings,
        }

    def _read(self, record: TrialRecord) -> dict[str, Any] | None:
        """What was said of the trial; None where it was made from something else than there is now."""
        try:
            known: dict[str, Any] = read_json(self.folder.trial(record.number).fit_file)
        except (OSError, ValueError):
            return None
        now = self._made_from(record)
        return known if all(known.get(key) == value for key, value in now.items()) else None


def _built(node: Mapping[str, Any]) -> FitVerdicts:
    judge = build(node, where=f"guards.{GUARD}")
    if not isinstance(judge, FitVerdicts):
        raise ConfigError("this is no judge of trials", where=f"guards.{GUARD}", remedy="Name its class FitVerdicts.")
    return judge


def _write(folder: TrialFolder, said: Mapping[str, Any]) -> None:
    """Whole or not at all, but without waiting for the disk: what a crash takes away is judged again.

    The old file goes first: ext4 writes a file out when it takes the place of another, which takes twice as long.
    """
    path: Path = folder.fit_file
    with written_file(path, is_synced=False) as temporary:
        temporary.write_text(json.dumps(said), encoding="utf-8")
        path.unlink(missing_ok=True)
