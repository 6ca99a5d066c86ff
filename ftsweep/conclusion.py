"""The end of a study: choose the winner, measure it on test once, export it, and write down the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.config.schema import SweepConfig
from ftsweep.domain.trial import TrialRecord
from ftsweep.recording.base import ChosenModel, Recorder
from ftsweep.search.selection import Selection, choose_best, explain_no_winner
from ftsweep.workspace import StudyFolder, read_json, write_json

Call = Callable[[str, str, int, Mapping[str, Any]], dict[str, Any]]
"""Runs one job about an ended trial on a worker: kind, what goes on in words, the trial's number, extra keys."""


@dataclass(frozen=True)
class Conclusion:
    """What a study came to. `winner` is None when no trial completed; then `sentence` says why."""

    sentence: str
    winner: Mapping[str, Any] | None = None
    test: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by model: what its test scores are made of
    baseline: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    importances: Mapping[str, float] = field(default_factory=dict)
    registered: str | None = None
    note: str = ""  # why the study ended before its number of trials, if it did
    test_looks: int = 0  # how often a chosen model was measured on test; more than once is worth knowing

    @classmethod
    def read(cls, folder: StudyFolder) -> Conclusion | None:
        """The result of a study; None while it has none."""
        file = result_file(folder)
        return cls(**read_json(file)) if file.exists() else None

    def write(self, folder: StudyFolder) -> None:
        write_json(result_file(folder), asdict(self))

    @property
    def number(self) -> int | None:
        return None if self.winner is None else int(self.winner["number"])


def result_file(folder: StudyFolder) -> Path:
    return folder.path / "result.json"


def model_folder(folder: StudyFolder) -> Path:
    """Where the chosen model of a study lies, ready to predict."""
    return folder.path / "model"


def conclude(
    config: SweepConfig,
    folder: StudyFolder,
    records: Sequence[TrialRecord],
    *,
    call: Call,
    recorder: Recorder,
    baseline: Mapping[str, Mapping[str, float]],
    data: Mapping[str, Any],
    importances: Mapping[str, float],
    note: str = "",
) -> Conclusion:
    """Choose, test, export and register. What an earlier conclusion has measured for the same winner is kept."""
    facts: dict[str, Any] = {
        "baseline": dict(baseline),
        "data": dict(data),
        "importances": dict(importances),
        "note": note,
    }
    earlier = Conclusion.read(folder)
    test_looks = earlier.test_looks if earlier else 0
    selection = choose_best(records, config.objective)
    if selection is None:
        conclusion = Conclusion(explain_no_winner(records), test_looks=test_looks, **facts)
        conclusion.write(folder)
        return conclusion
    if earlier is not None and earlier.number == selection.number:
        test, details, registered = earlier.test, earlier.details, earlier.registered
    else:
        answers = _measure_test(records, selection, call, data)
        test = {model: answer["test"] for model, answer in answers.items()}
        details = {model: answer["details"] for model, answer in answers.items() if answer["details"]}
        registered = None
        test_looks += bool(test)
    conclusion = Conclusion(
        sentence=_sentence(config, selection, test, baseline, records),
        winner={
            "number": selection.number,
            "value": selection.value,
            "rung": selection.rung,
            "reason": selection.reason,
        },
        test=test,
        details=details,
        registered=registered,
        test_looks=test_looks,
        **facts,
    )
    conclusion.write(folder)
    model = _export(config, folder, records, conclusion, call)
    recorder.tag(
        {"winner": f"trial-{selection.number:04d}", "sentence": conclusion.sentence},
        metrics={**model.metrics, **{f"importance/{name}": value for name, value in importances.items()}},
    )
    registered = recorder.register(model)
    if registered is not None:
        conclusion = Conclusion(**{**asdict(conclusion), "registered": registered})
        conclusion.write(folder)
    return conclusion


def _measure_test(
    records: Sequence[TrialRecord], selection: Selection, call: Call, data: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The test jobs' answers for winner, default setting and untouched base; {} when the data has no test split."""
    winner = next(record for record in records if record.number == selection.number)
    if not data[winner.proposal.branch or "main"]["has_test"]:
        return {}
    numbers = [winner.number]
    numbers += [
        record.number
        for record in records
        if record.proposal.is_default and record.is_complete and record is not winner
    ]
    test = {
        f"trial-{number:04d}": call("test", f"measuring trial {number} on test", number, {})
        for number in numbers
    }
    test["baseline"] = call("test", "measuring the untouched base on test", winner.number, {"untouched": True})
    return test


def _export(
    config: SweepConfig, folder: StudyFolder, records: Sequence[TrialRecord], conclusion: Conclusion, call: Call
) -> ChosenModel:
    assert conclusion.number is not None
    destination = model_folder(folder)
    answer = call(
        "export", "exporting the chosen model", conclusion.number, {"destination": str(destination.absolute())}
    )
    winner = next(record for record in records if record.number == conclusion.number)
    best = config.objective.best(winner.measurements)
    metrics = {f"best/{key}": value for key, value in best.values.items()} if best else {}
    tested = conclusion.test.get(f"trial-{conclusion.number:04d}", {})
    metrics.update({f"test/{name}": value for name, value in tested.items()})
    return ChosenModel(
        number=conclusion.number,
        folder=destination,
        input_example=answer["rows"],
        output_example=answer["answers"],
        metrics=metrics,
        tags={"branch": winner.proposal.branch or "main", "sentence": conclusion.sentence},
    )


def _sentence(
    config: SweepConfig,
    selection: Selection,
    test: Mapping[str, Mapping[str, float]],
    baseline: Mapping[str, Mapping[str, float]],
    records: Sequence[TrialRecord],
) -> str:
    """The winner in one sentence, with what it is compared to."""
    objective = config.objective
    winner = next(record for record in records if record.number == selection.number)
    where = f" of branch {winner.proposal.branch}" if winner.proposal.branch else ""
    metric = objective.metric
    rung = f"rung {selection.rung} of {config.rungs.count}"
    text = f"Trial {selection.number}{where} is best: {objective.key} {selection.value:.4g} at {rung}"
    base = baseline.get(winner.proposal.branch or "main", {}).get(metric)
    if base is not None:
        is_gain = objective.is_better(selection.value, base)
        text += f" ({'' if is_gain else 'no better than the '}untouched base {base:.4g})"
    scores = test.get(f"trial-{selection.number:04d}", {})
    if scores:
        shown = (
            next((name for name in ("macro_f1", "accuracy") if name in scores), metric) if metric == "loss" else metric
        )
        peers = [record for record in records if record.proposal.branch == winner.proposal.branch]  # its own branch's
        defaults = [f"trial-{record.number:04d}" for record in peers if record.proposal.is_default]
        default = next((name for name in defaults if name in test and not winner.proposal.is_default), None)
        against = [f"default setting {test[default][shown]:.4g}"] if default else []
        if shown in test.get("baseline", {}):
            against.append(f"untouched base {test['baseline'][shown]:.4g}")
        text += f"; on test {shown} {scores[shown]:.4g}" + (f" ({', '.join(against)})" if against else "")
    return text + "."
