"""What each kind of process has imported when a whole study ends: control no torch, a worker no optuna or mlflow."""

from __future__ import annotations

import json
import subprocess

from e2e_place import Place

NOT_IN_CONTROL = {"torch", "transformers", "datasets", "peft"}
NOT_IN_WORKER = {"optuna", "mlflow", "plotly"}

Finished = tuple[Place, "subprocess.CompletedProcess[str]"]


def packages(finished: Finished, program: str) -> list[set[str]]:
    """What every process of this program had imported at its end (see `e2e_place.LISTING`)."""
    lists = [json.loads(file.read_text(encoding="utf-8")) for file in finished[0].imported.glob("*.json")]
    return [{name.partition(".")[0] for name in each["modules"]} for each in lists if each["program"].endswith(program)]


def test_control_process_never_imports_torch_and_its_kin(finished: Finished) -> None:
    (imported,) = packages(finished, "ftsweep/cli/main.py")
    assert {"ftsweep", "optuna", "mlflow", "plotly"} <= imported, "the study was not run, recorded and reported here"
    assert not imported & NOT_IN_CONTROL


def test_worker_never_imports_optuna_mlflow_or_plotly(finished: Finished) -> None:
    workers = packages(finished, "ftsweep/worker/process.py")
    assert workers
    for imported in workers:
        assert {"ftsweep", "torch", "transformers", "peft"} <= imported, "nothing was trained here"
        assert not imported & NOT_IN_WORKER
