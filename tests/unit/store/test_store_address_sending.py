"""What is sent to an address, in which order, what is not sent twice, and what a folder becomes that is filled."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from memory_objects import MachineDiedError, MemoryObjects

from ftsweep.errors import DamagedFileError, StudyError
from ftsweep.store.address import capture as capturing
from ftsweep.store.address.capture import UnquietError, capture, look_at
from ftsweep.store.address.filling import fill, fill_owned
from ftsweep.store.address.index import Content, Index, index_name, newest_index
from ftsweep.store.address.objects import StoreAwayError
from ftsweep.store.address.ownership import LostOwnershipError, Ownership
from ftsweep.store.address.sending import Sender
from ftsweep.store.atomic import append_line, write_json, written_folder
from ftsweep.store.folders import Store, StudyFolder

INDEX = "studies/q/index/00000001.json.gz"


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """A study with one trial: a measurement, and a checkpoint."""
    study = Store(tmp_path / "here").study("q")
    write_json(study.path / "study.json", {"study": "q"})
    append_line(study.trial(0).measurements_file, {"rung": 0})
    with written_folder(study.trial(0).checkpoint) as torn:
        (torn / "weights").write_bytes(b"w" * 1000)
    return study


def sender_of(folder: StudyFolder, objects: MemoryObjects) -> Sender:
    owner = Ownership(objects, folder.name, lambda text: None, seconds=1000)
    owner.take()
    return Sender(folder, objects, owner, newest_index(objects, folder.name) or Index(0, 0))


def files_of(folder: StudyFolder) -> dict[str, bytes]:
    return {path: (folder.path / path).read_bytes() for path in look_at(folder.path)}


def elsewhere(folder: StudyFolder, objects: MemoryObjects, place: Path, *, whole: bool = True) -> StudyFolder:
    """The study's folder on a machine that has nothing."""
    there = Store(place).study(folder.name)
    fill(there, objects, whole=whole)
    return there


def test_folder_comes_back_as_it_was(folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    assert sender_of(folder, objects).send()
    there = elsewhere(folder, objects, tmp_path / "there")
    assert files_of(there) == files_of(folder)
    times = [each.trial(0).measurements_file.stat().st_mtime for each in (folder, there)]
    assert times[0] == pytest.approx(times[1], abs=1e-5)  # runs are recorded with these


def test_index_comes_behind_all_that_it_names(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    sender_of(folder, objects).send()
    puts = objects.asked("put")
    assert puts[-1] == INDEX
    assert len(puts) == 4
    assert all("/objects/" in name for name in puts[:-1])


def test_nothing_new_is_nothing_sent(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    objects.requests.clear()
    assert not sender.send()
    assert objects.requests == []


def test_content_that_is_there_is_not_sent_twice(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    with written_folder(folder.trial(0).best) as torn:
        (torn / "weights").write_bytes(b"w" * 1000)
    objects.requests.clear()
    assert sender.send()
    assert objects.asked("put") == [INDEX]
    sender.ownership.release()
    objects.requests.clear()
    assert sender_of(folder, objects).send()  # another process, which knows nothing
    assert objects.asked("put") == ["studies/q/index/00000002.json.gz"]
    assert [name for name in objects.content if "/index/" in name] == ["studies/q/index/00000002.json.gz"]


def test_replaced_checkpoint_goes_after_two_indexes_without_it(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    old = sender.index.files["trials/0000/checkpoint/weights"].object
    with written_folder(folder.trial(0).checkpoint) as torn:
        (torn / "weights").write_bytes(b"x" * 1000)
    sender.send()
    assert f"studies/q/objects/{old}" in objects.content  # who reads the former index still finds it
    append_line(folder.trial(0).measurements_file, {"rung": 1})
    sender.send()
    assert f"studies/q/objects/{old}" not in objects.content
    assert {f"studies/q/objects/{each}" for each in sender.index.objects} <= set(objects.content)


@pytest.mark.parametrize("dies_at", range(3, 22))
def test_death_at_any_request_leaves_one_state_or_the_other(dies_at: int, folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    before = files_of(folder)
    with written_folder(folder.trial(0).checkpoint) as torn:
        (torn / "weights").write_bytes(b"x" * 1000)
    append_line(folder.trial(0).measurements_file, {"rung": 1})
    after = files_of(folder)
    objects.requests.clear()
    objects.dies_at = dies_at - 3
    try:
        sender.send()
        append_line(folder.trial(0).measurements_file, {"rung": 2})
        sender.send()
    except MachineDiedError:
        pass
    objects.dies_at = None
    there = files_of(elsewhere(folder, objects, tmp_path / "there"))
    assert there in (before, after, files_of(folder))


def test_who_has_lost_the_study_sends_nothing(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    sender.ownership.release()
    sender_of(folder, objects)
    append_line(folder.trial(0).measurements_file, {"rung": 1})
    sender.ownership._renewed = 0.0
    before = dict(objects.content)
    with pytest.raises(LostOwnershipError):
        sender.send()
    assert objects.content == before


def test_late_index_of_a_former_owner_counts_for_nothing(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    former = sender_of(folder, objects)
    former.send()
    former.ownership.release()
    sender_of(folder, objects).send()
    objects.put(INDEX, Index(1, 99).to_bytes())  # was under way all the time
    found = newest_index(objects, "q")
    assert found is not None
    assert found.term == 2


def test_store_that_is_away_gets_it_later(folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    objects.is_away = True
    for _ in range(2):
        with pytest.raises(StoreAwayError):
            sender.send()
    objects.is_away = False
    assert sender.send()
    assert files_of(elsewhere(folder, objects, tmp_path / "there")) == files_of(folder)


def test_what_vanished_at_the_address_is_sent_again(folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    lost = f"studies/q/objects/{sender.index.files['trials/0000/checkpoint/weights'].object}"
    del objects.content[lost]
    sender.check()
    assert sender.send(is_last=True)
    assert files_of(elsewhere(folder, objects, tmp_path / "there")) == files_of(folder)


def test_database_is_copied_whole_and_before_the_files(folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    with closing(sqlite3.connect(folder.path / "optuna.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE trials (number INTEGER)")
        connection.execute("INSERT INTO trials VALUES (7)")
        connection.commit()
        sender_of(folder, objects).send()
    there = elsewhere(folder, objects, tmp_path / "there")
    with closing(sqlite3.connect(there.path / "optuna.db")) as connection:
        assert connection.execute("SELECT number FROM trials").fetchall() == [(7,)]
    assert not (there.path / "optuna.db-wal").exists()


def test_half_written_files_and_the_lock_stay_here(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    (folder.path / "lock").write_text("process 1")
    (folder.path / ".study.json.17.tmp").write_text("half")
    (folder.path / "recording.json").write_text('{"place": "mlflow.db", "study_id": "x"}')
    (folder.path / "report.html").write_text("<html>")
    sender = sender_of(folder, objects)
    sender.send()
    assert sorted(sender.index.files) == [
        "study.json",
        "trials/0000/checkpoint/weights",
        "trials/0000/measurements.jsonl",
    ]
    sender.send(is_last=True)
    assert "report.html" in sender.index.files


def test_ledger_of_a_server_goes_along(folder: StudyFolder) -> None:
    (folder.path / "recording.json").write_text('{"place": "http://mlflow:5000", "study_id": "x"}')
    sender = sender_of(folder, MemoryObjects())
    sender.send()
    assert "recording.json" in sender.index.files


def test_log_alone_is_no_news(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    folder.control_log.write_text("one\n")
    sender = sender_of(folder, objects)
    sender.send()
    folder.control_log.write_text("one\ntwo\n")
    assert not sender.send()
    assert sender.send(is_last=True)


# -- one moment --------------------------------------------------------------------------------------------------------


def test_file_that_grows_while_it_is_looked_at_is_of_one_moment(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measurement comes between the two looks: what was linked first is not taken with what came later."""
    looks, real = 0, look_at

    def busy(path: Path, left_out: frozenset[str] = frozenset()) -> dict[str, capturing.Look]:
        nonlocal looks
        looks += 1
        if looks == 2:
            append_line(folder.trial(0).measurements_file, {"rung": 1})
            write_json(folder.trial(0).outcome_file, {"kind": "complete"})
        return real(path, left_out)

    monkeypatch.setattr(capturing, "look_at", busy)
    found, new = capture(folder.path, {}, tmp_path / "aside")
    assert looks == 4
    assert "trials/0000/outcome.json" in found
    assert new["trials/0000/measurements.jsonl"].look.size == folder.trial(0).measurements_file.stat().st_size


def test_folder_that_never_stands_still_is_told(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, real = 0, look_at

    def busy(path: Path, left_out: frozenset[str] = frozenset()) -> dict[str, capturing.Look]:
        nonlocal number
        number += 1
        append_line(folder.trial(0).measurements_file, {"rung": number})
        return real(path, left_out)

    monkeypatch.setattr(capturing, "look_at", busy)
    monkeypatch.setattr(capturing, "_ATTEMPTS", 5)
    with pytest.raises(UnquietError):
        capture(folder.path, {}, tmp_path / "aside")


# -- filling -----------------------------------------------------------------------------------------------------------


def test_folder_that_is_ahead_stays_as_it_is(folder: StudyFolder) -> None:
    """A kill came before the last measurement was sent."""
    objects = MemoryObjects()
    sender_of(folder, objects).send()
    append_line(folder.trial(0).measurements_file, {"rung": 1})
    ahead = files_of(folder)
    assert fill_owned(folder, objects).num_brought == 0
    assert files_of(folder) == ahead


class PutAndDie:
    """The index arrives, and the machine dies before it hears of that."""

    def __init__(self, objects: MemoryObjects) -> None:
        self.put = objects.put

    def __call__(self, name: str, content: bytes) -> None:
        self.put(name, content)
        if "/index/" in name:
            raise MachineDiedError


def test_folder_is_ahead_of_an_index_whose_arrival_was_not_noted(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    append_line(folder.trial(0).measurements_file, {"rung": 1})
    monkeypatch.setattr(objects, "put", PutAndDie(objects))
    with pytest.raises(MachineDiedError):
        sender.send()
    found = newest_index(objects, "q")
    assert found is not None
    assert found.number == 2
    append_line(folder.trial(0).measurements_file, {"rung": 2})
    ahead = files_of(folder)
    fill_owned(folder, objects)
    assert files_of(folder) == ahead


def test_folder_becomes_what_another_machine_has_made(folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    sender.ownership.release()
    append_line(folder.trial(0).measurements_file, {"rung": 1, "never": "sent"})
    write_json(folder.trial(1).spec_file, {"never": "sent"})
    there = elsewhere(folder, objects, tmp_path / "there")
    append_line(there.trial(0).measurements_file, {"rung": 1})
    sender_of(there, objects).send()
    fill_owned(folder, objects)
    assert files_of(folder) == files_of(there)
    assert not folder.trial(1).path.exists()


def test_readers_leave_weights_out_and_owners_get_them(folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    sender_of(folder, objects).send()
    there = elsewhere(folder, objects, tmp_path / "there", whole=False)
    assert not there.trial(0).checkpoint.exists()
    assert there.trial(0).measurements_file.exists()
    fill_owned(there, objects)
    assert files_of(there) == files_of(folder)


def test_reader_leaves_a_study_alone_that_runs_here(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    sender_of(folder, objects).send()
    objects.put(INDEX, Index(1, 99).to_bytes())
    before = files_of(folder)
    with folder.locked():
        fill(folder, objects, whole=True)
        assert files_of(folder) == before


def test_content_that_is_not_what_its_name_says_is_refused(folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    objects.put(f"studies/q/objects/{sender.index.files['study.json'].object}", b"something else")
    with pytest.raises(DamagedFileError, match="not what its name says"):
        elsewhere(folder, objects, tmp_path / "there")
    assert not (tmp_path / "there" / "studies" / "q" / "study.json").exists()


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "trials/../../x", "", "a\\b"])
def test_name_that_leads_out_of_the_folder_is_refused(path: str) -> None:
    index = Index(1, 1, {path: Content("0" * 64, 1, 0.0)})
    with pytest.raises(DamagedFileError, match="cannot be a file of a study"):
        Index.from_bytes(index.to_bytes(), "there")


def test_index_whose_contents_are_gone_is_told(folder: StudyFolder, tmp_path: Path) -> None:
    objects = MemoryObjects()
    objects.put(index_name("q", 1), Index(1, 1, {"a": Content("0" * 64, 1, 0.0)}).to_bytes())
    with pytest.raises(StudyError, match="a part of it is gone"):
        elsewhere(folder, objects, tmp_path / "there")


def test_removal_that_could_not_be_sent_is_sent_later(folder: StudyFolder) -> None:
    objects = MemoryObjects()
    sender = sender_of(folder, objects)
    sender.send()
    (folder.trial(0).checkpoint / "weights").unlink()
    objects.is_away = True
    with pytest.raises(StoreAwayError):
        sender.send()
    objects.is_away = False
    assert sender.send()
    assert "trials/0000/checkpoint/weights" not in sender.index.files
