"""Recording in a thread of its own: a slow or dead server never stops training."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, Proposal, StoredPause
from ftsweep.errors import FtsweepError
from ftsweep.recording.base import ChosenModel, Recorder, StudyFacts, run_name
from ftsweep.recording.call_queue import Batch, CallQueue
from ftsweep.recording.journal import Journal
from ftsweep.recording.replay import sync_study
from ftsweep.store.folders import StudyFolder


class BackgroundRecorder(Recorder):
    """Makes every call of another recorder in one thread, in order, and again while the record cannot be reached.

    No call raises, but `open`: it waits a little for the thread, so that a study that cannot be recorded at all (its
    experiment was deleted) is refused at the start. What is not sent when the process ends lies on disk, in the
    trials' folders and the journal; the next `open` or `resume` sends it.
    """

    def __init__(
        self, recorder: Recorder, *, open_seconds: float = 15, register_seconds: float = 600, close_seconds: float = 60
    ) -> None:
        self._recorder = recorder
        self._open_seconds = open_seconds
        self._register_seconds = register_seconds
        self._close_seconds = close_seconds
        self._queue = CallQueue()
        self._journal: Journal | None = None

    def get_ready(self, folder: StudyFolder) -> None:
        """Never waits: the thread is at it while data is prepared."""

        def do() -> None:
            with suppress(Exception):  # `open` will meet it again, and tell it
                self._recorder.get_ready(folder)

        self._queue.put("get_ready", do)

    def open(self, facts: StudyFacts) -> None:
        """Open, and send what earlier processes left on disk. Raises what the recorder raises at once, if it does."""
        earlier = Journal.read(facts.folder)
        self._journal = (replace(earlier, facts=facts) if earlier else Journal(facts)).write()
        call = self._queue.put("open", lambda: self._recorder.open(facts), is_essential=True)
        self._queue.put("sync", lambda: sync_study(self._recorder, facts.folder, facts.objective))
        self._queue.make_again_with(lambda: sync_study(self._recorder, facts.folder, facts.objective))
        self._queue.wait_for(call, self._open_seconds, num_tries=1)
        if call.error is not None:
            raise call.error

    def is_finished(self, folder: StudyFolder) -> bool:
        return self._recorder.is_finished(folder)

    def resume(self, folder: StudyFolder) -> None:
        """Does not raise: what is wrong is told by `close`."""
        journal = None if self.is_finished(folder) else Journal.read(folder)
        if journal is None:
            return
        with suppress(FtsweepError):  # it is among the sentences of `close`
            self.open(journal.facts)
        self.tag(journal.tags, metrics=journal.metrics)
        self.keep_artifacts([file for file in journal.files if file.exists()])
        if journal.model is not None and journal.model.folder.exists():
            self.register(journal.model)

    def begin_trial(
        self,
        proposal: Proposal,
        *,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        timestamp: float | None = None,
    ) -> None:
        now = time.time() if timestamp is None else timestamp
        self._queue.put(
            "begin_trial", lambda: self._recorder.begin_trial(proposal, tags=tags, params=params, timestamp=now)
        )

    def measure_all(self, proposal: Proposal, measurements: Sequence[Measurement]) -> None:
        def send(batch: Sequence[Measurement]) -> None:
            self._recorder.measure_all(proposal, batch)

        self._queue.put("measure", Batch(run_name(proposal), tuple(measurements), send), is_on_disk=True)

    def pause_trial(self, proposal: Proposal, pause: StoredPause, *, timestamp: float | None = None) -> None:
        now = time.time() if timestamp is None else timestamp
        self._queue.put(
            "pause_trial",
            lambda: self._recorder.pause_trial(proposal, pause, timestamp=now),
            after=run_name(proposal),
            is_on_disk=True,
        )

    def end_trial(
        self,
        proposal: Proposal,
        outcome: Outcome,
        *,
        best: Mapping[str, float],
        tags: Mapping[str, str],
        timestamp: float | None = None,
    ) -> None:
        now = time.time() if timestamp is None else timestamp
        self._queue.put(
            "end_trial",
            lambda: self._recorder.end_trial(proposal, outcome, best=best, tags=tags, timestamp=now),
            after=run_name(proposal),
            is_on_disk=True,
        )

    def has_arrived(self, proposal: Proposal) -> bool:
        return self._recorder.has_arrived(proposal)

    def tag(
        self, tags: Mapping[str, str], *, metrics: Mapping[str, float] | None = None, timestamp: float | None = None
    ) -> None:
        now = time.time() if timestamp is None else timestamp
        if self._journal is not None:
            self._journal = self._journal.with_tags(tags, metrics or {}).write()
        self._queue.put("tag", lambda: self._recorder.tag(tags, metrics=metrics, timestamp=now))

    def keep_artifacts(self, files: Sequence[Path]) -> None:
        if self._journal is not None:
            self._journal = self._journal.with_files(files).write()
        self._queue.put("keep_artifacts", lambda: self._recorder.keep_artifacts(files))

    def register(self, model: ChosenModel) -> str | None:
        """Waits, because a person wants the model's URI; None when the record cannot be reached or refuses."""
        if self._journal is not None:
            self._journal = replace(self._journal, model=model).write()
        call = self._queue.put("register", lambda: self._recorder.register(model))
        self._queue.wait_for(call, self._register_seconds)
        return None if call.result is None else str(call.result)

    def links(self) -> Mapping[str, str]:
        return self._recorder.links()

    def hurry(self, seconds: float) -> None:
        self._queue.hurry(seconds)

    def close(self, *, finished: bool) -> list[str]:
        """Returns within `close_seconds`, and soon when the record cannot be reached; the process may then end."""
        return self._queue.close("close", lambda: self._recorder.close(finished=finished), self._close_seconds)
