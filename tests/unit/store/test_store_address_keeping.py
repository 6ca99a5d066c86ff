"""A study is kept at its address while it runs: sent as it changes, waited for, lost to another owner, given up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from memory_objects import MemoryObjects

from ftsweep.errors import ConfigError, StudyLockedError, UsageError
from ftsweep.store.address import keeping, visiting
from ftsweep.store.address.index import Index, newest_index
from ftsweep.store.address.keeping import Keeper
from ftsweep.store.address.ownership import Ownership, owner_at
from ftsweep.store.address.place import STORES, address_of, store_named
from ftsweep.store.address.sending import Sender
from ftsweep.store.address.visiting import changed, fetch_studies, owned, owner_elsewhere
from ftsweep.store.atomic import append_line, write_json
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.identity import store_identity


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "_LOOK_SHARE", 100.0)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Be on the machine of this name, which has files of its own."""

    def be_on(name: str) -> None:
        monkeypatch.setenv(STORES, str(tmp_path / name))

    be_on("one")
    return be_on


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"file://{tmp_path}/shared"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Keeper]:
    """The keeper of a study in a folder of its own; ended at the end."""
    folder, objects = Store(tmp_path / "here").study("q"), MemoryObjects()
    append_line(folder.trial(0).measurements_file, {"rung": 0})
    owner = Ownership(objects, "q", lambda text: None, seconds=1000)
    owner.take()
    keeper = Keeper(Sender(folder, objects, owner, Index(0, 0)), owner, patience_seconds=0.2, renew_seconds=0.05)
    keeper.begin()
    yield keeper
    keeper.close()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def memory(keeper: Keeper) -> MemoryObjects:
    assert isinstance(keeper.objects, MemoryObjects)
    return keeper.objects


def files_there(objects: MemoryObjects) -> set[str]:
    index = newest_index(objects, "q")
    return set(index.files) if index else set()


def test_what_changes_is_sent_while_the_study_runs(kept: Keeper) -> None:
    kept.start()
    wait_for(lambda: files_there(memory(kept)))
    write_json(kept.sender.folder.trial(0).outcome_file, {"kind": "complete"})
    wait_for(lambda: "trials/0000/outcome.json" in files_there(memory(kept)))
    kept.close()
    assert owner_at(memory(kept), "q") == ""
    assert kept.left == []
    assert "rounds" in kept.cost


def test_store_that_is_away_is_told_and_waited_for(kept: Keeper) -> None:
    kept.start()
    wait_for(lambda: files_there(memory(kept)))
    memory(kept).is_away = True
    write_json(kept.sender.folder.trial(0).outcome_file, {"kind": "complete"})
    wait_for(lambda: "1 file (0.0 MB) to be sent" in kept.text)
    assert "s3://bucket/prefix is away since" in kept.text
    assert "503 Slow Down" in kept.text
    memory(kept).is_away = False
    wait_for(lambda: "trials/0000/outcome.json" in files_there(memory(kept)))
    wait_for(lambda: kept.text == "")
    assert kept.num_away == 1
    assert "away once" in kept.cost


def test_store_that_stays_away_is_told_at_the_end(kept: Keeper) -> None:
    kept.start()
    wait_for(lambda: files_there(memory(kept)))
    memory(kept).is_away = True
    write_json(kept.sender.folder.trial(0).outcome_file, {"kind": "complete"})
    kept.close()
    assert "has not got 1 file " in kept.left[0]
    assert str(kept.sender.folder.path) in kept.left[0]
    memory(kept).is_away = False
    assert "trials/0000/outcome.json" not in files_there(memory(kept))


def test_who_is_followed_stops_and_sends_nothing_more(kept: Keeper) -> None:
    stopped: list[bool] = []
    kept.on_lost = lambda: stopped.append(True)
    kept.start()
    wait_for(lambda: files_there(memory(kept)))
    memory(kept).put("studies/q/owner/00000002.json", json.dumps({"process": 7, "host": "far"}).encode())
    wait_for(lambda: stopped)
    before = {name: each for name, each in memory(kept).content.items() if "/owner/" not in name}
    write_json(kept.sender.folder.trial(0).outcome_file, {"kind": "complete"})
    kept.close()
    assert kept.lost is not None
    assert "taken over by process 7 on far" in kept.text
    assert {name: each for name, each in memory(kept).content.items() if "/owner/" not in name} == before


# -- commands ----------------------------------------------------------------------------------------------------------


def begin(folder: StudyFolder) -> None:
    (folder.path / "sweep.yaml").write_text("study: {}\n")
    append_line(folder.trial(0).measurements_file, {"rung": 0})


def test_study_goes_on_on_another_machine(machine: Callable[[str], None], address: str) -> None:
    with owned(store_named(address).study("q"), print) as keeper:
        assert keeper is not None
        begin(store_named(address).study("q"))
        identity = store_identity(store_named(address))
    machine("two")
    store = store_named(address)
    assert not store.studies()
    with owned(store.study("q"), print):
        assert [study.name for study in store.studies()] == ["q"]
        assert store.study("q").trial(0).measurements_file.exists()
        assert store_identity(store) == identity
        append_line(store.study("q").trial(0).measurements_file, {"rung": 1})
    machine("three")
    fetch_studies(store_named(address), print)
    lines = store_named(address).study("q").trial(0).measurements_file.read_text().splitlines()
    assert len(lines) == 2


def test_owner_on_another_machine_is_named(
    machine: Callable[[str], None], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftsweep.store.address.keeping.RENEW_SECONDS", 0.05)
    with owned(store_named(address).study("q"), print) as keeper:
        assert keeper is not None
        begin(store_named(address).study("q"))
        keeper.start()
        machine("two")
        with (
            pytest.raises(StudyLockedError, match="is being run by process"),
            owned(store_named(address).study("q"), print),
        ):
            pass
        assert owner_elsewhere(store_named(address).study("q")).startswith("process")


def test_change_of_a_study_at_rest_is_sent(machine: Callable[[str], None], address: str) -> None:
    with owned(store_named(address).study("q"), print):
        begin(store_named(address).study("q"))
    machine("two")
    with changed(store_named(address).study("q"), print):
        write_json(store_named(address).study("q").path / "requests" / "ask-1.json", {})
    machine("three")
    fetch_studies(store_named(address), print, study="q")
    assert (store_named(address).study("q").path / "requests" / "ask-1.json").exists()


def test_store_that_cannot_be_reached_is_one_paragraph(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visiting, "READ_SECONDS", 0.1)
    monkeypatch.setattr(visiting, "open_objects", lambda address: MemoryObjects(is_away=True))
    with pytest.raises(UsageError, match="cannot be reached: 503 Slow Down"):
        fetch_studies(store_named("s3://bucket/x"), print)


def test_who_only_reads_leaves_nothing_at_a_wrong_address(machine: Callable[[str], None], address: str) -> None:
    store = store_named(address)
    fetch_studies(store, print)
    assert owner_elsewhere(store.study("q")) == ""
    assert not Path(address.removeprefix("file://")).exists()
    assert not store.studies()


def test_folder_that_is_the_place_of_an_address_is_no_folder_store(
    machine: Callable[[str], None], address: str, tmp_path: Path
) -> None:
    with owned(store_named(address).study("q"), print):
        begin(store_named(address).study("q"))
    with pytest.raises(UsageError, match=f"Name it so: {address}"):
        store_named(tmp_path / "shared")


def test_folder_stays_a_folder(tmp_path: Path) -> None:
    store = store_named(tmp_path / "store")
    with owned(store.study("q"), print) as keeper:
        assert keeper is None
        with pytest.raises(StudyLockedError), owned(store.study("q"), print):
            pass
    assert store.name == store.root == tmp_path / "store"
    assert address_of(store) is None


def test_addresses_have_folders_of_their_own(machine: Callable[[str], None], tmp_path: Path) -> None:
    one, same, other = (store_named(each) for each in ("s3://bucket/x", "S3://bucket/x/", "s3://bucket/y"))
    assert one == same != other
    assert one.root.parent == tmp_path / "one"
    assert one.name == "s3://bucket/x"
    assert store_named("file:///mnt//share/../x").name == "file:///mnt/x"
    assert not isinstance(one.name, Path)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://key:secret@bucket/x", "no user and no password"),
        ("s3://bucket/x?endpoint_override=http://h", "no settings behind"),
        ("s3://bucket/x#y", "no `#`"),
        ("s3://AKIA:sec/secret+x@bucket/x", "no user and no password"),
        ("s3:/bucket/x", "names no bucket"),
        ("S3:bucket/x", "names no bucket"),
        ("s3://bucket//x", "no empty parts"),
        ("s3://bucket/../x", "no empty parts"),
        ("ftp://host/x", "is no object store"),
        ("memory://x/y", "is no object store"),
        ("file:/mnt/x", "names no folder"),
        ("s3:///x", "names no bucket"),
        ("https://bucket.s3.amazonaws.com/x", "is no object store"),
        ("file://host/x", "names no folder"),
    ],
)
def test_wrong_address_is_one_paragraph(address: str, words: str, tmp_path: Path) -> None:
    from ftsweep.config.compose import compose_sweep

    with pytest.raises(UsageError, match=words):
        store_named(address)
    with pytest.raises(ConfigError) as caught:
        compose_sweep("quickstart", [f"store.path='{address}'"])
    assert "secret" not in str(caught.value)
