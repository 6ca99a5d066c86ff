"""The end of a study: choose the winner, measure it on test once, export it, register it, and write down the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftsweep.analysis.advice import advise
from ftsweep.analysis.comparison import compare, kept_trials
from ftsweep.analysis.confirmation import candidate_of, choose_confirmed
from ftsweep.analysis.forgetting import conclude_forgetting, curve_of, forgetting_limit, scaled_trials
from ftsweep.analysis.result_record import forgetting_metrics, result_metrics, result_tags
from ftsweep.analysis.selection import Selection, choose_best, explain_no_winner
from ftsweep.analysis.sentence import winner_sentence
from ftsweep.config.schema import SweepConfig
from ftsweep.control.jobs import Jobs
from ftsweep.control.tested_once import Answers, TestSplit
from ftsweep.domain.confirmed import Choice
from ftsweep.domain.data_scaling import DataScaling
from ftsweep.domain.forgetting import ScalePoint
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.result import StudyResult, Winner, model_name
from ftsweep.domain.scores import Flagged, read_flagged, read_intervals
from ftsweep.domain.trial import TrialRecord
from ftsweep.recording.base import ChosenModel, Recorder
from ftsweep.report.tables.approaches import approach_data
from ftsweep.report.tables.csv_text import csv_text
from ftsweep.report.tables.forgetting import scaling_data
from ftsweep.store.atomic import read_json, remove, write_json, write_text
from ftsweep.store.folders import StudyFolder
from ftsweep.store.result import approaches_file, model_folder, read_result, scaling_file, write_result


@dataclass(frozen=True)
class Ending:
    """A study whose search is over, and what it takes to conclude it."""

    config: SweepConfig
    folder: StudyFolder
    records: Sequence[TrialRecord]
    jobs: Jobs
    recorder: Recorder
    baseline: Mapping[str, Mapping[str, float]]
    data: Mapping[str, Any]
    importances: Mapping[str, float]
    note: str = ""
    confirmations: Mapping[int, Sequence[TrialRecord]] = field(default_factory=dict)
    """Runs of the best trials with fresh seeds, by trial number."""
    probe: Callable[[int], DataScaling] | None = None
    """Says of a trial's setting whether more data would help it; None when nobody asked."""
    scaling: Callable[[int], Mapping[str, Any]] | None = None
    """The answer to a trial's `scale` job."""

    def conclude(self) -> StudyResult:
        """Choose, test, compare, export and register; then remove the weights that nobody needs any more.

        Written down last, so that a killed conclusion is made again; what was measured on test is not measured again.
        """
        selection, evidence = self._choose()
        if selection is None:
            result = self._with_forgetting(self._compared(explain_no_winner(self.records), {}, None))
        else:
            result = self._with_forgetting(self._judged(selection, evidence))
            model = self._export(result)
            self._record(result, model)
            result = replace(result, registered=self.recorder.register(model) or result.registered)
        self._remove_weights(result.number)
        write_result(self.folder, result)
        return result

    # -- the choice -----------------------------------------------------------------------------------------------

    def _choose(self) -> tuple[Selection | None, Choice | None]:
        """The confirmed winner with the evidence for it; the search's own choice where nothing was run again."""
        objective = self.config.objective
        selection = choose_best(self.records, objective)
        candidates = [
            candidate_of(self._record_of(number), runs, objective) for number, runs in self.confirmations.items()
        ]
        choice = choose_confirmed(candidates, objective, self._difference) if candidates else None
        if selection is None or choice is None:
            return selection, None
        best = self._best_rung(choice.number)
        value = objective.value(best)
        return replace(selection, number=choice.number, value=value, rung=best.rung, reason=choice.reason), choice

    def _difference(self, left: int, right: int) -> tuple[float, float] | None:
        """Of two trials' confirmation runs, paired over the validation rows, with its standard error."""
        objective = self.config.objective
        if objective.split != "validation":
            return None
        job = self.jobs.make.compare(left, self._best_runs(left), self._best_runs(right), objective.metric)
        answer = self.jobs.call(job, f"comparing trials {left} and {right} row by row")
        return (answer["difference"], answer["standard_error"]) if answer else None

    def _best_runs(self, number: int) -> list[tuple[Path, int]]:
        """A trial's confirmation runs by folder, each with its best rung."""
        rungs = [self.config.objective.best(run.measurements) for run in self.confirmations[number]]
        folders = [self.folder.confirmation(number, index).path for index in range(1, len(rungs) + 1)]
        return [(folder, best.rung) for folder, best in zip(folders, rungs, strict=True) if best]

    # -- what the winner is worth ---------------------------------------------------------------------------------

    def _judged(self, selection: Selection, evidence: Choice | None) -> StudyResult:
        """The result with its winner measured on test, beside all that it is held against."""
        objective, winner = self.config.objective, self._record_of(selection.number)
        split = TestSplit(self.folder, objective, self.data, self.jobs)
        answers = split.measure(self.records, winner, self.baseline)
        test = {model: answer["test"] for model, answer in answers.items()}
        num_rungs, baseline = self.config.rungs.count, self.baseline
        sentence = winner_sentence(
            selection, self.records, objective, num_rungs=num_rungs, baseline=baseline, test=test
        )
        result = self._compared(sentence, test, winner.number)
        num_rows = self.data[winner.proposal.branch or "main"]["num_rows"]
        approaches = result.approaches
        earlier = read_result(self.folder)
        intervals = {model: read_intervals(answer["intervals"]) for model, answer in answers.items()}
        return replace(
            result,
            winner=Winner(selection.number, selection.value, selection.rung, selection.reason),
            evidence=evidence,
            flagged=self._flagged(selection, answers),
            quantity=self.probe(winner.number) if self.probe else None,
            intervals={model: found for model, found in intervals.items() if found},
            details={model: each["details"] for model, each in answers.items() if each["details"]},
            advice=advise(approaches, objective, winner=winner.number, num_rows=num_rows) if approaches else "",
            registered=earlier.registered if earlier and earlier.number == winner.number else None,
        )

    def _compared(self, sentence: str, test: Mapping[str, Mapping[str, float]], chosen: int | None) -> StudyResult:
        """All of the result but what there is only with a winner."""
        branches = [branch.name for branch in self.config.branches if branch.name]
        earlier = read_result(self.folder)
        looks, seen = (earlier.test_looks, earlier.test) if earlier else (0, {})
        scores = {"baseline": self.baseline, "test": test, "data": self.data}
        return StudyResult(
            sentence,
            test=test,
            baseline=dict(self.baseline),
            data=dict(self.data),
            importances=dict(self.importances),
            note=self.note,
            test_looks=looks + any(model not in seen for model in test),
            approaches=tuple(compare(self.records, self.config.objective, branches, **scores, chosen=chosen)),
            num_trials=len(self.records),
        )

    def _flagged(self, selection: Selection, answers: Answers) -> Flagged:
        """The winner's scores on flagged and on clean rows by split, as `flagged` jobs answer them."""
        phase = "telling flagged rows from clean ones"
        validation = self.jobs.call(self.jobs.make.flagged(selection.number, selection.rung), phase)
        test = answers.get(model_name(selection.number), {}).get("flagged", {})
        return read_flagged({"validation": validation, "test": test})

    # -- forgetting -----------------------------------------------------------------------------------------------

    def _with_forgetting(self, result: StudyResult) -> StudyResult:
        """With what was forgotten, where that was measured; it goes on record."""
        scaled = scaled_trials(self.records, self.config.objective, result.number)
        found = conclude_forgetting(
            self.records,
            self.config.objective,
            limit=forgetting_limit(self.config.branches[0].config),
            chosen=result.number,
            curves=[self._curve(number) for number in scaled],
            study=self.config.study.name,
        )
        if found is None:
            return result
        self.recorder.tag({"forgetting": " ".join(found.sentences)}, metrics=forgetting_metrics(found))
        self._keep_table(scaling_file(self.folder), csv_text(scaling_data(found)))
        return replace(result, forgetting=found)

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

    # -- what is kept ---------------------------------------------------------------------------------------------

    def _export(self, result: StudyResult) -> ChosenModel:
        """Have the winner's model written to the study's folder."""
        assert result.number is not None
        destination = model_folder(self.folder)
        answer = self.jobs.call(self.jobs.make.export(result.number, destination), "exporting the chosen model")
        metrics = {f"best/{key}": value for key, value in self._best_rung(result.number).values.items()}
        metrics |= {f"test/{name}": value for name, value in result.winner_test.items()}
        return ChosenModel(
            number=result.number,
            folder=destination,
            input_example=answer["rows"],
            output_example=answer["answers"],
            metrics=metrics,
            tags={"branch": self._record_of(result.number).proposal.branch or "main", "sentence": result.sentence},
        )

    def _record(self, result: StudyResult, model: ChosenModel) -> None:
        """Put on record what the study came to: the winner, the importances, the approaches."""
        if result.approaches:
            self._keep_table(approaches_file(self.folder), csv_text(approach_data(result.approaches)))
        tags = result_tags(result, self.config.objective)
        self.recorder.tag(tags, metrics={**model.metrics, **result_metrics(result, self.config.objective.metrics)})

    def _keep_table(self, file: Path, text: str) -> None:
        write_text(file, text)
        self.recorder.keep_artifacts([file])

    def _remove_weights(self, chosen: int | None) -> None:
        """Of trials that nobody needs any more."""
        needed = kept_trials(self.records, self.config.objective, top=self.config.selection.top, chosen=chosen)
        for number in {record.number for record in self.records} - needed:
            remove(self.folder.trial(number).best)

    def _record_of(self, number: int) -> TrialRecord:
        return next(record for record in self.records if record.number == number)

    def _best_rung(self, number: int) -> Measurement:
        best = self.config.objective.best(self._record_of(number).measurements)
        assert best is not None
        return best
