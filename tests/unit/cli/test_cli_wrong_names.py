"""What is named wrongly on the command line is told in a paragraph that leads on, and nothing is written."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from report_studies import StudyBuilder
from safetensors import SafetensorError

from ftsweep.cli.main import main
from ftsweep.cli.placing import written_to
from ftsweep.errors import MAX_KNOWN, FtsweepError, UsageError, suggest
from ftsweep.serving.study_model import make_destination


def called(*words: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    builder = StudyBuilder(tmp_path / "store")
    builder.trial(0, [1.6, 1.0], is_default=True)
    return tmp_path / "store"


@pytest.mark.parametrize("name", ["mlruns/studies/demo", "demo.yaml", "Demo"])
def test_a_study_named_by_its_folder_or_file_is_told_the_name(store: Path, name: str) -> None:
    done = called("status", name, "--store", store)
    assert done.exit_code == 2
    assert f"there is no study {name!r}" in done.output
    assert "Did you mean 'demo'?" in done.output


def test_a_store_that_is_a_file_or_not_there_is_told(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    file.write_text("a: 1\n")
    for words in (["status"], ["status", "demo"]):
        done = called(*words, "--store", file)
        assert (done.exit_code, "this is a file, and a store is a folder" in done.output) == (2, True)
    done = called("best", "demo", "--store", tmp_path / "typo")
    assert done.exit_code == 2
    assert f"{tmp_path / 'typo'}: there is no store here" in done.output
    assert not (tmp_path / "typo").exists()


def test_rows_in_the_place_of_a_sweep_are_sent_to_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my rows.jsonl").write_text(json.dumps({"text": "a", "label": "b"}))
    done = called("plan", "my rows.jsonl")
    assert done.exit_code == 2
    assert "ftsweep new 'my rows.jsonl'" in done.output


def test_a_folder_for_an_export_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for wrong in (file, file / "model", tmp_path / ("a" * 300)):
        with pytest.raises(UsageError, match="Name another folder"):
            make_destination(wrong)
    make_destination(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_of_very_many_names_some_are_listed() -> None:
    said = suggest("zzz", [f"task{number:04d}" for number in range(5_000)])
    assert said.endswith(f"and {5_000 - MAX_KNOWN} more.")
    assert len(said) < 500


def write(place: Path, error: Exception) -> None:
    with written_to(place):
        if not place.exists():
            place.mkdir()
            (place / "half").write_text("x")
        raise error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_leaves_nothing_so_that_the_command_may_be_given_again(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(FtsweepError, match=r"model: this cannot be written: No space left.*Free some space") as told:
        write(tmp_path / "model", error)
    assert told.value.exit_code == 1
    assert not (tmp_path / "model").exists()


def test_what_was_there_is_left_and_other_errors_are_not_of_the_place(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UsageError, match="mine: this cannot be written: Read-only file system"):
        write(tmp_path / "mine", OSError(errno.EROFS, "Read-only file system"))
    assert (tmp_path / "mine").read_text() == "precious"
    for other in (ValueError("a defect"), FileNotFoundError(errno.ENOENT, "No such file", "/elsewhere/rows.csv")):
        with pytest.raises(type(other)):
            write(tmp_path / "new", other)


@pytest.mark.parametrize(
    ("verb", "does"), [("export", "ftsweep best STUDY --export FOLDER"), ("resume", "ftsweep run")]
)
def test_a_command_that_other_tools_have_is_answered_with_ours(verb: str, does: str) -> None:
    done = CliRunner().invoke(main, [verb, "demo"])
    assert done.exit_code == 2
    assert does in done.output
