"""The record in MLflow: one experiment per study, a parent run `sweep`, one child run per trial.

MLflow is imported inside methods, and only its client is used: the fluent API is global state.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import PAUSED, Outcome, OutcomeKind, Proposal, StoredPause
from ftsweep.errors import StudyError
from ftsweep.recording.base import ChosenModel, Recorder, StudyFacts, run_name
from ftsweep.recording.ledger import Ledger
from ftsweep.recording.mlflow_artifacts import keep_files, keep_text
from ftsweep.recording.mlflow_model import register_model, registered_name
from ftsweep.recording.mlflow_names import Names
from ftsweep.recording.mlflow_place import MlflowPlace, prepare_environment
from ftsweep.recording.mlflow_run import MlflowRun, reaching
from ftsweep.recording.mlflow_samples import keep_samples
from ftsweep.recording.mlflow_study import MlflowStudy
from ftsweep.recording.shared_view import LEARNING_RATE
from ftsweep.store.folders import StudyFolder

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

_STATUS = {OutcomeKind.COMPLETE: "FINISHED", OutcomeKind.FAILED: "FAILED"}  # all others: KILLED
WINNER = "ftsweep.winner"
"""The tag by which the table of trials shows the chosen one."""
_ENDED = {kind.value for kind in OutcomeKind}


class MlflowRecorder(Recorder):
    """Records in MLflow. Calls raise RecorderAwayError while it cannot be reached; any call may be made again."""

    def __init__(
        self,
        *,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        model: str | None = None,
        system_metrics: bool = True,
    ) -> None:
        """Args: `tracking_uri` is a database or server (None: SQLite in the store); `experiment` and `model` are names
        (None: the study's); `system_metrics` adds the load of the control machine to the parent run.
        """
        self._place = MlflowPlace(tracking_uri)
        self._names = Names(experiment, model)
        self._system_metrics = system_metrics
        self._monitor: SystemMetricsMonitor | None = None
        self._ledger: Ledger | None = None
        self._study: MlflowStudy | None = None
        self._begun: set[str] = set()  # trials that are under way

    def get_ready(self, folder: StudyFolder) -> None:
        """Import MLflow and make the store's own database, which take seconds.

        With a ledger the database is left to `open`: where it is missing, the ledger has to be begun anew with it.
        """
        prepare_environment()
        import mlflow  # noqa: F401

        if not self._ledger_file(folder).exists():
            folder.store.root.mkdir(parents=True, exist_ok=True)
            self._place.make(folder.store)

    def open(self, facts: StudyFacts) -> None:
        """Find or make the experiment and its parent run, which is RUNNING from now on.

        Raises:
            StudyError: the experiment or its parent run was deleted, or MLflow refuses it.
            RecorderAwayError: MLflow cannot be reached now.
        """
        facts.folder.store.root.mkdir(parents=True, exist_ok=True)
        ledger = self._read_ledger(facts.folder)
        prepare_environment()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            with reaching(self._uri):
                self._place.make(facts.folder.store)
                client = MlflowClient(tracking_uri=self._uri)
                self._study = MlflowStudy(client, self._uri, facts, ledger, kind=self._place.kind, names=self._names)
                if self._names.model is not None:
                    registered_name(self._study)  # refused now rather than at the end
                self._begin_parent()
        except MlflowException as error:
            raise StudyError(
                f"MLflow refuses the study: {error.message}",
                where=self._uri,
                remedy="Check that recording.tracking_uri names an MLflow server or database, or set recording=none.",
            ) from error

    def is_finished(self, folder: StudyFolder) -> bool:
        return self._read_ledger(folder).is_finished

    def _read_ledger(self, folder: StudyFolder) -> Ledger:
        self._uri = self._place.uri(folder.store)
        place = self._place.name if self._names.experiment is None else f"{self._place.name} {self._names.experiment}"
        self._ledger = Ledger.read(self._ledger_file(folder), place)
        if self._place.is_missing(folder.store):  # deleted: what the ledger says has arrived is gone with it
            self._ledger = Ledger(self._ledger.path, place, self._ledger.study_id)
        return self._ledger

    @staticmethod
    def _ledger_file(folder: StudyFolder) -> Path:
        return folder.path / "recording.json"

    def _begin_parent(self) -> None:
        study, parent = self._opened, self._opened.parent
        parent.set_running()
        objective = study.facts.objective
        parent.send(
            tags={
                **self._study_tags(),
                "ftsweep.objective": f"{objective.direction} {objective.key}",
                "ftsweep.status": "running",
            }
        )
        study.log_dataset(parent)
        keep_text(study, parent, study.facts.sweep_text, "sweep.yaml", key="sweep.yaml")
        study.ledger.is_finished = False
        study.ledger.links.pop("MLflow experiment", None)
        if study.name != study.wanted.experiment:
            study.ledger.links["MLflow experiment"] = study.name_in_words
        study.share_view()
        study.ledger.links["MLflow"] = self._place.link(study.experiment_id, objective, is_shared=study.has_view)
        study.ledger.save()
        if self._system_metrics and self._monitor is None:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            self._monitor = SystemMetricsMonitor(parent.run_id, resume_logging=True, tracking_uri=self._uri)
            self._monitor.start()

    def begin_trial(
        self,
        proposal: Proposal,
        *,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        timestamp: float | None = None,
    ) -> None:
        name, study = run_name(proposal), self._opened
        with reaching(self._uri):
            own = {
                "ftsweep.outcome": "running",
                "branch": proposal.branch or "main",
                "is_default": str(proposal.is_default).lower(),
            }
            tags = {**self._study_tags(), **own, **tags}
            run = study.run(name, timestamp, tags)
            if run.is_deleted or run.tags.get("ftsweep.outcome") in _ENDED:
                return
            self._begun.add(name)
            run.set_running()
            run.send(tags=tags, params={**_for_comparison(params), **params})
            study.log_dataset(run)
            study.share_view(run.params)

    def measure_all(self, proposal: Proposal, measurements: Sequence[Measurement]) -> None:
        if not measurements:
            return
        name, study = run_name(proposal), self._opened
        with reaching(self._uri):
            run = study.run(name, measurements[0].timestamp)
            cursor = study.ledger.runs[name]
            new = [measurement for measurement in measurements if measurement.rung > cursor.rung]
            if run.is_deleted or not new:
                return
            run.send(history=new)
            cursor.rung = new[-1].rung
            study.ledger.save_soon()

    def pause_trial(self, proposal: Proposal, pause: StoredPause, *, timestamp: float | None = None) -> None:
        name, timestamp = run_name(proposal), time.time() if timestamp is None else timestamp
        with reaching(self._uri):
            run = self._opened.run(name, timestamp)
            if not run.is_deleted and run.tags.get("ftsweep.outcome") not in _ENDED:
                run.send(tags={"ftsweep.outcome": PAUSED, "ftsweep.pause": pause.sentence})
                run.end("KILLED", timestamp)
            self._begun.discard(name)

    def end_trial(
        self,
        proposal: Proposal,
        outcome: Outcome,
        *,
        best: Mapping[str, float],
        tags: Mapping[str, str],
        timestamp: float | None = None,
    ) -> None:
        name, study = run_name(proposal), self._opened
        timestamp = time.time() if timestamp is None else timestamp
        with reaching(self._uri):
            run = study.run(name, timestamp)
            if not run.is_deleted:
                own = {"ftsweep.outcome": outcome.kind.value, "ftsweep.reason": outcome.reason}
                metrics = {f"value/{key}": value for key, value in best.items()} | outcome.extra.get("metrics", {})
                keep_samples(study, run, proposal)
                run.send(tags={**tags, **own}, metrics=metrics, timestamp=timestamp)
                run.end(_STATUS.get(outcome.kind, "KILLED"), timestamp)
            self._begun.discard(name)
            study.ledger.runs[name].has_ended = True
            study.ledger.save_soon()

    def has_arrived(self, proposal: Proposal) -> bool:
        cursor = self._ledger.runs.get(run_name(proposal)) if self._ledger else None
        return cursor is not None and cursor.has_ended

    def tag(
        self, tags: Mapping[str, str], *, metrics: Mapping[str, float] | None = None, timestamp: float | None = None
    ) -> None:
        with reaching(self._uri):
            timestamp = time.time() if timestamp is None else timestamp
            self._opened.parent.send(tags=tags, metrics=metrics, timestamp=timestamp)

    def keep_artifacts(self, files: Sequence[Path]) -> None:
        keep_files(self._opened, files)

    def register(self, model: ChosenModel) -> str | None:
        study = self._opened
        with reaching(self._uri):
            trial = study.run(run_name(Proposal(model.number, "", {})), None)
            run = study.run(run_name(Proposal(model.number, "", {}, seed=model.seed)), None)
            uri = register_model(study, run, model)
            for other in study.runs.values():
                if other not in (run, trial) and WINNER in other.tags and not other.is_deleted:
                    other.send(tags={WINNER: "no longer"})
            run.send(tags={WINNER: "winner"})
            if model.seed:
                trial.send(tags={WINNER: f"winner with fresh seed {model.seed}"})
        study.ledger.links["registered model"] = uri
        study.ledger.save()
        return uri

    def add_scores(self, folder: StudyFolder, number: int, metrics: Mapping[str, float]) -> None:
        cursor = self._read_ledger(folder).runs.get(run_name(Proposal(number, "", {})))
        if cursor is None:
            return
        prepare_environment()
        from mlflow import MlflowClient

        with reaching(self._uri):
            client = MlflowClient(tracking_uri=self._uri)
            run = MlflowRun(client, client.get_run(cursor.run_id))
            if not run.is_deleted:
                run.send(metrics=metrics, timestamp=time.time())

    def links(self) -> Mapping[str, str]:
        return dict(self._ledger.links) if self._ledger else {}

    def close(self, *, finished: bool) -> list[str]:
        """End the parent run; trials under way are KILLED and `interrupted` until they go on."""
        if self._monitor is not None:
            self._monitor.finish()
            self._monitor = None
        if self._study is None:
            return []
        now = time.time()
        with reaching(self._uri):
            for name in sorted(self._begun):
                self._interrupt(self._study.runs[name], now)
                self._begun.discard(name)
            self._study.parent.send(tags={"ftsweep.status": "finished" if finished else "interrupted"})
            self._study.parent.end("FINISHED" if finished else "KILLED", now)
            self._study.ledger.is_finished = finished
            self._study.ledger.save()
        return []

    def _interrupt(self, run: MlflowRun, timestamp: float) -> None:
        run.send(tags={"ftsweep.outcome": "interrupted"})
        run.end("KILLED", timestamp)

    def _study_tags(self) -> dict[str, str]:
        """What all runs of the study carry; MLflow shows a commit as the version of the source."""
        facts = self._opened.facts
        tags = {"data_fingerprint": str(facts.data.get("fingerprint", "")), **facts.tags}
        if "git_commit" in tags:
            tags["mlflow.source.git.commit"] = tags["git_commit"]
        return tags

    @property
    def _opened(self) -> MlflowStudy:
        if self._study is None:
            raise RuntimeError("the recorder is used before it was opened")
        return self._study


def _for_comparison(params: Mapping[str, Any]) -> dict[str, Any]:
    """The learning rate by its bare name: MLflow's comparison of runs opens on the first three by the alphabet."""
    rates = [value for name, value in params.items() if name.rpartition(".")[2] == LEARNING_RATE]
    return {LEARNING_RATE: rates[0]} if rates else {}
