"""What ends a command from outside has the exit code that docs/studies.md promises, and no traceback."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from optuna.exceptions import StorageInternalError

from ftsweep.cli.diagnosis import Check, _attempt, _store_is_writable
from ftsweep.cli.main import main
from ftsweep.store.folders import Store


def status_that_raises(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Any:
    monkeypatch.setattr("ftsweep.report.store_overview.read_store", Mock(side_effect=error))  # raised in no user's file
    return CliRunner().invoke(main, ["status"])


def test_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    result = status_that_raises(monkeypatch, KeyboardInterrupt())
    assert result.exit_code == 130
    assert "Aborted" not in result.output


def test_full_disk_is_one_sentence_that_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    result = status_that_raises(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/data/spec.json"))
    assert result.exit_code == 1
    assert result.output.startswith("Error: /data/spec.json cannot be written or read: No space left on device. Free")


def test_full_disk_that_a_database_tells_of_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    full = StorageInternalError("An exception is raised during the commit.")
    full.__cause__ = sqlite3.OperationalError("database or disk is full")
    result = status_that_raises(monkeypatch, full)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "goes on where it stood" in result.output


def test_other_errors_of_the_system_are_defects_and_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    result = status_that_raises(monkeypatch, OSError(errno.EBADF, "Bad file descriptor"))
    assert isinstance(result.exception, OSError)


def test_error_in_code_of_the_users_own_is_one_sentence_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(store: Any) -> None:
        raise KeyError("mood")

    monkeypatch.setattr("ftsweep.report.store_overview.read_store", mine)
    result = CliRunner().invoke(main, ["status"])
    assert result.exit_code == 1
    place = f"{__file__}:{mine.__code__.co_firstlineno + 1}"
    assert result.output.startswith(f"Error: {place}: KeyError: 'mood'. Mend it and run the same command again; add")
    assert isinstance(CliRunner().invoke(main, ["status", "--debug"]).exception, KeyError)


def test_a_file_that_was_taken_out_of_a_study_is_one_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    file = "/data/mlruns/studies/topics/study.json"
    gone = FileNotFoundError(errno.ENOENT, "No such file or directory", file)
    result = status_that_raises(monkeypatch, gone)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {file}: this file is damaged: it is not there")
    assert "Put it back from a copy" in result.output
    elsewhere = FileNotFoundError(errno.ENOENT, "No such file or directory", "/usr/share/words")
    assert isinstance(status_that_raises(monkeypatch, elsewhere).exception, FileNotFoundError)


def test_doctor_says_of_a_store_that_cannot_be_written_where_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "/x/tmpabc")

    monkeypatch.setattr("ftsweep.cli.diagnosis.tempfile.TemporaryFile", refuse)
    assert _attempt("store", lambda: _store_is_writable(Store(tmp_path))) == Check(
        "store", "fails", f"{tmp_path} cannot be written: Read-only file system"
    )


@pytest.mark.parametrize(("error", "is_told"), [("KeyboardInterrupt", False), ("ValueError", True)])
def test_ctrl_c_while_verbs_are_imported_shows_no_traceback(error: str, is_told: bool) -> None:
    words = [sys.executable, "-c", f"import ftsweep.cli; raise {error}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert ("Traceback" in done.stderr) is is_told
    assert bool(done.stderr) is is_told
