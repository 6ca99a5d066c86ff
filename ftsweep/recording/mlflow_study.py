"""A study's place in MLflow: its experiment, its runs by name, its data set. MLflow is imported in methods."""

from __future__ import annotations

import getpass
import json
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ftsweep.domain.commands import quoted_command
from ftsweep.errors import StudyError
from ftsweep.recording.artifact_place import address
from ftsweep.recording.base import StudyFacts
from ftsweep.recording.ledger import Cursor, Ledger
from ftsweep.recording.mlflow_names import Names
from ftsweep.recording.mlflow_owner import OWNER, STUDY, check_study, owned
from ftsweep.recording.mlflow_place import PlaceKind
from ftsweep.recording.mlflow_run import TAG_LIMIT, MlflowRun, cut, is_refusal
from ftsweep.recording.shared_view import VIEW_TAG, view_state
from ftsweep.store.identity import store_identity

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

PARENT = "sweep"
_DIGEST_LIMIT = 36  # characters, MLflow's own
_SCHEMA_LIMIT = 1_048_575


class MlflowStudy:
    """Finds the study's experiment and runs, and makes what is missing.

    Runs are known by two tags, `ftsweep.study_id` and `ftsweep.run`, so they are found again whatever is lost here.

    Raises:
        StudyError: the experiment or the parent run was deleted.
    """

    def __init__(
        self, client: MlflowClient, uri: str, facts: StudyFacts, ledger: Ledger, *, kind: PlaceKind, names: Names
    ) -> None:
        self.client = client
        self.facts = facts
        self.ledger = ledger
        self.uri = uri
        self._kind = kind
        self.owner = store_identity(facts.folder.store)
        self.wanted = names.of(facts.folder.name)
        """What its experiment and its model should be called."""
        self.name = ""  # of the experiment: the wanted one, or with the store's behind it
        self.has_view = False
        """Whether the experiment has our view of its runs."""
        self._uncertain: set[str] = set()  # runs that may have been made by a call whose answer was lost
        self._view = ""
        self.experiment_id: str = self._find_experiment().experiment_id
        self.runs: dict[str, MlflowRun] = self._find_runs()
        self.parent = self.run(PARENT, None)
        if self.parent.is_deleted:
            place = quoted_command(uri)
            raise StudyError(
                f"the MLflow run {PARENT!r} of study {facts.folder.name!r} was deleted",
                where=uri,
                remedy=f"Restore it (MLFLOW_TRACKING_URI={place} mlflow runs restore --run-id {self.parent.run_id}), "
                "or give the study another name with study.name=...",
            )

    @property
    def has_own_database(self) -> bool:
        """Whether nobody but this store records there."""
        return self._kind == "own"

    @property
    def name_in_words(self) -> str:
        """What the experiment is called where its name was taken."""
        return f"{self.name} (another store has {self.wanted.experiment} there)"

    def share_view(self, params: Iterable[str] = ()) -> None:
        """Have the experiment's page show trials, best first, with these parameters beside those that it shows."""
        from mlflow.exceptions import MlflowException

        known = [name for run in self.runs.values() for name in run.params]
        names, branches = dict.fromkeys([*known, *params]), self.facts.config.get("branches")
        view = view_state(self.facts.objective, names, has_branches=bool(branches))
        if view == self._view:
            return
        try:
            self.client.set_experiment_tag(self.experiment_id, VIEW_TAG, view)
        except MlflowException as error:
            if not is_refusal(error):
                raise
        else:
            self.has_view = True
        self._view = view

    def run(self, name: str, started: float | None, tags: Mapping[str, str] | None = None) -> MlflowRun:
        """The run of this name: known, found again, or made as one that started then (None: now), with these tags."""
        if name in self.runs:
            return self.runs[name]
        found = next(self._search(f"tags.`ftsweep.run` = '{name}'"), None) if name in self._uncertain else None
        if found is None:
            self._uncertain.add(name)
            found = self._make_run(name, started, tags or {})
            self._uncertain.discard(name)
        run = self.runs[name] = MlflowRun(self.client, found)
        self.ledger.runs[name] = Cursor(run.run_id)
        self.ledger.save_soon()
        return run

    def log_dataset(self, run: MlflowRun) -> None:
        """The data set as an input of the run; nothing when it is there or not known yet."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = self.facts.data
        if run.has_dataset or not data.get("fingerprint"):
            return
        rows = dict(data.get("num_rows") or {})
        source = dict(self.facts.config.get("data") or {})
        dataset = Dataset(
            name=str(
                source.get("name") or str(source.get("_target_", self.facts.folder.name)).rpartition(".")[2].lower()
            ),
            digest=str(data["fingerprint"])[:_DIGEST_LIMIT],
            source_type="ftsweep",
            source=json.dumps(source, default=str),
            profile=json.dumps({"num_rows": sum(rows.values()), **rows}),
            schema=_schema_of(data),
        )
        context = InputTag("mlflow.data.context", ", ".join(rows) or "train")
        self.client.log_inputs(run.run_id, [DatasetInput(dataset, [context])])
        run.has_dataset = True

    def _artifact_location(self, name: str) -> str | None:
        """Where the artifacts of a new experiment are to lie; a server decides that by itself."""
        if self._kind == "server":
            return None
        if self._kind == "own":
            return address(name)
        return (self.facts.folder.store.artifacts.absolute() / name).as_uri()

    def _find_experiment(self) -> Experiment:
        if self._kind == "own":
            self.name = self.wanted.experiment
            experiment = self.client.get_experiment_by_name(self.name)
            if experiment is not None:
                check_study(self.name, self.facts.folder.name, experiment.tags)
        else:
            study, find = self.facts.folder.name, self.client.get_experiment_by_name
            self.name, experiment = owned(self.wanted.experiment, study, self.owner, find)
        if experiment is None:
            return self._make_experiment()
        if experiment.lifecycle_stage != "active":
            raise StudyError(
                f"the MLflow experiment {self.name!r} was deleted",
                where=self.uri,
                remedy=f"Restore it (MLFLOW_TRACKING_URI={quoted_command(self.uri)} mlflow experiments restore "
                f"--experiment-id {experiment.experiment_id}), or give the study another name with study.name=...",
            )
        self._check_place(experiment)
        return experiment

    def _make_experiment(self) -> Experiment:
        objective = self.facts.objective
        tags = {
            "mlflow.note.content": f"A study of ftsweep: {objective.direction} {objective.key}.",
            "mlflow.experimentKind": "custom_model_development",  # else the UI opens its pages for agents
            "mlflow.experiment.primaryMetric.name": f"value/{objective.key}",
            "mlflow.experiment.primaryMetric.greaterIsBetter": str(objective.direction == "maximize").lower(),
            STUDY: self.facts.folder.name,
            OWNER: self.owner,
        }
        is_named = self.wanted.experiment != self.facts.folder.name
        location = self._artifact_location(self.facts.folder.name if is_named else self.name)
        made = self.client.create_experiment(self.name, location, tags)
        return self.client.get_experiment(made)

    def _check_place(self, experiment: Experiment) -> None:
        """Refuse a database that would have artifacts written to where a moved store was before."""
        store = self.facts.folder.store
        place = urlsplit(experiment.artifact_location or "")
        if self._kind != "database" or place.scheme != "file":
            return
        former = Path(unquote(place.path)).parent.parent
        if former == store.root.absolute() or (former.exists() and former.samefile(store.root)):
            return
        link = quoted_command("ln", "-s", store.root.absolute(), former)
        raise StudyError(
            f"MLflow keeps the artifacts of study {self.facts.folder.name!r} in {former}, and the store lies in "
            f"{store.root.absolute()} now",
            where=self.uri,
            remedy=f"Let a link lead there ({link}), or set recording=none, or give the study another name with "
            "study.name=...",
        )

    def _find_runs(self) -> dict[str, MlflowRun]:
        """The study's runs by name; the ledger forgets cursors of runs that are gone.

        A folder with trials but without a ledger has lost it: its runs are those of the last parent run of this name.
        """
        if not self.ledger.study_id:
            parents = self._search(f"tags.`ftsweep.run` = '{PARENT}'", any_study=True)
            latest = next(parents, None) if self.facts.folder.trials() else None
            self.ledger.study_id = latest.data.tags["ftsweep.study_id"] if latest else uuid.uuid4().hex[:12]
        runs = {run.data.tags["ftsweep.run"]: MlflowRun(self.client, run) for run in self._search()}
        known = self.ledger.runs
        self.ledger.runs = {
            name: known[name] if name in known and known[name].run_id == run.run_id else Cursor(run.run_id)
            for name, run in runs.items()
        }
        self.ledger.save()
        return runs

    def _search(self, condition: str = "", *, any_study: bool = False) -> Iterator[Run]:
        """Runs of the experiment, newest first, deleted ones included."""
        from mlflow.entities import ViewType

        identity = "" if any_study else f"tags.`ftsweep.study_id` = '{self.ledger.study_id}'"
        condition = " and ".join(part for part in (identity, condition) if part)
        token: str | None = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], condition, ViewType.ALL, order_by=["start_time DESC"], page_token=token
            )
            yield from page
            if not (token := page.token):
                return

    def _make_run(self, name: str, started: float | None, more: Mapping[str, str]) -> Run:
        tags = {
            **{key: cut(value, TAG_LIMIT) for key, value in more.items()},
            STUDY: self.facts.folder.name,
            "ftsweep.study_id": self.ledger.study_id,
            "ftsweep.run": name,
            "mlflow.user": _user(),
            "mlflow.source.name": "ftsweep",
            "mlflow.source.type": "LOCAL",
        }
        if name != PARENT:
            trial = self.runs.get(name.partition("-of-")[2])  # whose setting a run with a fresh seed has
            tags["mlflow.parentRunId"] = (trial or self.parent).run_id
        start_time = None if started is None else round(started * 1000)
        return self.client.create_run(self.experiment_id, start_time, tags, name)


def _schema_of(data: Mapping[str, Any]) -> str | None:
    """The columns of train's first row as MLflow spells a schema; None where no row is to be had."""
    from mlflow.models import infer_signature
    from pandas import DataFrame

    try:
        with open(Path(data["folder"]) / "train.rows.jsonl", encoding="utf-8") as file:
            values = json.loads(file.readline())["values"]
    except (KeyError, OSError, ValueError):  # a record of a set that is not kept any more
        return None
    with warnings.catch_warnings(action="ignore"):  # that whole numbers cannot be missing
        signature = infer_signature(DataFrame([values]))
    text = json.dumps({"mlflow_colspec": signature.inputs.to_dict()})
    return text if len(text) <= _SCHEMA_LIMIT else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
