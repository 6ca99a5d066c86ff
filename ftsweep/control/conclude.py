"""The end of a study: choose, measure the model on test once, export it, register it, and write down the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftsweep.analysis.advice import advise
from ftsweep.analysis.comparison import compare
from ftsweep.analysis.fates import explain_no_winner
from ftsweep.analysis.forgetting import conclude_forgetting, curve_of, forgetting_limit, scaled_trials
from ftsweep.analysis.model_card import loading_from_mlflow, model_card, study_description
from ftsweep.analysis.result_record import forgetting_metrics, result_metrics, result_tags
from ftsweep.analysis.sentence import said_of_choice
from ftsweep.config.schema import SweepConfig
from ftsweep.control.choice import Choice, choose
from ftsweep.control.jobs import Jobs
from ftsweep.control.race import Race
from ftsweep.control.retention import let_go
from ftsweep.control.tested_once import Answers, TestSplit
from ftsweep.domain.data_scaling import DataScaling
from ftsweep.domain.forgetting import ScalePoint
from ftsweep.domain.importance import Importances
from ftsweep.domain.result import StudyResult, unfinished
from ftsweep.domain.scores import Flagged, Interval, read_flagged, read_intervals
from ftsweep.domain.trial import TrialRecord
from ftsweep.recording.base import ChosenModel, Recorder
from ftsweep.report.tables.approaches import approach_data
from ftsweep.report.tables.csv_text import csv_text
from ftsweep.report.tables.forgetting import scaling_data
from ftsweep.store.atomic import read_json, write_json, write_text
from ftsweep.store.folders import StudyFolder, TrialFolder
from ftsweep.store.result import approaches_file, model_folder, read_result, scaling_file, write_result


@dataclass(frozen=True)
class Ending:
    """A study whose search is over, and what it takes to conclude it."""

    config: SweepConfig
    folder: StudyFolder
    records: Sequence[TrialRecord]
    race: Race
    """The runs of the best trials with fresh seeds, as far as they were made."""
    jobs: Jobs
    recorder: Recorder
    baseline: Mapping[str, Mapping[str, float]]
    data: Mapping[str, Any]
    importances: Callable[[], Importances]
    """Waits for them, where they are still computed."""
    note: str = ""
    probe: Callable[[int], DataScaling] | None = None
    """Says of a trial's setting whether more data would help it; None when nobody asked."""
    scaling: Callable[[TrialFolder], Mapping[str, Any]] | None = None
    """The answer to the `scale` job of the run that lies there."""

    def conclude(self) -> StudyResult:
        """Choose, test, compare, export and register; then remove the weights that nobody needs any more.

        Written down before weights are removed, so that a killed conclusion is made again and chooses among the same
        models; what was measured on test is not measured again.
        """
        choice = choose(self.race)
        if choice is None:
            result = self._with_forgetting(self._compared(explain_no_winner(self.records), {}, None, {}), None)
            self.recorder.tag({**result_tags(result, self.config.objective), "description": self._description(result)})
        else:
            result = self._with_forgetting(self._judged(choice), choice)
            model = self._export(result, choice)
            self._record(result, model)
            result = replace(result, registered=self.recorder.register(model) or result.registered)
        write_result(self.folder, result)
        let_go(self.folder, self.records, self.config.objective, self.config.selection.top, result)
        return result

    # -- what the model is worth ----------------------------------------------------------------------------------

    def _judged(self, choice: Choice) -> StudyResult:
        """The result with its model measured on test, beside all that it is held against."""
        objective, model, setting = self.config.objective, choice.model, choice.setting
        split = TestSplit(self.folder, objective, self.data, self.jobs)
        answers = split.measure(self.records, choice, self.baseline)
        test = {name: answer["test"] for name, answer in answers.items()}
        sentence = said_of_choice(
            model,
            setting,
            self.records,
            objective,
            num_rungs=self.config.rungs.count,
            baseline=self.baseline,
            test=test,
            default=self.race.default,
        )
        intervals = {name: read_intervals(answer["intervals"]) for name, answer in answers.items()}
        result = self._compared(sentence, test, choice, intervals)
        data = self.data[choice.record.proposal.branch or "main"]
        approaches = result.approaches
        earlier = read_result(self.folder)
        is_registered = earlier is not None and earlier.model is not None and earlier.model.name == model.name
        again = model.number if setting is None else setting.number
        return replace(
            result,
            model=model,
            setting=setting,
            flagged=self._flagged(choice, answers),
            quantity=self.probe(again) if self.probe else None,
            intervals={name: found for name, found in intervals.items() if found},
            details={name: each["details"] for name, each in answers.items() if each["details"]},
            advice=advise(approaches, objective, winner=model.number, data=data) if approaches else "",
            registered=earlier.registered if earlier and is_registered else None,
        )

    def _compared(
        self,
        sentence: str,
        test: Mapping[str, Mapping[str, float]],
        choice: Choice | None,
        intervals: Mapping[str, Mapping[str, Interval]],
    ) -> StudyResult:
        """All of the result but what there is only with a model."""
        branches = [branch.name for branch in self.config.branches if branch.name]
        earlier = read_result(self.folder)
        looks, seen = (earlier.test_looks, earlier.test) if earlier else (0, {})
        scores: Any = {"baseline": self.baseline, "test": test, "data": self.data, "intervals": intervals}
        records = choice.standing_for(self.records) if choice else self.records
        chosen = choice.model if choice else None
        importances = self.importances()
        return StudyResult(
            sentence,
            test=test,
            baseline=dict(self.baseline),
            data=dict(self.data),
            importances=dict(importances.shares),
            importance_ranges=dict(importances.ranges),
            note=self.note,
            test_looks=looks + any(name not in seen for name in test),
            approaches=tuple(compare(records, self.config.objective, branches, **scores, chosen=chosen)),
            num_trials=len(self.records),
            unfinished=unfinished(self.records),
        )

    def _flagged(self, choice: Choice, answers: Answers) -> Flagged:
        """The model's scores on flagged and on clean rows by split, as `flagged` jobs answer them."""
        phase = "telling flagged rows from clean ones"
        validation = self.jobs.call(self.jobs.make.flagged(choice.folder, choice.model.rung), phase)
        test = answers.get(choice.model.name, {}).get("flagged", {})
        return read_flagged({"validation": validation, "test": test})

    # -- forgetting -----------------------------------------------------------------------------------------------

    def _with_forgetting(self, result: StudyResult, choice: Choice | None) -> StudyResult:
        """With what was forgotten, where that was measured; it goes on record."""
        records = choice.standing_for(self.records) if choice else self.records
        by_number = {record.number: record for record in records}
        own = {result.number: choice.folder} if choice else {}
        scaled = scaled_trials(records, self.config.objective, result.number)
        found = conclude_forgetting(
            records,
            self.config.objective,
            limit=forgetting_limit(self.config.branches[0].config),
            chosen=result.number,
            curves=[self._curve(by_number[each], own.get(each, self.folder.trial(each))) for each in scaled],
            study=self.config.study.name,
            store=self.folder.store.name,
        )
        if found is None:
            return result
        self.recorder.tag({"forgetting": " ".join(found.sentences)}, metrics=forgetting_metrics(found))
        self._keep_table(scaling_file(self.folder), csv_text(scaling_data(found)))
        return replace(result, forgetting=found)

    def _curve(self, record: TrialRecord, folder: TrialFolder) -> list[ScalePoint]:
        """Of a run's model with its trained change made smaller; measured once and kept in the run's folder."""
        file = folder.path / "scaling.json"
        if not file.exists() and (self.scaling is None or not folder.best.is_dir()):
            return []
        if not file.exists():
            assert self.scaling is not None
            write_json(file, self.scaling(folder))
        return curve_of(record, self.config.objective, read_json(file))

    # -- what is kept ---------------------------------------------------------------------------------------------

    def _export(self, result: StudyResult, choice: Choice) -> ChosenModel:
        """Have the model written to the study's folder."""
        destination, chosen = model_folder(self.folder), choice.model
        answer = self.jobs.call(self.jobs.make.export(choice.folder, destination), "exporting the chosen model")
        metrics = {f"value/{key}": value for key, value in chosen.values.items()}
        metrics |= {f"test/{name}": value for name, value in result.model_test.items()}
        branch = choice.record.proposal.branch or "main"
        return ChosenModel(
            number=chosen.number,
            seed=chosen.seed,
            folder=destination,
            input_example=answer["rows"],
            output_example=answer["answers"],
            metrics=metrics,
            tags={"branch": branch, "fresh_seed": str(chosen.seed), "sentence": result.sentence},
            description=self._card(result, choice),
        )

    def _card(self, result: StudyResult, choice: Choice) -> str:
        proposal, study = choice.record.proposal, self.config.study.name
        branch = next(each for each in self.config.branches if each.name == proposal.branch)
        return model_card(
            result,
            self.config.objective,
            study=study,
            branch=proposal.branch,
            config=branch.config_with(proposal.params),
            params=proposal.params,
            loading=loading_from_mlflow(study),
        )

    def _description(self, result: StudyResult) -> str:
        name, store = self.config.study.name, self.folder.store.name
        return study_description(result, self.records, self.config.objective, study=name, store=store)

    def _record(self, result: StudyResult, model: ChosenModel) -> None:
        """Put on record what the study came to: both answers, the importances, the approaches."""
        if result.approaches:
            self._keep_table(approaches_file(self.folder), csv_text(approach_data(result.approaches)))
        for key in self.race.fresh:
            self._record_fresh(self.race.record(key), key[1])
        tags = {**result_tags(result, self.config.objective), "description": self._description(result)}
        self.recorder.tag(tags, metrics={**model.metrics, **result_metrics(result, self.config.objective.metrics)})

    def _record_fresh(self, run: TrialRecord, seed: int) -> None:
        """A run of a trial's setting with a fresh seed, by which the choice was made."""
        proposal, best = replace(run.proposal, seed=seed), self.config.objective.best(run.measurements)
        assert run.outcome is not None
        if self.recorder.has_arrived(proposal):
            return
        tags = {"fresh_seed": str(seed), "branch": proposal.branch or "main"}
        self.recorder.begin_trial(proposal, tags=tags, params=proposal.params)
        self.recorder.measure_all(proposal, run.measurements)
        self.recorder.end_trial(proposal, run.outcome, best=best.values if best else {}, tags=tags)

    def _keep_table(self, file: Path, text: str) -> None:
        write_text(file, text)
        self.recorder.keep_artifacts([file])
