"""The end of a study: choose the winner, measure it on test once, export it, and write down the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ftsweep.analysis.advice import advise
from ftsweep.analysis.approach import Approach, as_csv
from ftsweep.analysis.comparison import base_label, best_trials, compare, distinct_bases, kept_trials
from ftsweep.analysis.confirmation import candidate_of, choose_confirmed
from ftsweep.analysis.flagged_rows import record_metrics, record_tags
from ftsweep.analysis.forgetting import (
    ScalePoint,
    conclude_forgetting,
    curve_of,
    forgetting_limit,
    forgetting_metrics,
    scaled_trials,
    scaling_csv,
)
from ftsweep.analysis.selection import Selection, choose_best, explain_no_winner
from ftsweep.analysis.sentence import winner_sentence
from ftsweep.config.schema import SweepConfig
from ftsweep.domain.trial import TrialRecord
from ftsweep.recording.base import ChosenModel, Recorder
from ftsweep.store.atomic import read_json, remove, understood, write_json, write_text
from ftsweep.store.folders import StudyFolder

Call = Callable[[str, str, int, Mapping[str, Any]], dict[str, Any]]
"""Runs one job about an ended trial on a worker: kind, what goes on in words, the trial's number, extra keys."""


@dataclass(frozen=True)
class Conclusion:
    """What a study came to. `winner` is None when no trial completed; then `sentence` says why."""

    sentence: str
    winner: Mapping[str, Any] | None = None
    test: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of test scores, by model and metric
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by model: what its test scores are made of
    evidence: Mapping[str, Any] = field(default_factory=dict)  # how the winner was confirmed; {}: it was not
    flagged: Mapping[str, Any] = field(default_factory=dict)  # by split: the winner on flagged and on clean rows
    quantity: Mapping[str, Any] = field(default_factory=dict)  # whether more data would help; {}: not asked
    forgetting: Mapping[str, Any] = field(default_factory=dict)  # what the limit cost, scaled trials; {}: not measured
    baseline: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    importances: Mapping[str, float] = field(default_factory=dict)
    registered: str | None = None
    note: str = ""  # why the study ended before its number of trials, if it did
    test_looks: int = 0  # how many conclusions measured models on test; more than one is worth knowing
    approaches: Sequence[Mapping[str, Any]] = ()  # with branches: an Approach each, the cheapest first
    advice: str = ""  # with branches: which to use, and what a cheaper one costs
    num_trials: int = 0  # that the study had when this was concluded

    @classmethod
    def read(cls, folder: StudyFolder) -> Conclusion | None:
        """The result of a study; None while it has none."""
        file = result_file(folder)
        if not file.exists():
            return None
        with understood(file):
            return cls(**read_json(file))

    def write(self, folder: StudyFolder) -> None:
        write_json(result_file(folder), asdict(self))

    @property
    def number(self) -> int | None:
        return None if self.winner is None else int(self.winner["number"])

    def evidence_tags(self) -> dict[str, str]:
        """Why the winner was chosen, and how often models were measured on test, as a record's tags."""
        tags = {"test_looks": str(self.test_looks)} if self.test else {}
        if self.evidence:
            tags["chosen_because"] = str(self.evidence["reason"])
            tags["distinguishable"] = str(self.evidence["is_distinguishable"]).lower()
        return tags

    def evidence_metrics(self) -> dict[str, float]:
        """The winner's mean and spread over fresh seeds, and the 95 % intervals of its test scores, by metric name."""
        own = [each for each in self.evidence.get("candidates", ()) if each["number"] == self.number]
        found = {f"confirmed/{key}": each[key] for each in own for key in ("mean", "spread") if each[key] is not None}
        if self.number is not None:
            for metric, interval in self.intervals.get(f"trial-{self.number:04d}", {}).items():
                found |= {f"test/{metric}_{end}": interval[end] for end in ("low", "high")}
        return found

    def compared(self) -> list[Approach]:
        """The approaches side by side; none in a study without branches."""
        return [Approach.from_dict(approach) for approach in self.approaches]


def result_file(folder: StudyFolder) -> Path:
    return folder.path / "result.json"


def model_folder(folder: StudyFolder) -> Path:
    """Where the chosen model of a study lies, ready to predict."""
    return folder.path / "model"


def scaling_file(folder: StudyFolder) -> Path:
    """What trials score and forget with their trained change made smaller, as a table."""
    return folder.path / "scaling.csv"


def comparison_file(folder: StudyFolder) -> Path:
    """The comparison of approaches as a table, which MLflow shows."""
    return folder.path / "approaches.csv"


@dataclass(frozen=True)
class Ending:
    """A study whose search is over, and what it takes to conclude it."""

    config: SweepConfig
    folder: StudyFolder
    records: Sequence[TrialRecord]
    call: Call
    recorder: Recorder
    baseline: Mapping[str, Mapping[str, float]]
    data: Mapping[str, Any]
    importances: Mapping[str, float]
    note: str = ""
    confirmations: Mapping[int, Sequence[TrialRecord]] = field(default_factory=dict)
    """Runs of the best trials with fresh seeds, by trial number."""
    probe: Callable[[int], Mapping[str, Any]] | None = None
    """Says of a trial's setting whether more data would help it; None when nobody asked."""
    scaling: Callable[[int], Mapping[str, Any]] | None = None
    """The answer to a trial's `scale` job."""

    def conclude(self) -> Conclusion:
        """Choose, test, compare, export and register; then remove the weights that nobody needs any more.

        Written down last, so that a killed conclusion is made again; what was measured on test is not measured again.
        """
        selection, evidence = self._choose()
        if selection is None:
            conclusion = self._with_forgetting(self._conclusion(explain_no_winner(self.records), {}))
        else:
            conclusion = self._with_forgetting(replace(self._with_winner(selection), evidence=evidence))
            model = self._export(conclusion)
            self._record(conclusion, model)
            conclusion = replace(conclusion, registered=self.recorder.register(model) or conclusion.registered)
        top = self.config.selection.top
        needed = kept_trials(self.records, self.config.objective, top=top, chosen=conclusion.number)
        for number in {record.number for record in self.records} - needed:
            remove(self.folder.trial(number).best)
        conclusion.write(self.folder)
        return conclusion

    def _with_forgetting(self, conclusion: Conclusion) -> Conclusion:
        """With what was forgotten, where that was measured; it goes on record."""
        scaled = scaled_trials(self.records, self.config.objective, conclusion.number)
        found = conclude_forgetting(
            self.records,
            self.config.objective,
            limit=forgetting_limit(self.config.branches[0].config),
            chosen=conclusion.number,
            curves=[self._curve(number) for number in scaled],
            study=self.config.study.name,
        )
        if not found:
            return conclusion
        self.recorder.tag({"forgetting": " ".join(found["sentences"])}, metrics=forgetting_metrics(found))
        write_text(scaling_file(self.folder), scaling_csv(found))
        self.recorder.keep_artifacts([scaling_file(self.folder)])
        return replace(conclusion, forgetting=found)

    def _curve(self, number: int) -> list[ScalePoint]:
        """Of a trial's model with its trained change made smaller; measured once and kept in the trial's folder."""
        folder, record = self.folder.trial(number), self._record_of(number)
        file = folder.path / "scaling.json"
        if not file.exists() and (self.scaling is None or not folder.best.is_dir()):
            return []
        if not file.exists():
            assert self.scaling is not None
            write_json(file, self.scaling(number))
        return curve_of(record, self.config.objective, read_json(file))

    def _choose(self) -> tuple[Selection | None, dict[str, Any]]:
        """The confirmed winner with the evidence for it; the search's own choice where nothing was run again."""
        objective = self.config.objective
        selection = choose_best(self.records, objective)
        candidates = [
            candidate_of(self._record_of(number), runs, objective) for number, runs in self.confirmations.items()
        ]
        choice = choose_confirmed(candidates, objective, self._difference) if candidates else None
        if selection is None or choice is None:
            return selection, {}
        best = objective.best(self._record_of(choice.number).measurements)
        assert best is not None
        selection = replace(
            selection, number=choice.number, value=objective.value(best), rung=best.rung, reason=choice.reason
        )
        return selection, choice.to_dict()

    def _difference(self, left: int, right: int) -> tuple[float, float] | None:
        """Of two trials' confirmation runs, paired over the validation rows, with its standard error."""
        objective = self.config.objective
        if objective.split != "validation":
            return None
        sides: dict[str, Any] = {}
        for side, number in (("left", left), ("right", right)):
            rungs = [objective.best(run.measurements) for run in self.confirmations[number]]
            folders = [self.folder.confirmation(number, index).path for index in range(1, len(rungs) + 1)]
            sides[side] = [
                [str(folder.absolute()), best.rung] for folder, best in zip(folders, rungs, strict=True) if best
            ]
        phase = f"comparing trials {left} and {right} row by row"
        answer = self.call("compare", phase, left, {**sides, "metric": objective.metric})
        return (answer["difference"], answer["standard_error"]) if answer else None

    def _with_winner(self, selection: Selection) -> Conclusion:
        objective, winner = self.config.objective, self._record_of(selection.number)
        answers = self._measure_test(winner)
        test = {model: answer["test"] for model, answer in answers.items()}
        conclusion = self._conclusion(
            winner_sentence(
                selection,
                self.records,
                objective,
                num_rungs=self.config.rungs.count,
                baseline=self.baseline,
                test=test,
            ),
            test,
            chosen=winner.number,
        )
        approaches = conclusion.compared()
        rows = self.data[winner.proposal.branch or "main"]["num_rows"]
        earlier = Conclusion.read(self.folder)
        return replace(
            conclusion,
            winner={key: getattr(selection, key) for key in ("number", "value", "rung", "reason")},
            flagged=self._flagged(winner, answers),
            quantity=self.probe(winner.number) if self.probe else {},
            intervals={model: answer["intervals"] for model, answer in answers.items() if answer["intervals"]},
            details={model: answer["details"] for model, answer in answers.items() if answer["details"]},
            advice=advise(approaches, objective, winner=winner.number, num_rows=rows) if approaches else "",
            registered=earlier.registered if earlier and earlier.number == winner.number else None,
        )

    def _conclusion(
        self, sentence: str, test: Mapping[str, Mapping[str, float]], chosen: int | None = None
    ) -> Conclusion:
        """All but what there is only with a winner."""
        branches = [branch.name for branch in self.config.branches if branch.name]
        earlier = Conclusion.read(self.folder)
        looks, seen = (earlier.test_looks, earlier.test) if earlier else (0, {})
        scores = {"baseline": self.baseline, "test": test, "data": self.data}
        approaches = compare(self.records, self.config.objective, branches, **scores, chosen=chosen)
        return Conclusion(
            sentence,
            test=test,
            baseline=dict(self.baseline),
            data=dict(self.data),
            importances=dict(self.importances),
            note=self.note,
            test_looks=looks + any(model not in seen for model in test),
            approaches=[approach.to_dict() for approach in approaches],
            num_trials=len(self.records),
        )

    def _measure_test(self, winner: TrialRecord) -> dict[str, dict[str, Any]]:
        """The test jobs' answers by model: the winner, every branch's best, default settings, untouched bases.

        Each is measured once and kept in the trial's folder. Branches whose data has no test split are left out.
        """
        best = best_trials(self.records, self.config.objective, winner.number)
        numbers = list(best.values())
        numbers += [record.number for record in self.records if record.proposal.is_default and record.is_complete]
        answers = {
            f"trial-{number:04d}": self._tested(number, is_base=False)
            for number in dict.fromkeys(numbers)
            if self._has_test(number)
        }
        own = winner.proposal.branch or "main"
        for labels in distinct_bases(self.baseline, own):
            trials = [number for branch, number in best.items() if (branch or "main") in labels]  # best first
            if trials and self._has_test(trials[0]):
                answers[base_label(labels, own)] = self._tested(trials[0], is_base=True)
        return answers

    def _flagged(self, winner: TrialRecord, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The winner's scores on flagged and on clean rows by split, as `flagged` jobs tell them."""
        best = self.config.objective.best(winner.measurements)
        assert best is not None
        phase = "telling flagged rows from clean ones"
        found = {"validation": self.call("flagged", phase, winner.number, {"rung": best.rung})}
        found["test"] = answers.get(f"trial-{winner.number:04d}", {}).get("flagged", {})
        return {split: parts for split, parts in found.items() if parts}

    def _tested(self, number: int, *, is_base: bool) -> dict[str, Any]:
        """The answer to the test job about a trial, or about its untouched base: from its folder, or measured now."""
        file = self.folder.trial(number).path / ("test-base.json" if is_base else "test.json")
        if not file.exists():
            phase = f"measuring {'the untouched base' if is_base else f'trial {number}'} on test"
            write_json(file, self.call("test", phase, number, {"untouched": True} if is_base else {}))
        answer: dict[str, Any] = read_json(file)
        return answer

    def _has_test(self, number: int) -> bool:
        return bool(self.data[self._record_of(number).proposal.branch or "main"]["has_test"])

    def _record_of(self, number: int) -> TrialRecord:
        return next(record for record in self.records if record.number == number)

    def _export(self, conclusion: Conclusion) -> ChosenModel:
        """Have the winner's model written to the study's folder."""
        assert conclusion.number is not None
        destination = model_folder(self.folder)
        extra = {"destination": str(destination.absolute())}
        answer = self.call("export", "exporting the chosen model", conclusion.number, extra)
        winner = self._record_of(conclusion.number)
        best = self.config.objective.best(winner.measurements)
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

    def _record(self, conclusion: Conclusion, model: ChosenModel) -> None:
        """Tell the record what the study came to: the winner, the importances, the approaches."""
        tags = {"winner": f"trial-{model.number:04d}", "sentence": conclusion.sentence, **conclusion.evidence_tags()}
        tags |= {"ended_because": conclusion.note} if conclusion.note else {}
        metrics = {**model.metrics, **{f"importance/{name}": value for name, value in self.importances.items()}}
        metrics |= conclusion.evidence_metrics()
        metrics |= record_metrics(conclusion.flagged, conclusion.quantity, self.config.objective.metrics)
        tags |= record_tags(conclusion.flagged, conclusion.quantity, self.config.objective)
        approaches = conclusion.compared()
        for approach in approaches:
            tags |= approach.tags()
            metrics |= approach.metrics()
        if approaches:
            tags["advice"] = conclusion.advice
            file = comparison_file(self.folder)
            write_text(file, as_csv(approaches))
            self.recorder.keep_artifacts([file])
        self.recorder.tag(tags, metrics=metrics)
