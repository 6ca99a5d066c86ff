"""Whatever a kill or a bad disk leaves of a file, readers get what was written whole, or are told."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from ftsweep.errors import DamagedFileError
from ftsweep.store.atomic import append_line, read_json, read_lines, settle_folder, write_json, written_folder

LINES = [{"rung": rung, "loss": 1.0 / (rung + 1)} for rung in range(5)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "measurements.jsonl"
    for line in LINES:
        append_line(file, line)
    return file


def test_log_that_was_cut_anywhere_gives_its_whole_lines_and_takes_new_ones(log: Path) -> None:
    content = log.read_bytes()
    for size in range(len(content) + 1):
        log.write_bytes(content[:size])
        whole = content[:size].count(b"\n") + (size < len(content) and content[size : size + 1] == b"\n")
        assert list(read_lines(log)) == LINES[:whole], f"cut at byte {size}"
        append_line(log, {"rung": 99})
        assert list(read_lines(log)) == [*LINES[:whole], {"rung": 99}], f"cut at byte {size}"


def test_spoiled_bytes_cost_their_own_lines_only(log: Path) -> None:
    content = log.read_bytes()
    chance = random.Random(5)
    for _ in range(200):
        spoiled = bytearray(content)
        at = chance.randrange(len(spoiled))
        spoiled[at] ^= 1 << chance.randrange(8)
        log.write_bytes(bytes(spoiled))
        found = list(read_lines(log))
        assert all(line in LINES for line in found)
        assert len(found) >= len(LINES) - 2  # a spoiled line end takes the next line with it


def test_rubbish_at_the_end_of_a_log_is_passed_over(log: Path) -> None:
    for rubbish in (b"\x00" * 4096, b'{"rung": 5, "loss": 0.1}\n', b"\xff\xfe\n\n\n", b'{"rung": 5}\t00000000\n'):
        content = log.read_bytes()
        log.write_bytes(content + rubbish)
        assert list(read_lines(log)) == LINES
        append_line(log, {"rung": 5})
        assert list(read_lines(log)) == [*LINES, {"rung": 5}]
        log.write_bytes(content)


FILL = """
import resource, signal, sys
from pathlib import Path
from ftsweep.store.atomic import append_line, write_json, written_folder
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    {action}
except OSError as error:
    print(error.errno)
"""


@pytest.mark.parametrize(
    ("action", "check"),
    [
        ("write_json(folder / 'file.json', ['new'] * 1000)", lambda folder: (folder / "file.json").read_text()),
        ("append_line(folder / 'log.jsonl', {'text': 'x' * 5000})", lambda folder: [*read_lines(folder / "log.jsonl")]),
    ],
)
def test_file_that_cannot_be_written_to_its_end_keeps_what_it_had(tmp_path: Path, action: str, check: object) -> None:
    write_json(tmp_path / "file.json", "old")
    append_line(tmp_path / "log.jsonl", {"text": "old"})
    before = check(tmp_path)  # type: ignore[operator]
    script = FILL.format(action=action)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), "2000"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "27"  # EFBIG
    assert check(tmp_path) == before  # type: ignore[operator]
    append_line(tmp_path / "log.jsonl", {"text": "after"})
    assert [line["text"] for line in read_lines(tmp_path / "log.jsonl")] == ["old", "after"]
    assert not list(tmp_path.glob(".*.tmp")), "a torn file stays"


def test_what_killed_writers_left_goes_with_the_next_write_and_a_living_ones_stays(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    torn = [tmp_path / f".file.json.{gone.pid}.tmp", tmp_path / f".folder.{gone.pid}.tmp"]
    living = [tmp_path / ".file.json.1.tmp", tmp_path / ".folder.1.tmp", tmp_path / f".other.{gone.pid}.tmp"]
    for path in [*torn, *living]:
        path.write_text("torn")
    write_json(tmp_path / "file.json", "whole")
    with written_folder(tmp_path / "folder"):
        pass
    assert not any(path.exists() for path in torn)
    assert all(path.exists() for path in living)


@pytest.mark.parametrize("killed_at", range(8))
def test_folder_that_is_replaced_is_there_whole_whenever_the_writer_dies(tmp_path: Path, killed_at: int) -> None:
    """The writer dies at each rename and removal of the replacement in turn."""
    folder = tmp_path / "checkpoint"
    with written_folder(folder) as temporary:
        (temporary / "a").write_text("old")
    pid = os.fork()
    if pid == 0:
        calls = [killed_at]

        def die(name: str, _: object) -> None:
            if name in {"os.rename", "shutil.rmtree", "os.mkdir", "os.rmdir", "os.remove"}:
                calls[0] -= 1
                if calls[0] < 0:
                    os._exit(9)

        sys.addaudithook(die)
        with written_folder(folder) as temporary:
            (temporary / "a").write_text("new")
        os._exit(0)
    os.waitpid(pid, 0)
    settle_folder(folder)
    assert (folder / "a").read_text() in ("old", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff{}", b'{"a": 1', None])
def test_what_is_no_json_is_a_damaged_file_and_so_is_a_folder(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "result.json"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"result\.json.*this file is damaged.*study\.name="):
        read_json(file)
