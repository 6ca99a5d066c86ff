"""What each kind of process imports in a whole study: control no torch, a worker no optuna or mlflow."""

from __future__ import annotations

import subprocess

from e2e_place import Place

NOT_IN_CONTROL = {"torch", "transformers", "datasets", "peft"}
NOT_IN_WORKER = {"optuna", "mlflow", "plotly"}

Finished = tuple[Place, "subprocess.CompletedProcess[str]"]


def packages(finished: Finished, module: str) -> list[set[str]]:
    """What every process of `python -m MODULE` has imported (see `e2e_place.LISTING`)."""
    lists = [file.read_text(encoding="utf-8").splitlines() for file in finished[0].imported.glob("*.txt")]
    return [{name.partition(".")[0] for name in names} for command, *names in lists if f"-m {module} " in command]


def test_control_process_never_imports_torch_and_its_kin(finished: Finished) -> None:
    (imported,) = packages(finished, "ftsweep.cli.main")
    assert {"ftsweep", "optuna", "mlflow", "plotly"} <= imported, "the study was not run, recorded and reported here"
    assert not imported & NOT_IN_CONTROL


def test_worker_never_imports_optuna_mlflow_or_plotly(finished: Finished) -> None:
    workers = packages(finished, "ftsweep.worker.process")
    assert workers
    for imported in workers:
        assert {"ftsweep", "torch", "transformers", "peft"} <= imported, "nothing was trained here"
        assert not imported & NOT_IN_WORKER
