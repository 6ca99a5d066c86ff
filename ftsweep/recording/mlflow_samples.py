"""What a trial's model answered, as a table of its MLflow run: the UI shows those of several runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ftsweep.domain.trial import Proposal
from ftsweep.recording.mlflow_artifacts import keep_text
from ftsweep.recording.mlflow_run import MlflowRun
from ftsweep.recording.mlflow_study import MlflowStudy
from ftsweep.store.samples import read_samples, rung_name, sampled_rungs

FILE = "samples.json"
TAGS = {"mlflow.loggedArtifacts": json.dumps([{"path": FILE, "type": "table"}])}
"""By these MLflow knows that a run has a table."""


def keep_samples(study: MlflowStudy, run: MlflowRun, proposal: Proposal) -> None:
    """What the trial answered, if it was asked; written over what is there."""
    place = study.facts.folder
    folder = place.trial(proposal.number) if proposal.number >= 0 else place.baseline(proposal.branch or "main")
    table = sample_table(folder.path)
    if table and keep_text(study, run, table, FILE, key=f"{run.name}/{FILE}"):
        run.send(tags=TAGS)


def sample_table(folder: Path) -> str:
    """All answers of a trial in the form of `mlflow.log_table`: a line per rung and row; "" when there are none."""
    rungs = {rung: read_samples(folder, rung_name(rung)) for rung in sampled_rungs(folder)}
    metrics = list(dict.fromkeys(name for samples in rungs.values() for each in samples for name in each.scores))
    data: list[list[Any]] = [
        [rung, each.row, each.prompt, each.expected, each.answer, *(each.scores.get(name) for name in metrics)]
        for rung, samples in rungs.items()
        for each in samples
    ]
    columns = ["rung", "row", "prompt", "expected", "answer", *metrics]
    return json.dumps({"columns": columns, "data": data}, ensure_ascii=False) if data else ""
