"""MLflow's own page of a study, as `ftsweep ui` serves it: it opens on a table of trials."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from chromium import ARGUMENTS, CHROMIUM
from study_manifests import write_manifest

from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.recording.ui import tracking_uri
from ftsweep.store.atomic import write_text
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.testing.recorder import record_trial, study_facts

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]


def run_of(folder: StudyFolder, name: str) -> str:
    """The id of a run."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri(folder.store))
    experiment = client.get_experiment_by_name(folder.name)
    return str(client.search_runs([experiment.experiment_id], f"tags.`ftsweep.run` = '{name}'")[0].info.run_id)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_printed_link_opens_on_trials_with_value_parameters_and_outcome(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    folder = Store(tmp_path / "mlruns").study("example")
    write_text(folder.sweep_file, "study: {name: example}\n")
    write_manifest(folder, "study: {name: example}\n", metrics={})
    recorder = MlflowRecorder(system_metrics=False)
    recorder.open(study_facts(folder))
    record_trial(recorder, 0)
    record_trial(recorder, 1, Outcome(OutcomeKind.PRUNED, "worse than its peers", rung=2, best_rung=2), num_rungs=3)
    recorder.tag({"description": "What it came to."})
    recorder.close(finished=True)
    command = [sys.executable, "-m", "ftsweep.cli.main", "ui", "--store", str(folder.store.root)]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert served.stdout is not None
    try:
        link = ""
        for line in served.stdout:
            if found := re.search(r"example: (http\S+)", line):
                link = found[1]
                break
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(link)
            page.get_by_text("trial-0000").first.wait_for(timeout=120_000)
            text = page.locator("body").inner_text()
            page.goto(re.sub(r"runs\?", f"runs/{run_of(folder, 'sweep')}?", link))
            page.get_by_text("What it came to.").first.wait_for(timeout=120_000)
            page.goto(re.sub(r"runs\?", f"runs/{run_of(folder, 'trial-0000')}/model-metrics?", link))
            page.get_by_text("value/validation").first.wait_for(timeout=120_000)
            curves = page.locator("body").inner_text()
            browser.close()
    finally:
        os.killpg(served.pid, signal.SIGKILL)
        served.communicate(timeout=30)  # closes its output, too
    assert text.index("trial-0000") < text.index("trial-0001"), "the best first"
    assert "complete" in text
    assert "pruned" in text
    assert "training.learning_rate" in text
    assert "value/validation/loss" in text
    assert "1.571" in text, "of trial 0 at its best rung"
    assert curves.index("\nvalidation\n") < curves.index("value/validation"), "curves come before bars"
