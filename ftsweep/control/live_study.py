"""One study in the process that runs it: its parts put together, and its phases from data to conclusion."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ftsweep.config.schema import SweepConfig
from ftsweep.control.conclude import Ending
from ftsweep.control.confirm import Confirmation
from ftsweep.control.data_scaling import QuantityProbe
from ftsweep.control.database import DatabaseNotes
from ftsweep.control.heeding import Heeding
from ftsweep.control.jobs import Jobs
from ftsweep.control.lanes import settle_lanes
from ftsweep.control.listeners import Judging, Recording
from ftsweep.control.lost_workers import LostWorkers
from ftsweep.control.monitor import StudyMonitor
from ftsweep.control.prepare import check_data, measured_baseline, prepare_data
from ftsweep.control.race import Race
from ftsweep.control.retention import Retention
from ftsweep.control.stopping import Stopping
from ftsweep.control.sweep import Sweep
from ftsweep.control.trials import Trials
from ftsweep.domain.data_scaling import DataScaling
from ftsweep.domain.result import StudyResult
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import TrialRecord
from ftsweep.executors.base import Executor
from ftsweep.recording.base import Recorder
from ftsweep.search.study import Study
from ftsweep.store.folders import StudyFolder, TrialFolder
from ftsweep.store.inbox import Inbox
from ftsweep.store.requests import Requests
from ftsweep.verdicts.live import Verdicts


@dataclass
class LiveStudy:
    """A study that this process runs, and whose lock it holds. Its phases in order: `prepare`, `measure_baselines`,
    `search`, `conclude`. Each may be stopped, and a later process goes on with it.
    """

    config: SweepConfig
    folder: StudyFolder
    study: Study
    executor: Executor
    recorder: Recorder
    watch: Callable[[StudyState], None] = lambda snapshot: None
    clock: Callable[[], float] = time.monotonic
    data: dict[str, Any] = field(default_factory=dict)
    """Facts of the prepared sets, by branch label."""
    baseline: dict[str, dict[str, float]] = field(default_factory=dict)
    """Metrics of the untouched bases on validation, by branch label."""

    def __post_init__(self) -> None:
        config, folder, objective = self.config, self.folder, self.config.objective
        branches = {branch.name: branch for branch in config.branches}
        lost_workers, requests = LostWorkers(folder), Requests(folder)
        self.verdicts = Verdicts(folder, objective, branches, self.baseline, self.data)
        self.trials = Trials(self.study, folder, objective, config.rungs.count, branches, lost_workers)
        self.recording = Recording(self.recorder, objective, branches, self.data, self.verdicts)
        self.trials.listeners = (
            Judging(self.verdicts),
            self.recording,
            Retention(folder, objective, config.selection.top),
        )
        self.monitor = StudyMonitor(
            config,
            self.trials,
            lost_workers,
            self.baseline,
            self.verdicts.found,
            requests,
            DatabaseNotes(self.study, folder),
            owner=folder.owner,
            hurry=self.recorder.hurry,
            watch=lambda snapshot: self.watch(snapshot),
            clock=self.clock,
        )
        self.study.database.on_wait = self.monitor.wait
        self.jobs = Jobs(self.executor, folder, folder.store.cache, lost_workers, self.monitor)
        self.stopping = Stopping(config, folder, self.monitor.elapsed_seconds)
        self.heeding = Heeding(
            Inbox(folder),
            requests,
            self.study,
            self.trials,
            self.stopping,
            self.recording,
            self._raise_budget,
        )
        self.sweep = Sweep(
            self.study,
            self.trials,
            self.executor,
            self.jobs,
            self.stopping,
            self.heeding,
            self.monitor,
            num_rungs=config.rungs.count,
        )

    # -- phases ---------------------------------------------------------------------------------------------------

    def prepare(self) -> Mapping[str, Any]:
        """Have the data of every branch prepared; facts by branch label. Bad data raises here: see `check_data`."""
        self.data.update(prepare_data(self.config, self.jobs))
        check_data(self.config, self.folder, self.data)
        return self.data

    def measure_baselines(self) -> None:
        """Measure each branch's untouched base on validation, once per study."""
        for branch in self.config.branches:
            values = measured_baseline(branch, self.folder, self.jobs)
            self.baseline[branch.label] = values
            self.recording.record_baseline(branch, values)

    def search(self) -> None:
        """See `Sweep.search`; before it the number of lanes is measured where that is asked for."""
        lanes = settle_lanes(self.config, self.folder, self.jobs)
        if lanes is not None:
            self.recorder.tag({"lanes": str(lanes["lanes"])})
        self.sweep.search()
        if not self.is_stopping:
            self.monitor.heed = self.heeding.refuse

    def conclude(self) -> StudyResult:
        """Choose, test once, compare, export and register; see `ftsweep.control.conclude`."""
        for record in self.verdicts.settle(self.records):
            self.recording.record_end(record)
        with self.study.computing_importances() as importances:  # takes seconds, in a process of its own
            race = self.confirm()
            ending = Ending(
                self.config,
                self.folder,
                self.records,
                race,
                jobs=self.jobs,
                recorder=self.recorder,
                baseline=self.baseline,
                data=self.data,
                importances=importances,
                note=self.note,
                probe=self._probe if self.config.selection.quantity else None,
                scaling=self._scaling,
            )
            return ending.conclude()

    def confirm(self) -> Race:
        """Run the best trials again with fresh seeds, as `selection` says; the race as it then stands."""
        config = self.config
        race = Race(self.folder, config.objective, config.selection, self.records, config.rungs.count)
        confirmation = Confirmation(self.jobs, race, self._why_not_confirm)
        confirmation.run()
        self.monitor.end_race()
        self.monitor.note = " ".join(filter(None, (self.note, confirmation.note)))
        return race

    def stop(self) -> None:
        """End whatever goes on at the next opportunity; running trials stay to be continued. A signal handler may."""
        self.monitor.stop()

    def recall(self) -> None:
        """Know the trials that the folder has, where a stop came before this process took them up."""
        if not self.trials.by_number:
            self.trials.by_number = {record.number: record for record in self.folder.records()}
            self.verdicts.found.update(self.folder.verdicts())

    def _raise_budget(self, values: Mapping[str, Any]) -> None:
        budget = replace(self.config.budget, **values)
        self.config = self.stopping.config = self.monitor.config = replace(self.config, budget=budget)
        self.monitor.note = ""  # a spent budget would be why it ends
        if self.folder.manifest_file.exists():
            manifest = replace(self.folder.manifest(), num_trials=budget.trials, budget=asdict(budget))
            manifest.write(self.folder.manifest_file)
        self.recorder.tag({f"raised.budget.{key}": str(value) for key, value in values.items()})

    # -- how it stands --------------------------------------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        return self.monitor.is_stopping

    @property
    def note(self) -> str:
        """Why the study ended before its number of trials; "" where it did not."""
        return self.monitor.note

    @property
    def records(self) -> list[TrialRecord]:
        return self.trials.records

    def snapshot(self, phase: str) -> StudyState:
        return self.monitor.snapshot(phase)

    # -- jobs about trials ----------------------------------------------------------------------------------------

    def _why_not_confirm(self, record: TrialRecord) -> str | None:
        self.sweep.keep_disk()
        halt = self.stopping.may_confirm(record, self.records, self.folder.confirmed())
        return None if halt is None else halt.text

    def _probe(self, number: int) -> DataScaling:
        """Whether more data would help the setting of a trial."""
        record = self.trials.by_number[number]
        probe = QuantityProbe(
            self.jobs,
            self.config.objective,
            takes_few=self.trials.branches[record.proposal.branch].role.takes_few,
            refuse=self._why_not_confirm,
        )
        num_examples = self.data[record.proposal.branch or "main"]["num_examples"]["train"]
        return probe.measure(record, max(1, self.config.selection.seeds), num_examples)

    def _scaling(self, folder: TrialFolder) -> dict[str, Any]:
        """What a run's model scores when its trained change is made smaller."""
        number = int(folder.path.name.partition("-")[0])
        return self.jobs.call(self.jobs.make.scale(folder), f"scaling what trial {number} has learned")
