"""`ftsweep evaluate`: a study's model answers tasks of lm-eval, and the scores are kept and shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from study_manifests import write_manifest

from ftsweep.cli.main import main
from ftsweep.domain.answers import Model
from ftsweep.domain.result import StudyResult
from ftsweep.report.overview import read_overview
from ftsweep.report.tables.harness import winner_harness_table
from ftsweep.serving import harness
from ftsweep.store.atomic import write_json
from ftsweep.store.evaluations import evaluation_file, flat_scores, read_evaluation
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.result import model_folder, write_result

TASK = """
task: own_parity
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list: [{{metric: acc}}]
metadata: {{version: 2.0}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """A study with a chosen model, which is the embedded one as it is."""
    folder = Store(tmp_path / "runs").study("asked")
    folder.path.mkdir(parents=True)
    write_manifest(folder, allow=())
    folder.sweep_file.write_text("recording: {_target_: ftsweep.recording.NullRecorder}\n")
    write_result(folder, StudyResult("Trial 3 is chosen.", model=Model(3, 1.0, 2, "It is the best."), num_trials=1))
    return folder


def exported(folder: StudyFolder, task: str = "ftsweep.tasks.Instruction") -> None:
    from ftsweep.models.tiny import FOLDER, TinyModel

    model_folder(folder).mkdir()
    facts = {
        "model": {"_target_": "ftsweep.models.TinyModel"},
        "task": {"_target_": task},
        "strategy": {"_target_": "ftsweep.strategies.Full"},
        "schema": {"labels": ["bad", "good"]} if task.endswith("Classification") else {},
        "allow": [],
    }
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(model_folder(folder))
    TinyModel().tokenizer().save_pretrained(model_folder(folder))
    write_json(model_folder(folder) / "ftsweep.json", facts)


def own_tasks(tmp_path: Path) -> Path:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    rows = [{"question": f"The number {n} is", "choices": ["even", "odd"], "answer": n % 2} for n in range(6)]
    (tasks / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tasks / "own_parity.yaml").write_text(TASK.format(rows=tasks / "rows.jsonl"))
    return tasks


def evaluate(folder: StudyFolder, *words: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["evaluate", folder.name, "--store", str(folder.store.root), *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.mark.slow
def test_a_task_of_ones_own_is_asked_and_kept(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("lm_eval", reason="lm-eval is in the extra evaluate")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)  # no repository of git
    exported(folder)
    tasks = own_tasks(tmp_path)
    code, text = evaluate(folder, "--tasks", "own_parity", "--include-path", tasks)
    assert code == 0, text
    assert "git" not in capfd.readouterr().err
    scores = read_evaluation(folder, "trial-0003")["own_parity"]
    assert scores.num_rows == 6
    assert 0 <= scores.values["acc"] <= 1
    assert scores.errors["acc"] > 0
    assert "own_parity" in text
    assert scores.version.startswith("2.0, lm-eval ")
    code, text = evaluate(folder, "--tasks", "own_parity", "--include-path", tasks, "--limit", 2, "--json")
    assert code == 0, text
    assert json.loads(text[text.index("{") :])["scores"]["own_parity"]["num_rows"] == 2
    assert flat_scores(read_evaluation(folder, "trial-0003")).keys() == {"own_parity/acc"}
    table = winner_harness_table(read_overview(folder))
    assert table is not None
    assert [row.cells[0].text for row in table.rows] == ["own_parity"]
    code, text = evaluate(folder, "--tasks", "own_party", "--include-path", tasks)
    assert code == 2
    assert "no task 'own_party'. Did you mean 'own_parity'" in text


def test_without_the_extra_its_name_is_said(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.importlib.util, "find_spec", lambda name: None)
    code, text = evaluate(folder, "--tasks", "arc_easy")
    assert code == 2
    assert "pip install 'ftsweep[evaluate]'" in text
    assert "lm_eval" not in sys.modules or not evaluation_file(folder, "trial-0003").exists()


def test_a_model_that_continues_no_text_is_refused() -> None:
    from types import SimpleNamespace

    from ftsweep.errors import UsageError
    from ftsweep.strategies.full import Full
    from ftsweep.tasks.classification import Classification

    with pytest.raises(UsageError, match="continues text"):
        harness.check_askable(SimpleNamespace(task=Classification(), strategy=Full()), is_chat=False)  # type: ignore[arg-type]


def test_a_chat_template_that_is_not_there_is_not_asked_with() -> None:
    from types import SimpleNamespace

    from ftsweep.errors import UsageError
    from ftsweep.strategies.full import Full
    from ftsweep.tasks.instruction import Instruction

    bare = SimpleNamespace(task=Instruction(), strategy=Full(), tokenizer=SimpleNamespace(chat_template=None))
    harness.check_askable(bare, is_chat=False)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no chat template"):
        harness.check_askable(bare, is_chat=True)  # type: ignore[arg-type]
