"""How MLflow's own pages are shown for a store."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from urllib.parse import quote

from ftsweep.domain.objective import Objective
from ftsweep.recording.shared_view import VIEW
from ftsweep.store.folders import Store


def ui_command(store: Store, host: str = "127.0.0.1", port: int = 5000) -> list[str]:
    """The command that serves the MLflow UI of this store; run it with `ui_environment` added."""
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", tracking_uri(store)),
        *("--artifacts-destination", store.artifacts.absolute().as_uri()),
        *("--host", host, "--port", str(port), "--workers", "1"),
        *("--uvicorn-opts", "--log-level warning"),  # no line for each request
    ]


def ui_environment() -> dict[str, str]:
    """What the UI's process needs in its environment: nothing of this machine is sent anywhere, no job server, no
    warnings of its libraries about each other.
    """
    return {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }


def ui_address(host: str = "127.0.0.1", port: int = 5000) -> str:
    """Where a person opens the UI; without the workflow type it shows its pages for agents."""
    return f"http://{host}:{port}/#/experiments?workflowType=machine_learning"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what is served there. A name other than localhost may lead anywhere."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def runs_address(server: str, experiment_id: str, objective: Objective, *, is_shared: bool = False) -> str:
    """The page of a study's runs on a server, best first. is_shared: whether the experiment has our view of them."""
    key = quote(f"metrics.`value/{objective.key}`", safe="")
    ascending = str(objective.direction == "minimize").lower()
    how = f"viewStateShareKey={VIEW}" if is_shared else f"orderByKey={key}&orderByAsc={ascending}"
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&{how}"


def run_address(server: str, run_id: str) -> str:
    """The page of one run on a server."""
    return f"{server.rstrip('/')}/#/runs/{quote(run_id, safe='')}"


def tracking_uri(store: Store) -> str:
    """The store's own database, as MLflow names it."""
    return f"sqlite:///{store.mlflow_database.absolute()}"
