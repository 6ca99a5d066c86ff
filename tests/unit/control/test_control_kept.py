"""`run_study` on a store at an address: what lies there is here before anything is read, and what changed is there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftsweep.config.compose import compose_sweep
from ftsweep.config.schema import SweepConfig
from ftsweep.control import run as running
from ftsweep.control.opening import study_folder
from ftsweep.control.run import Launched, run_study
from ftsweep.domain.objective import Objective
from ftsweep.domain.study_state import StudyState
from ftsweep.errors import StudyLockedError
from ftsweep.store.address import visiting
from ftsweep.store.address.ownership import LostOwnershipError
from ftsweep.store.address.place import STORES
from ftsweep.store.atomic import append_line, write_json
from ftsweep.store.folders import StudyFolder

STATE = StudyState("quickstart", "searching", Objective(), 4, 2, note="of the study")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepConfig:
    monkeypatch.setenv(STORES, str(tmp_path / "one"))
    return compose_sweep("quickstart", [f"store.path=file://{tmp_path}/shared"])


def live() -> Any:
    asked: list[float] = []
    return SimpleNamespace(stop=lambda: asked.append(-1.0), monitor=SimpleNamespace(hurry=asked.append), asked=asked)


def test_study_is_brought_kept_and_given_up(
    config: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def work(config: SweepConfig, folder: StudyFolder, watch: Any, on_start: Any, kept: Any) -> Launched:
        seen.append(folder.trial(0).spec_file.exists())
        kept.starting(on_start)(live())
        write_json(folder.trial(0).spec_file, {"number": 0})
        watch(STATE)
        return Launched(folder, STATE)

    monkeypatch.setattr(running, "_run_owned", work)
    shown: list[StudyState] = []
    launched = run_study(config, shown.append)
    assert launched.left == ()
    assert launched.address.startswith(f"file://{tmp_path}/shared: ")
    assert shown[-1].note == "of the study"
    monkeypatch.setenv(STORES, str(tmp_path / "two"))
    run_study(config, shown.append)
    assert seen == [False, True]
    assert study_folder(config).path.is_relative_to(tmp_path / "two")


def test_store_that_is_away_is_on_the_screen_and_told_at_the_end(
    config: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visiting, "CLOSE_SECONDS", 0.0)

    def work(config: SweepConfig, folder: StudyFolder, watch: Any, on_start: Any, kept: Any) -> Launched:
        study = live()
        kept.starting(on_start)(study)
        (tmp_path / "shared").rename(tmp_path / "unmounted")
        write_json(folder.trial(0).spec_file, {"number": 0})
        while not kept.keeper.text:
            append_line(folder.trial(0).measurements_file, {"rung": 0})
        watch(STATE)
        study.monitor.hurry(6.0)
        assert study.asked == [6.0]
        assert kept.keeper.patience_seconds == 0.0
        return Launched(folder, STATE)

    monkeypatch.setattr(running, "_run_owned", work)
    shown: list[StudyState] = []
    launched = run_study(config, shown.append)
    assert "is its disk mounted?" in shown[-1].note
    assert shown[-1].note.endswith("of the study")
    assert "has not got" in launched.left[0]


def test_study_that_was_taken_over_ends_with_who_has_it(
    config: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(config: SweepConfig, folder: StudyFolder, watch: Any, on_start: Any, kept: Any) -> Launched:
        study = live()
        kept.starting(on_start)(study)
        kept.keeper._note_lost(LostOwnershipError("taken over by process 7"))
        assert study.asked == [-1.0], "it is stopped"
        return Launched(folder, STATE)

    monkeypatch.setattr(running, "_run_owned", work)
    with pytest.raises(StudyLockedError, match="taken over by process 7"):
        run_study(config, lambda state: None)
