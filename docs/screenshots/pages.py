"""Pages in a headless Chromium: the report, MLflow's pages and the dashboard, as pictures."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, Page, sync_playwright

_ARGUMENTS = ["--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-gpu"]
_PATIENCE_MS = 300_000  # MLflow's pages are large, and the machine may be busy
_SETTLING_SECONDS = 3.0  # what slides in has come to rest
_REPORT_FIGURES = (
    "winner_evidence",
    "history",
    "learning_curves",
    "parallel_coordinates",
    "contour",
    "importances",
    "timeline",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


def opened(browser: Browser, address: str, width: int = 1400, height: int = 900) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(_PATIENCE_MS)
    page.goto(address)
    return page


@contextmanager
def served(command: list[str], folder: Path, link: str) -> Iterator[str]:
    """While the command serves, the address that the pattern finds in what it prints."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = next(filter(None, (re.search(link, line) for line in process.stdout)), None)
        if found is None:
            raise RuntimeError(f"{' '.join(command)} printed no address")
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def picture_report(browser: Browser, report: Path, images: Path) -> None:
    """Its first screen at two widths, and some of its figures."""
    for width, name in ((1400, "report.png"), (700, "report-700.png")):
        page = opened(browser, report.as_uri(), width, 1000)
        page.wait_for_selector("footer")
        num_figures = page.locator("section.figure").count()
        page.locator(".plot:has(.main-svg)").nth(num_figures - 1).wait_for(state="attached")
        page.screenshot(path=images / name)
        for figure in _REPORT_FIGURES if width == 1400 else ():
            section = page.locator(f"#{figure}")
            section.scroll_into_view_if_needed()
            section.screenshot(path=images / f"report-{figure.replace('_', '-')}.png")
        page.locator("#trials").screenshot(path=images / f"report-trials{'' if width == 1400 else '-700'}.png")
        page.close()


def picture_dashboard(browser: Browser, link: str, study: str, trial: int, images: Path) -> None:
    """A study with its five best trials selected, and one trial. link: with its token."""
    base, _, token = link.partition("/?")
    page = opened(browser, link, height=1500)
    page.goto(f"{base}/study/{study}?{token}")
    page.wait_for_selector(".ag-row")
    drawn = "[...document.querySelectorAll('.panel .js-plotly-plot')].every(plot => plot.data && plot.data.length)"
    page.wait_for_function(f"() => {drawn}")
    time.sleep(_SETTLING_SECONDS)
    page.fill("#top", "5")
    page.press("#top", "Enter")
    page.wait_for_function("() => document.querySelector('#selected').innerText.startsWith('5 ')")
    time.sleep(_SETTLING_SECONDS)
    page.screenshot(path=images / "dashboard-study.png")
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{base}/study/{study}/trial/{trial}?{token}")
    page.wait_for_selector("text=How well it fits")
    page.wait_for_selector("#trial-curves .main-svg")
    time.sleep(_SETTLING_SECONDS)
    page.screenshot(path=images / "dashboard-trial.png")
    page.close()


def picture_mlflow(browser: Browser, link: str, study: str, trial: int, images: Path) -> None:
    """The page that `ftsweep ui` prints, the study's run, a trial and its curves, a comparison, the model's version."""
    base = link.partition("/#")[0]
    experiment = link.partition("experiments/")[2].partition("/")[0]
    runs = _runs(base, experiment)
    ours = f"trial-{trial:04d}"
    of_run = f"{base}/#/experiments/{experiment}/runs"
    several = [runs[name] for name in sorted(runs) if re.fullmatch(r"trial-\d+", name)][:5]
    compared = f"{base}/#/compare-runs?runs={json.dumps(several)}&experiments={json.dumps([experiment])}"
    places = {
        "mlflow-trials": (link, ours),
        "mlflow-study": (f"{of_run}/{runs['sweep']}?workflowType=machine_learning", "is chosen"),
        "mlflow-trial": (f"{of_run}/{runs[ours]}?workflowType=machine_learning", "About this run"),
        "mlflow-curves": (f"{of_run}/{runs[ours]}/model-metrics?workflowType=machine_learning", "calibration_error"),
        "mlflow-compare": (compared, "learning_rate"),
        "mlflow-model": (f"{base}/#/models/{study}/versions/1?workflowType=machine_learning", "How to load it"),
    }
    for name, (address, awaited) in places.items():
        page = opened(browser, address, width=1600)
        page.get_by_text(re.compile(awaited)).first.wait_for(state="attached")
        if page.get_by_text("MLflow Assistant").count():
            page.get_by_label("Close").last.click()
        time.sleep(_SETTLING_SECONDS)
        page.screenshot(path=images / f"{name}.png")
        page.close()


def _runs(base: str, experiment: str) -> dict[str, str]:
    """Ids of an experiment's runs, by name."""
    asked: dict[str, Any] = {"experiment_ids": [experiment], "max_results": 1_000}
    answer = requests.post(f"{base}/api/2.0/mlflow/runs/search", json=asked, timeout=60).json()
    return {run["info"]["run_name"]: run["info"]["run_id"] for run in answer["runs"]}
