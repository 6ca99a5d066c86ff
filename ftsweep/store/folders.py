"""Where things lie on disk: the store, a study's folder, a trial's folder. Standard library only."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.names import NAME_REMEDY, is_name
from ftsweep.domain.trial import Outcome, Proposal, StoredPause, TrialRecord
from ftsweep.domain.verdict import Verdict
from ftsweep.errors import UsageError
from ftsweep.store.atomic import append_line, read_json, read_lines, remove, understood, write_json
from ftsweep.store.lease import Lease
from ftsweep.store.manifest import StudyManifest


@dataclass(frozen=True)
class Store:
    """The folder of everything that is kept (`store.path`), shared by all studies."""

    root: Path

    @property
    def name(self) -> str | Path:
        """What a command takes as --store: the folder, or the address whose working folder this is (`address`)."""
        file = self.root / "address"
        return file.read_text(encoding="utf-8").strip() if file.is_file() else self.root

    @property
    def mlflow_database(self) -> Path:
        return self.root / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def optuna_database(self) -> Path:
        return self.root / "optuna.db"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def study(self, name: str) -> StudyFolder:
        if not is_name(name):
            raise UsageError(f"{name!r} cannot be a study's name", where="study.name", remedy=NAME_REMEDY)
        return StudyFolder(self.root / "studies" / name)

    def studies(self) -> list[StudyFolder]:
        """The studies in this store, by name."""
        return [StudyFolder(path.parent) for path in sorted(self.root.glob("studies/*/sweep.yaml"))]


@dataclass(frozen=True)
class StudyFolder:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def store(self) -> Store:
        return Store(self.path.parent.parent)

    @property
    def sweep_file(self) -> Path:
        """The sweep as composed; its existence makes the folder a study."""
        return self.path / "sweep.yaml"

    @property
    def manifest_file(self) -> Path:
        """What the study is; see `ftsweep.store.manifest`."""
        return self.path / "study.json"

    def manifest(self) -> StudyManifest:
        """What the study is: for whoever reads it once."""
        return StudyManifest.read(self.manifest_file)

    @property
    def data_file(self) -> Path:
        """Fingerprints of the data that the study's trials were made with, by branch label."""
        return self.path / "data.json"

    @property
    def lanes_file(self) -> Path:
        """How many trials each worker trains at once, where that was measured."""
        return self.path / "lanes.json"

    @property
    def threads_file(self) -> Path:
        """How workers share the cores, where that was chosen; see `ftsweep.control.threads`."""
        return self.path / "threads.json"

    @property
    def lease(self) -> Lease:
        """Who owns the study."""
        return Lease(self.path)

    @property
    def is_running(self) -> bool:
        """Whether a live process owns the study."""
        return self.lease.is_held

    @property
    def owner(self) -> str:
        """The process that owns the study; see `Lease.owner`."""
        return self.lease.owner

    def locked(self) -> AbstractContextManager[None]:
        """Own the study for the length of a block; see `Lease.taken`."""
        return self.lease.taken()

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    @property
    def control_log(self) -> Path:
        return self.path / "control.log"

    @property
    def lost_file(self) -> Path:
        return self.path / "workers" / "lost.jsonl"

    def note_lost(self, job: str, worker: str, reason: str) -> None:
        """Write down that a worker died or fell silent over a job."""
        append_line(self.lost_file, {"timestamp": time.time(), "job": job, "worker": worker, "reason": reason})

    def lost_workers(self) -> list[dict[str, Any]]:
        """What `note_lost` wrote, in order: `timestamp`, `job`, `worker`, `reason`."""
        return list(read_lines(self.lost_file))

    def trial(self, number: int) -> TrialFolder:
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def baseline(self, branch_label: str) -> TrialFolder:
        return TrialFolder(self.path / "trials" / f"baseline-{branch_label}")

    def baselines(self) -> dict[str, dict[str, float]]:
        """Validation metrics of the untouched bases that have been measured, by branch label."""
        found = {}
        for file in sorted(self.path.glob("trials/baseline-*/baseline.json")):
            with understood(file):
                values = {str(key): float(value) for key, value in read_json(file).items()}
            found[file.parent.name.removeprefix("baseline-")] = values
        return found

    @property
    def confirmations(self) -> Path:
        """Runs of chosen trials with fresh seeds."""
        return self.path / "confirmations"

    def confirmation(self, number: int, index: int) -> TrialFolder:
        """The run of a trial with its fresh seed number `index`, counted from 1."""
        return TrialFolder(self.confirmations / f"{number:04d}-{index}")

    def run(self, number: int, seed: int) -> TrialFolder:
        """A run of a trial's setting: the search's own, seed 0, or one with a fresh seed."""
        return self.confirmation(number, seed) if seed else self.trial(number)

    def fresh_runs(self) -> list[tuple[int, int]]:
        """Number of the trial and of the fresh seed of every run with one that was begun."""
        folders = map(TrialFolder, sorted(self.confirmations.glob("[0-9]*-[0-9]*")))
        names = [folder.path.name.split("-") for folder in folders if folder.spec_file.exists()]
        return [(int(number), int(seed)) for number, seed in names]

    def confirmed(self) -> list[TrialRecord]:
        """The runs with fresh seeds that were begun, as records of the trials whose settings they have."""
        return [self.run(number, seed).record(seed=seed) for number, seed in self.fresh_runs()]

    def quantity(self, number: int, share: float, index: int) -> TrialFolder:
        """The run of a trial's setting on a share of train, with its fresh seed number `index`."""
        return TrialFolder(self.path / "quantity" / f"{number:04d}-{round(100 * share):03d}-{index}")

    def trials(self) -> list[TrialFolder]:
        """Folders of numbered trials, by number."""
        return [TrialFolder(path) for path in sorted(self.path.glob("trials/[0-9]*"), key=lambda path: int(path.name))]

    def records(self) -> list[TrialRecord]:
        """Every trial of the study as its folder tells it, by number."""
        return [folder.record() for folder in self.trials() if folder.spec_file.exists()]

    def verdicts(self) -> dict[int, tuple[Verdict, ...]]:
        """Of every trial that has some, by number."""
        return {int(folder.path.name): found for folder in self.trials() if (found := folder.verdicts())}

    @property
    def has_trials(self) -> bool:
        """Whether any trial was ever begun."""
        return any(trial.spec_file.exists() for trial in self.trials())

    def forget_baselines(self) -> None:
        """Remove what was found out about data and untouched bases, before there was any trial."""
        remove(self.data_file)
        for path in self.path.glob("trials/baseline-*"):
            remove(path)


@dataclass(frozen=True)
class TrialFolder:
    path: Path

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

    @property
    def measurements_file(self) -> Path:
        return self.path / "measurements.jsonl"

    @property
    def outcome_file(self) -> Path:
        return self.path / "outcome.json"

    @property
    def pause_file(self) -> Path:
        return self.path / "pause.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def best(self) -> Path:
        """The kept weights: those of the best rung."""
        return self.path / "best"

    @property
    def fit_file(self) -> Path:
        """How well the trial fits: its verdicts and what they were made from."""
        return self.path / "fit.json"

    def verdicts(self) -> tuple[Verdict, ...]:
        """What was last said of the trial's fit; nothing before its first measurement, or when that was off."""
        try:
            return tuple(map(Verdict.from_dict, read_json(self.fit_file)["verdicts"]))
        except (OSError, ValueError, KeyError, TypeError):  # a verdict is made again, it is not state
            return ()

    @property
    def log_file(self) -> Path:
        return self.path / "worker.log"

    def spec(self) -> dict[str, Any]:
        with understood(self.spec_file):
            spec: dict[str, Any] = read_json(self.spec_file)
            Proposal(int(spec["number"]), str(spec["branch"]), dict(spec["params"]), bool(spec["is_default"]))
        return spec

    def measurements(self) -> list[Measurement]:
        """Measurements in order of rung; of two lines for one rung the first counts."""
        by_rung: dict[int, Measurement] = {}
        for line in read_lines(self.measurements_file):
            with understood(self.measurements_file):
                measurement = Measurement.from_dict(line)
            by_rung.setdefault(measurement.rung, measurement)
        return [by_rung[rung] for rung in sorted(by_rung)]

    def outcome(self) -> Outcome | None:
        if not self.outcome_file.exists():
            return None
        with understood(self.outcome_file):
            return Outcome.from_dict(read_json(self.outcome_file))

    def pause(self) -> StoredPause | None:
        """Where its pruner paused the trial last; None: it never was."""
        if not self.pause_file.exists():
            return None
        with understood(self.pause_file):
            return StoredPause(**read_json(self.pause_file))

    def record(self, *, seed: int = 0) -> TrialRecord:
        """The trial, whose spec is there, as its folder tells it; `seed` is that of its run."""
        spec, measurements, outcome = self.spec(), tuple(self.measurements()), self.outcome()
        proposal = Proposal(spec["number"], spec["branch"], spec["params"], spec["is_default"], seed)
        return TrialRecord(proposal, measurements, outcome, self.pause() if outcome is None else None)

    def write_outcome(self, outcome: Outcome) -> None:
        """Write the outcome: the last thing of a trial, so its existence means that the trial ended."""
        write_json(self.outcome_file, outcome.to_dict())

    def log_tail(self, num_lines: int = 20) -> str:
        if not self.log_file.exists():
            return ""
        with open(self.log_file, "rb") as file:
            file.seek(max(0, self.log_file.stat().st_size - 32_768))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-num_lines:])
