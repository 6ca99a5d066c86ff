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
    assert "has run no trial 7. `ftsweep status demo` lists its trials." in said(study, "7", code=2)
    assert "has run no trial 1 with fresh seed 9" in said(study, "1", "--seed", "9", code=2)
