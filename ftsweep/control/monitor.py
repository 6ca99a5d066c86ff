"""Whoever watches a study: sees snapshots at a bounded pace, and may have it stop by a signal or `ftsweep stop`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from ftsweep.analysis.time_left import ending_seconds, trials_after
from ftsweep.config.schema import SweepConfig
from ftsweep.control.database import DatabaseNotes
from ftsweep.control.jobs import Monitor, Stopped, log_told
from ftsweep.control.lost_workers import LostWorkers
from ftsweep.control.throttle import Pace
from ftsweep.control.trials import Trials
from ftsweep.domain.messages import ToControl
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.verdict import Verdict
from ftsweep.store.phases import note_phase, read_phases
from ftsweep.store.requests import Requests

_LOGGER = logging.getLogger(__name__)
STOP_SECONDS = 6.0  # for the record to arrive, once the user wants to stop: all of it together stays under ten
_MOST_FAULTS = 3


@dataclass
class StudyMonitor(Monitor):
    """Of the process that runs the study, which `owner` names."""

    config: SweepConfig
    trials: Trials
    lost_workers: LostWorkers
    baseline: Mapping[str, Mapping[str, float]]
    """Metrics of the untouched bases, by branch label; may be filled in later."""
    verdicts: Mapping[int, tuple[Verdict, ...]]
    requests: Requests
    database: DatabaseNotes
    owner: str
    hurry: Callable[[float], None]
    """Has the record arrive within so many seconds."""
    watch: Callable[[StudyState], None]
    clock: Callable[[], float]
    heed: Callable[[], object] = lambda: None
    """Answers requests in phases where nothing else does."""
    is_stopping: bool = False
    away: str = ""
    """That something is waited for without which nothing goes on; "" where it is not."""
    note: str = ""
    """Why the search came to its end before its number of trials; "" while it goes on."""
    waits: str = ""
    """What an executor waits for, in its words; "" once something is measured again."""
    _faults: list[str] = field(default_factory=list)
    """What an executor says that it goes on without."""
    _pace: Pace = field(default_factory=Pace)
    _shown: str = ""
    _noted: str = ""
    _search_started: float | None = None
    _search_ended: float | None = None
    _race_ended: float | None = None
    _trial_seconds: float = 0.0
    """Wall time of the search for each of this process's trials."""
    _done_before: float = 0.0
    """Trials' worth of work that earlier processes did."""
    _ending_seconds: float = 0.0
    """What test and export may take."""

    def __post_init__(self) -> None:
        self._started = self.clock()

    def elapsed_seconds(self) -> float:
        """Wall time of this run of the command."""
        return self.clock() - self._started

    def begin_search(self) -> None:
        """From now on the pace of trials tells how long the rest takes."""
        self._search_started, self._done_before = self.clock(), self.snapshot("").num_done
        self.note_phase("searching")  # so that the phase before it has an end
        with suppress(OSError):
            self._ending_seconds = ending_seconds(read_phases(self.requests.folder), len(self.config.branches))

    def end_search(self) -> None:
        """Show the last endings, whatever the pace. What the race may take is known by the pace of the search."""
        self._search_ended = self.clock()
        done = self.snapshot("").num_done - self._done_before
        if self._search_started is not None and done > 0:
            self._trial_seconds = (self._search_ended - self._search_started) / done
        self._shown = ""
        self.show("searching")

    def end_race(self) -> None:
        """From now on test and export alone are left."""
        self._race_ended = self.clock()

    def stop(self) -> None:
        """End whatever goes on at the next opportunity; running trials stay to be continued. A signal handler may."""
        self.is_stopping = True
        self.hurry(STOP_SECONDS)

    def show(self, phase: str) -> None:
        if not self.is_stopping and (asked := self.requests.stop_of(self.owner)) is not None:
            self.requests.heed_stop(asked)
            self.note = f"Stopped by {asked.by}."
            _LOGGER.info("%s", self.note)
            self.stop()
        self.note_phase(phase.partition(",")[0])
        self.heed()
        if phase == self._shown and not self._pace.is_due():
            return
        self._shown = phase
        with self._pace.measured():
            snapshot = self.snapshot(phase)
            self.watch(replace(snapshot, seconds_left=self._seconds_left(snapshot)))
        self.database.note()

    def wait(self, text: str) -> None:
        """Show that something is waited for, and why; "" when it is there.

        Raises:
            Stopped: the user wants to stop, which need not wait.
        """
        if self.away == "" or text == "":
            self._shown = ""  # at once, whatever the pace
        self.away = text
        self.show(self._noted or "searching")
        if text and self.is_stopping:
            raise Stopped

    def hear(self, message: ToControl) -> None:
        """Keep what a worker or an executor wants a person to see; what is about no job is shown at once."""
        log_told(message)
        if message["type"] != "log" or message["job"] is not None:
            return
        if message["level"] == "error":
            self._faults = [*self._faults, message["text"]][-_MOST_FAULTS:]
        elif message["level"] == "warning":
            self.waits = message["text"]
        self._shown = ""

    def note_phase(self, phase: str) -> None:
        """Write down that something else goes on now; "" at the end."""
        if phase != self._noted:
            self._noted = phase
            note_phase(self.requests.folder, phase)

    def snapshot(self, phase: str) -> StudyState:
        """The study as it stands."""
        return StudyState(
            study=self.config.study.name,
            phase=phase,
            objective=self.config.objective,
            num_rungs=self.config.rungs.count,
            num_planned=self.config.budget.trials,
            trials=tuple(self.trials.records),
            baseline=self.baseline,
            elapsed_seconds=self.elapsed_seconds(),
            note=" ".join(filter(None, (self.away, self.note, *self._said, self.lost_workers.text))),
            verdicts=self.verdicts,
        )

    @property
    def _said(self) -> list[str]:
        """By the executor, as sentences."""
        said = [*self._faults, self.waits]
        return [f"{text[0].upper()}{text[1:]}".rstrip(".") + "." for text in said if text]

    def _seconds_left(self, snapshot: StudyState) -> float | None:
        """Until the end, by the pace of this process's search; None before there is one, and once that time is over."""
        if self._search_started is None:
            return None
        after, ending = trials_after(asdict(self.config.selection), snapshot.num_planned), self._ending_seconds
        if self._race_ended is not None:
            left = ending - (self.clock() - self._race_ended)
        elif self._search_ended is not None:
            left = max(0.0, self._trial_seconds * after - (self.clock() - self._search_ended)) + ending
        else:
            done = snapshot.num_done - self._done_before
            trials = max(0.0, snapshot.num_planned - snapshot.num_done)
            if done <= 0:
                return None
            left = (self.clock() - self._search_started) * (trials + after) / done + ending
        return left if left > 0 else None
