"""`ftsweep logs`: what a trial's worker wrote, of the run that was named."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from report_studies import StudyBuilder, falling

from ftsweep.cli.main import main
from ftsweep.store.folders import StudyFolder


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    builder = StudyBuilder(tmp_path / "a store")
    builder.trial(0, falling(1e-3, 16), is_default=True)
    builder.trial(1, falling(2e-3, 16))
    builder.folder.trial(1).log_file.write_text("first\nsecond hf_not-to-be-seen\nthird\n", encoding="utf-8")
    return builder.folder


def said(study: StudyFolder, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["logs", study.name, *words, "--store", str(study.store.root)])
    assert done.exit_code == code, done.output
    return done.output


def test_log_is_printed_without_secrets(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_not-to-be-seen")
    assert said(study, "1") == "first\nsecond ***\nthird\n"
    assert said(study, "1", "--lines", "1") == "third\n"


def test_log_of_a_fresh_seed_is_that_of_its_own_run(study: StudyFolder) -> None:
    run = study.confirmation(1, 2)
    run.path.mkdir(parents=True)
    run.spec_file.write_bytes(study.trial(1).spec_file.read_bytes())
    run.log_file.write_text("of the second seed\n", encoding="utf-8")
    assert said(study, "1", "--seed", "2") == "of the second seed\n"


def test_what_is_not_there_is_told(study: StudyFolder) -> None:
    assert said(study, "0") == "Trial 0 has logged nothing yet.\n"
    assert f"has run no trial 7. Its trials: ftsweep status demo --store '{study.store.root}'" in said(
        study, "7", code=2
    )
    assert "has run no trial 1 with fresh seed 9" in said(study, "1", "--seed", "9", code=2)


def test_log_of_a_run_under_way_is_followed_to_its_end(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run = study.trial(1)
    run.outcome_file.unlink()
    to_come = ["fou", "rth\nfifth\n", "last words behind the outcome"]

    def wait(seconds: float) -> None:
        """In place of the pause between two looks: what the worker writes meanwhile."""
        with run.log_file.open("a", encoding="utf-8") as file:
            file.write(to_come.pop(0))
        if len(to_come) == 1:
            run.outcome_file.write_text("{}", encoding="utf-8")

    monkeypatch.setattr("time.sleep", wait)
    with study.locked():
        assert said(study, "1", "--follow", "--lines", "1") == "third\nfourth\nfifth\nlast words behind the outcome"
    run.outcome_file.unlink()
    run.log_file.write_text("whole\ntorn", encoding="utf-8")
    to_come.append("")
    assert said(study, "1", "--follow") == "whole\ntorn"  # nobody runs the study


def test_log_that_is_yet_to_come_is_waited_for(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run = study.trial(0)
    run.outcome_file.unlink()

    def wait(seconds: float) -> None:
        run.log_file.write_text("begun\n", encoding="utf-8")
        run.outcome_file.write_text("{}", encoding="utf-8")

    monkeypatch.setattr("time.sleep", wait)
    with study.locked():
        assert said(study, "0", "--follow") == "begun\n"
