"""Folders of the slots and bridges on a machine: they go with their processes, and caches stay within their limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ftsweep.cluster.held_folder import HeldFolder, own_folder, remove_left
from ftsweep.cluster.objects import Hashes, Objects, file_hash
from ftsweep.store.locks import try_lock

HOLD = """
import sys
from pathlib import Path
from ftsweep.cluster.held_folder import HeldFolder
folder = HeldFolder(Path(sys.argv[1]), "slot-")
print(folder.path, flush=True)
sys.stdin.read()
"""


def test_a_folder_stays_while_its_process_lives_and_goes_after_its_death(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    (folder / "weights").write_text("x")
    remove_left(tmp_path, "slot-")
    assert (folder / "weights").exists()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    own = HeldFolder(tmp_path, "slot-")
    assert list(tmp_path.iterdir()) == [own.path]
    own.remove()
    own.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    assert own_folder(tmp_path / "mine").stat().st_mode & 0o777 == 0o700
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("open", "link"):
        with pytest.raises(PermissionError, match="not a folder that only this user may write"):
            own_folder(tmp_path / name)


def test_what_a_node_keeps_stays_within_its_limit(tmp_path: Path) -> None:
    objects, trees = Objects(tmp_path / "objects", 250), tmp_path / "stores"
    names = {}
    for tree, age in (("old", 3), ("used", 2), ("new", 1)):
        (trees / tree).mkdir(parents=True)
        lock = trees / tree / "lock"
        lock.touch()
        source = tmp_path / tree
        source.write_bytes(tree.encode() * 100)
        source.write_bytes(source.read_bytes()[:100])
        names[tree] = file_hash(source)
        objects.put(names[tree], 0, source.read_bytes(), is_last=True)
        objects.lay_out({"/rows": names[tree]}, str(trees / tree), copies=False)
        os.utime(lock, (1e9 - age, 1e9 - age))
    with (trees / "old" / "lock").open(encoding="utf-8") as held:
        assert try_lock(held, is_shared=True)
        objects.trim(trees)
    assert (trees / "old" / "rows").exists()  # in use
    assert not (trees / "used").exists()
    assert (trees / "new" / "rows").exists()
    assert set(objects.missing(list(names.values()))) == {names["used"]}


def test_a_hash_is_that_of_the_content_as_it_is_now(tmp_path: Path) -> None:
    hashes, file = Hashes(), tmp_path / "weights"
    file.write_bytes(b"one")
    os.utime(file, (1e9, 1e9))
    assert hashes.of(file) == hashes.of(file) == file_hash(file)
    file.write_bytes(b"two")
    assert hashes.of(file) == file_hash(file)
    file.write_bytes(b"six")
    assert hashes.of(file) == file_hash(file)
