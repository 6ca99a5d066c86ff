"""A real study whose code tells secrets wherever it can: nothing of the store and nothing printed holds one."""

from __future__ import annotations

import pytest
from e2e_place import Place

SECRETS = {
    "HF_TOKEN": "hf_Zk3vQ9sEcReT",
    "MLFLOW_TRACKING_PASSWORD": "mlflow-Zk3vQ9sEcReT",
    "AWS_SECRET_ACCESS_KEY": "aws/Zk3vQ9sEcReT+x",
    "PGPASSWORD": "pg-Zk3vQ9sEcReT",
}
PARTS = """
import logging, os, warnings
from ftsweep.strategies.lora import Lora

SECRETS = [os.environ[name] for name in ("HF_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD")]


class Gossip(Lora):
    def apply(self, base, head):
        for secret in SECRETS:
            logging.getLogger("ftsweep.gossip").warning("it is %s", secret)
            warnings.warn(f"have you heard of {secret}?")
        try:
            raise ValueError(f"https://ann:{SECRETS[3]}@host/x?token={SECRETS[0]} said no")
        except ValueError as error:
            raise RuntimeError(f"401 for {SECRETS[0]} and {SECRETS[1]}") from error
"""


def test_a_study_keeps_and_tells_no_secret_of_the_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (place.folder / "gossip_parts.py").write_text(PARTS)
    (place.folder / "strategy").mkdir()
    (place.folder / "strategy" / "gossip.yaml").write_text("_target_: gossip_parts.Gossip\nrank: 2\n")
    words = ("run", "small.yaml", "strategy=gossip", "+allow=[gossip_parts]", "budget.trials=1")
    done = place.run(*words)
    assert done.returncode == 1, done.stderr
    said = done.stdout + done.stderr
    said += place.run("report", "small").stdout
    assert "401 for *** and ***" in said
    assert "Zk3vQ9sEcReT" not in said
    files = [file for file in (place.folder / "mlruns").rglob("*") if file.is_file()]
    assert {"control.log", "worker.log", "report.html", "mlflow.db", "optuna.db"} <= {file.name for file in files}
    assert [file for file in files if b"Zk3vQ9sEcReT" in file.read_bytes()] == []
