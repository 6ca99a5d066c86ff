"""A disk that a node shares, or a file that lies on it already: told by more than a name, used, and never written by
an attempt that is over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftsweep.cluster import in_place
from ftsweep.cluster.in_place import FileFacts, Places, SharedFolder, handed_name
from ftsweep.cluster.incoming import Incoming
from ftsweep.cluster.inputs import inputs_of
from ftsweep.cluster.objects import Hashes, Objects, file_hash
from ftsweep.cluster.outgoing import HANDED_BYTES, Outgoing
from ftsweep.cluster.tree import Tree
from ftsweep.store.address.capture import look_at
from ftsweep.store.atomic import write_json

LARGE = b"w" * (HANDED_BYTES + 1)
BASE = b"b" * (1 << 20)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedFolder]:
    (tmp_path / "workers").mkdir()
    shared = SharedFolder(tmp_path / "workers")
    yield shared
    shared.remove()


@pytest.fixture
def places(tmp_path: Path, shared: SharedFolder) -> Places:
    return Places(str(shared.path), shared.nonce, tmp_path / "hashes")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    file = tmp_path / "base" / "model.safetensors"
    file.parent.mkdir()
    file.write_bytes(BASE)
    os.utime(file, (1e9, 1e9))
    return file


def test_a_disk_is_shared_where_the_marker_of_this_run_is_seen(tmp_path: Path, shared: SharedFolder) -> None:
    assert Places(str(shared.path), shared.nonce, tmp_path / "hashes").shared == shared.path
    assert Places(str(shared.path), "0" * 32, tmp_path / "hashes").shared is None
    assert Places(str(tmp_path / "elsewhere"), shared.nonce, tmp_path / "hashes").shared is None
    shared.remove()
    assert Places(str(shared.path), shared.nonce, tmp_path / "hashes").shared is None
    assert list((tmp_path / "workers").iterdir()) == []


def test_a_file_of_a_shared_disk_is_known_without_reading_it(
    shared: SharedFolder, places: Places, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = shared.facts(base, Hashes())
    read: list[Path] = []
    monkeypatch.setattr(in_place, "file_hash", lambda file: read.append(file) or "another")
    assert facts.is_beside
    assert places.has(str(base), facts)
    assert not places.has(f"{base}.other", facts)
    assert read == []
    other = [{"modified_ns": facts.modified_ns + 1}, {"inode": facts.inode + 1}, {"is_beside": False}]
    assert [places.has(str(base), replace(facts, **change)) for change in other] == [False] * 3  # type: ignore[arg-type]
    assert len(read) >= 1


def test_a_file_elsewhere_is_the_same_one_by_its_content_which_is_read_once(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = FileFacts(file_hash(base), len(BASE), 1, 1, is_beside=False)
    read: list[Path] = []
    monkeypatch.setattr(in_place, "time", Later())
    monkeypatch.setattr(in_place, "file_hash", lambda file: read.append(file) or file_hash(file))
    for _ in range(2):  # two slots of a node
        assert Places("", "", tmp_path / "hashes").has(str(base), facts)
    assert read == [base]
    base.write_bytes(b"v" * len(BASE))
    assert not Places("", "", tmp_path / "hashes").has(str(base), facts)
    base.write_bytes(b"")
    assert not Places("", "", tmp_path / "hashes").has(str(base), facts)
    base.unlink()
    assert not Places("", "", tmp_path / "hashes").has(str(base), facts)


class Later:
    """A clock by which nothing has changed lately."""

    @staticmethod
    def time_ns() -> int:
        return 1 << 62


def test_what_lies_in_place_is_linked_and_what_a_job_changes_is_copied(tmp_path: Path, base: Path) -> None:
    objects, root = Objects(tmp_path / "objects", 1 << 30), str(tmp_path / "tree")
    content = file_hash(base)
    objects.lay_out({str(base): content}, root, copies=False, in_place=[str(base)])
    laid_out = Path(f"{root}{base}")
    assert laid_out.samefile(base)
    assert objects.missing([content]) == {content: 0}
    objects.lay_out({str(base): content}, root, copies=True, in_place=[str(base)])
    laid_out.write_bytes(b"trained")
    assert base.read_bytes() == BASE
    objects.put(content, 0, BASE, is_last=True)
    objects.lay_out({str(base): content}, root, copies=False)  # as on a node whose disk is not shared any more
    assert not laid_out.is_symlink()
    assert laid_out.read_bytes() == BASE


class Carried:
    """An attempt at a trial whose node shares the disk."""

    def __init__(self, tmp_path: Path, shared: SharedFolder, name: str = "a1") -> None:
        self.here, tree = tmp_path / "trials" / "0001", Tree(str(tmp_path / name))
        self.there = tree.place(str(self.here))
        (self.there / "checkpoint").mkdir(parents=True)
        self.incoming = Incoming([str(self.here)], "", name, shared.path / name)
        self.outgoing = Outgoing([str(self.here)], tree, shared.path / name)

    def write(self, weights: bytes = LARGE) -> None:
        (self.there / "checkpoint" / "weights").write_bytes(weights)
        (self.there / "checkpoint" / "progress.json").write_text('{"rung": 1}')

    def bring(self) -> list[str]:
        kinds = []
        for item in map(Outgoing.loaded, self.outgoing.items()):
            assert len(item.get("data", b"")) <= HANDED_BYTES
            getattr(self.incoming, f"take_{item['kind']}")(item)
            kinds.append(f"{item['kind']} {item.get('name', '')}".strip())
        return kinds


def test_large_files_are_handed_over_on_the_shared_disk(tmp_path: Path, shared: SharedFolder) -> None:
    trial = Carried(tmp_path, shared)
    trial.write()
    assert trial.bring() == ["part checkpoint/progress.json", "handed checkpoint/weights", "folder"]
    assert (trial.here / "checkpoint" / "weights").read_bytes() == LARGE
    assert [file for file in (shared.path / "a1").rglob("*") if file.is_file()] == []


def test_what_is_on_its_way_is_no_part_of_the_study(tmp_path: Path, shared: SharedFolder) -> None:
    trial = Carried(tmp_path, shared)
    trial.write()
    *items, end = trial.outgoing.items()
    for item in map(Outgoing.loaded, items):
        getattr(trial.incoming, f"take_{item['kind']}")(item)
    assert look_at(trial.here) == look_at(shared.path.parent) == {}
    trial.incoming.take_folder(end)
    assert set(look_at(trial.here)) == {"checkpoint/weights", "checkpoint/progress.json"}


def test_an_attempt_that_is_over_hands_nothing_over_and_cannot_reach_the_trial(
    tmp_path: Path, shared: SharedFolder
) -> None:
    cut_off, next_one = Carried(tmp_path, shared), Carried(tmp_path, shared, "a2")
    cut_off.incoming.close()
    next_one.write()
    next_one.bring()
    cut_off.write(b"v" * len(LARGE))
    kinds = [item["kind"] for item in cut_off.outgoing.items()]  # sent, to be refused, for there is no folder any more
    assert kinds == ["part", "part", "folder"]
    assert (next_one.here / "checkpoint" / "weights").read_bytes() == LARGE
    assert [each.name for each in shared.path.iterdir() if each.is_dir()] == ["a2"]


def test_what_is_handed_over_is_a_file_of_that_size_below_the_attempts_folder(
    tmp_path: Path, shared: SharedFolder
) -> None:
    trial = Carried(tmp_path, shared)
    item = {"kind": "handed", "folder": str(trial.here), "name": "checkpoint/weights", "size": 6}
    handed = shared.path / "a1" / handed_name(item["folder"], item["name"])
    secret = tmp_path / "elsewhere" / "weights"
    secret.parent.mkdir()
    secret.write_text("secret")
    handed.parent.parent.mkdir()
    handed.parent.symlink_to(secret.parent)
    with pytest.raises(ValueError, match="not what it says"):
        trial.incoming.take_handed(item)
    handed.parent.unlink()
    handed.parent.mkdir()
    handed.symlink_to(secret)
    with pytest.raises(ValueError, match="not what it says"):
        trial.incoming.take_handed(item)
    handed.unlink()
    handed.write_text("short")
    with pytest.raises(ValueError, match="not what it says"):
        trial.incoming.take_handed(item)
    with pytest.raises(ValueError, match="a node writes"):
        trial.incoming.take_handed({**item, "name": "../x"})
    with pytest.raises(ValueError, match="no disk is shared"):
        Incoming([str(trial.here)], "", "a3").take_handed(item)
    assert secret.read_text() == "secret"


def test_a_file_that_cannot_be_handed_over_is_sent(tmp_path: Path, shared: SharedFolder) -> None:
    trial = Carried(tmp_path, shared)
    trial.write()
    (shared.path / "a1" / handed_name(str(trial.here), "x").partition("/")[0]).write_text("in the way")
    assert [item["kind"] for item in trial.outgoing.items()] == ["part", "part", "folder"]


def test_prepared_sets_that_are_here_whole_need_not_be_brought(tmp_path: Path) -> None:
    for name, size in (("whole", 2), ("torn", 3)):
        folder = tmp_path / "cache" / "prepared" / name
        folder.mkdir(parents=True)
        (folder / "train.arrow").write_bytes(b"ab")
        write_json(folder / "meta.json", {"files": {"train.arrow": size}})
    job = {"type": "prepare", "cache": str(tmp_path / "cache")}
    assert inputs_of(job).known == ["whole"]
    assert inputs_of({**job, "type": "train"}).known == []
