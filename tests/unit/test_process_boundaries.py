"""What each kind of process imports in a whole small study: control no torch, a worker no optuna, mlflow or plotly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOT_IN_CONTROL = {"torch", "transformers", "datasets", "peft"}
NOT_IN_WORKER = {"optuna", "mlflow", "plotly"}

DRIVER = """\
import json, pathlib, sys
from ftsweep.cli.main import main
try:
    main(["run", "tiny.yaml"])
finally:
    pathlib.Path("control.json").write_text(json.dumps(sorted(sys.modules)))
"""

# A strategy is asked to save at the end of a trial, and to restore when the chosen model is tested and tried out at the
# very end: the last list written has everything that training, testing and exporting brought along.
COMPONENT = """\
import json, os, pathlib, sys
from ftsweep.strategies.lora import Lora

class Listing(Lora):
    def restore(self, model, folder):
        super().restore(model, folder)
        self.note()

    def save(self, model, folder):
        super().save(model, folder)
        self.note()

    def note(self):
        pathlib.Path(os.environ["LISTED"]).write_text(json.dumps([os.getpid(), sorted(sys.modules)]))
"""

SWEEP = """\
defaults: [base, model: tiny, data: files, task: classification, strategy: lora, _self_]
data: {train: rows.jsonl}
task: {max_length: 16}
strategy: {_target_: listing.Listing}
allow: [listing]
training: {learning_rate: 5e-3, batch_size: 8, epochs: 1}
budget: {trials: 2}
rungs: {count: 2}
executor: {threads: 1}
guards: {small_data: allow}
space: {strategy: {rank: [2, 4]}}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study, with what its processes had imported at their ends."""
    folder = tmp_path_factory.mktemp("boundaries")
    texts = [{"text": f"{'wave ship' if number % 2 else 'cow barn'} {chr(97 + number)}", "label": number % 2}
             for number in range(26)]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts), encoding="utf-8")
    (folder / "tiny.yaml").write_text(SWEEP, encoding="utf-8")
    (folder / "listing.py").write_text(COMPONENT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=folder,
        env={**os.environ, "LISTED": str(folder / "worker.json"), "OMP_NUM_THREADS": "1", "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def packages(modules: list[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_control_process_never_imports_torch_and_its_kin(study: Path) -> None:
    imported = packages(json.loads((study / "control.json").read_text(encoding="utf-8")))
    assert {"ftsweep", "optuna", "mlflow", "plotly"} <= imported, "the study was not run, recorded and reported here"
    assert not imported & NOT_IN_CONTROL


def test_worker_never_imports_optuna_mlflow_or_plotly(study: Path) -> None:
    _, modules = json.loads((study / "worker.json").read_text(encoding="utf-8"))
    imported = packages(modules)
    assert {"ftsweep", "torch", "transformers", "peft"} <= imported, "nothing was trained here"
    assert not imported & NOT_IN_WORKER
