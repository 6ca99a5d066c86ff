"""The incremental reader: it tells what reading everything tells, and reads only what is new."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from report_studies import StudyBuilder, falling, write_demo

from ftsweep.dashboard import trial_reader
from ftsweep.dashboard.looks import Looks
from ftsweep.dashboard.pace import pace_of
from ftsweep.dashboard.study_reader import StudyReader
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, OutcomeKind, StoredPause
from ftsweep.report.overview import read_overview
from ftsweep.store.atomic import append_line, write_json
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.study_state import read_state


def measure(folder: StudyFolder, trial: int, rung: int, loss: float) -> None:
    point = Measurement(rung, rung / 10, 90 * rung, 9000 * rung, 1.5 * rung, 1000 + rung, {"validation/loss": loss})
    append_line(folder.trial(trial).measurements_file, point.to_dict())


def pause(folder: StudyFolder, trial: int, *, is_over: bool) -> None:
    write_json(folder.trial(trial).pause_file, asdict(StoredPause(3, "It waits.", is_over)))


@pytest.mark.parametrize("branches", [False, True])
@pytest.mark.parametrize("finished", [False, True])
def test_reader_tells_what_reading_everything_tells(tmp_path: Path, branches: bool, finished: bool) -> None:
    folder = write_demo(tmp_path, branches=branches, finished=finished)
    reader = StudyReader(folder)

    assert reader.look() == read_state(folder)
    assert reader.overview() == read_overview(folder)


def test_new_measurements_outcomes_and_trials_are_found_one_look_after_the_other(builder: StudyBuilder) -> None:
    folder, reader = builder.folder, StudyReader(builder.folder)
    builder.trial(0, falling(1e-3, 16), "complete")
    builder.trial(1, falling(1e-3, 8, num=3), None)
    reader.look()
    steps = [
        lambda: measure(folder, 1, 3, 0.9),
        lambda: builder.trial(2, falling(2e-3, 8, num=2), None),
        lambda: pause(folder, 1, is_over=False),
        lambda: pause(folder, 1, is_over=True),
        lambda: folder.trial(1).write_outcome(Outcome(OutcomeKind.PRUNED, "worse than the median")),
        lambda: builder.baseline("main", {"loss": 1.6}),
        lambda: folder.trial(2).write_outcome(Outcome(OutcomeKind.COMPLETE, "trained to the end")),
        lambda: builder.result(0),
    ]
    for step in steps:
        before = reader.version
        step()

        assert reader.look() == read_state(folder)
        assert reader.version == before + 1


def test_look_without_news_opens_no_file_of_an_ended_trial(demo: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_reader, "_JUDGED_SECONDS", -1.0)
    reader = StudyReader(demo)
    state, version = reader.look(), reader.version
    asked: list[Path] = []
    stamp_of = trial_reader.stamp_of
    monkeypatch.setattr(trial_reader, "stamp_of", lambda path: asked.append(path) or stamp_of(path))

    assert reader.look() is state
    assert reader.version == version
    assert asked == []


def test_only_what_was_appended_is_read_and_a_torn_line_waits_for_its_end(builder: StudyBuilder) -> None:
    builder.trial(0, falling(1e-3, 16, num=3), None)
    reader = StudyReader(builder.folder)
    reader.look()
    file = builder.folder.trial(0).measurements_file
    known = file.read_bytes()
    measure(builder.folder, 0, 3, 0.7)
    line = file.read_bytes()[len(known) :]

    file.write_bytes(known + line[:20])
    assert len(reader.look().trials[0].measurements) == 3
    file.write_bytes(b"?" * len(known) + line)  # what is behind the offset stands on its own
    assert [each.rung for each in reader.look().trials[0].measurements] == [0, 1, 2, 3]


def test_verdicts_that_are_written_behind_the_outcome_are_seen(builder: StudyBuilder) -> None:
    builder.trial(0, falling(1e-3, 16), "complete")
    reader = StudyReader(builder.folder)
    assert reader.look().verdicts == {}

    verdict = {"kind": "healthy", "message": "it is fine"}
    write_json(builder.folder.trial(0).fit_file, {"verdicts": [verdict]})

    assert reader.look().verdicts[0][0].message == "it is fine"


def test_trial_that_was_set_aside_goes_and_one_with_its_number_comes(demo: StudyFolder) -> None:
    reader = StudyReader(demo)
    reader.look()
    aside = demo.path / "set_aside" / "0002"
    aside.parent.mkdir()
    demo.trial(2).path.rename(aside)
    assert reader.look() == read_state(demo)

    shutil.copytree(demo.trial(3).path, demo.trial(2).path)
    spec = demo.trial(2).spec()
    write_json(demo.trial(2).spec_file, {**spec, "number": 2})
    assert reader.look() == read_state(demo)


def test_study_that_begins_and_ends_to_run_is_news(demo: StudyFolder) -> None:
    reader = StudyReader(demo)
    before = reader.version
    assert reader.look().phase == "complete"
    with demo.locked():
        assert reader.look().phase == "running"
    assert reader.look().phase == "complete"
    assert reader.version == before + 3


def test_store_that_is_moved_away_and_back_is_told_and_gone_on_with(
    demo: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftsweep.dashboard.looks._LONGEST_SECONDS", 0.0)
    looks = Looks(Store(demo.store.root))
    first = looks.at("demo")
    elsewhere = demo.path.with_name("elsewhere")
    demo.path.rename(elsewhere)

    gone = looks.at("demo")
    assert "moved or removed" in gone.trouble
    assert gone.overview is first.overview
    assert gone.mark != first.mark

    elsewhere.rename(demo.path)
    assert looks.at("demo").trouble == ""


def test_damaged_file_is_told_and_the_next_look_goes_on(demo: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftsweep.dashboard.looks._LONGEST_SECONDS", 0.0)
    looks = Looks(Store(demo.store.root))
    whole = demo.manifest_file.read_text()
    demo.manifest_file.write_text("{")
    assert "cannot be read" in looks.at("demo").trouble

    demo.manifest_file.write_text(whole)
    look = looks.at("demo")
    assert look.trouble == ""
    assert look.overview is not None
    assert len(look.overview.trials) == 14


@pytest.mark.parametrize("name", ["trials/0000/spec.json", "trials/baseline-main/baseline.json", "study.json"])
@pytest.mark.parametrize("content", ["[]", '"text"', "{}"])
def test_file_of_another_shape_is_told_from_the_first_look_on(builder: StudyBuilder, name: str, content: str) -> None:
    builder.trial(0, falling(1e-3, 16), "complete")
    builder.baseline("main", {"loss": 1.6})
    (builder.folder.path / name).write_text(content)
    looks = Looks(Store(builder.folder.store.root))
    look = looks.at(builder.folder.name)
    is_fine = name.endswith("baseline.json") and content == "{}"  # nothing was measured
    assert bool(look.trouble) is not is_fine
    assert is_fine or "cannot be read" in look.trouble


def test_pace_is_that_of_the_newest_ended_trials(builder: StudyBuilder) -> None:
    for number in range(4):  # each takes 15 s, one after the other
        builder.trial(number, falling(1e-3, 16), "complete", begin=1000 + 15.0 * number)
    builder.trial(4, falling(1e-3, 16, num=6), None, begin=1060)

    pace = pace_of(read_overview(builder.folder))

    assert pace.trials_per_hour == pytest.approx(240)
    assert pace.seconds_left == pytest.approx((14 - 4.5) * 15)


def test_time_left_has_fresh_seeds_test_and_export_in_it(builder: StudyBuilder) -> None:
    for number in range(3):
        builder.trial(number, falling(1e-3, 16), "complete", begin=1000 + 15.0 * number)
    study = read_overview(builder.folder)
    settings = replace(study.settings, selection={"top": 1, "seeds": 2, "budget": 0.5})
    ended, begun = study.state.trials[0], replace(study.state.trials[1], outcome=None)
    fresh = (ended, replace(begun, measurements=begun.measurements[:6]))
    study = replace(study, settings=settings, fresh=fresh, phases=(("measuring the untouched base of main", 0, 3),))

    assert pace_of(study).seconds_left == pytest.approx((14 - 3 + 4 - 1.5) * 15 + 5 * 3)
