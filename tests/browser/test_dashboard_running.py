"""A page that is open while its study runs, is killed, goes on, is cleaned and extended: it says so and goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from dashboard_pages import faint_lines, selection_of, wait_for_cell, wait_for_rows, wait_for_study, wait_until

# slow: a real study, a server and a browser, minutes on two cores
pytest.importorskip("dash", reason="the extra ftsweep[dashboard] is not installed")
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

SWEEP = """\
defaults: [base, model: tiny, data: files, task: classification, strategy: lora, _self_]
data: {train: rows.jsonl, validation_fraction: 0.2, test_fraction: 0.2}
task: {max_length: 24}
strategy: {rank: 2}
training: {learning_rate: 5e-3, batch_size: 8, epochs: 6}
budget: {trials: 3}
rungs: {count: 6}
selection: {seeds: 0}
executor: {threads: 1}
guards: {small_data: allow}
space: {training: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}}
"""
RUN = ("run", "small.yaml", "recording=none", "pruner=none")
WORDS = (("wave", "ship", "harbour", "tide", "sailor"), ("cow", "barn", "wheat", "plough", "meadow"))


@pytest.fixture
def command(tmp_path):
    """Starts a command of ftsweep in a folder with a sweep; what still runs at the end is killed."""
    place, started = tmp_path / "work", []
    place.mkdir()
    (place / "small.yaml").write_text(SWEEP, encoding="utf-8")
    rows = [
        {"text": " ".join(WORDS[n % 2][(n * k + k) % 5] for k in range(1, 4 + n % 3)) + f" {chr(97 + n % 26)}{n}",
         "label": ("sea", "farm")[n % 2]}
        for n in range(120)
    ]  # fmt: skip
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", "ftsweep.cli.main", *words],
            cwd=place,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(process):
    out, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return out


def wait_for_phase(page, phase):
    wait_until(page, f"document.getElementById('phase').innerText === '{phase}'")


def test_open_page_of_a_study_that_is_killed_goes_on_is_cleaned_and_extended(opened, command, tmp_path):
    run = (*RUN, f"store.path={tmp_path}")
    page = opened("/study/small?sel=0")
    wait_until(page, "document.getElementById('page').innerText.includes('There is no study')")
    control = command(*run)
    wait_for_study(page)  # the page waited for it
    wait_for_phase(page, "running")
    wait_for_cell(page, 0, "complete")
    wait_for_cell(page, 1, "running")

    control.kill()
    control.communicate()
    wait_for_phase(page, "not finished")
    wait_for_cell(page, 1, "waiting")  # to be continued
    assert selection_of(page) == [0]

    control = command(*run)
    wait_for_phase(page, "running")
    wait_for_cell(page, 2, "running")
    ended(control)
    wait_for_phase(page, "complete")
    for number in range(3):
        wait_for_cell(page, number, "complete")
    wait_until(page, "document.getElementById('head').innerText.includes('is chosen')")
    wait_for_rows(page, [0])
    assert faint_lines(page, "right") == [1, 2]

    folder = tmp_path / "studies" / "small"
    ended(command("clean", "small", "--store", str(tmp_path)))
    assert not list(folder.glob("trials/*/checkpoint")), "it was cleaned while the page is open"
    ended(command(*run, "study.extend=true", "budget.trials=5", "space.training.learning_rate.high=2e-2"))
    wait_for_cell(page, 4, "complete")
    wait_for_phase(page, "complete")
    wait_for_rows(page, [0])
    assert selection_of(page) == [0]
    assert page.inner_text("#trouble") == ""
    assert page.troubles == []


def test_running_study_heeds_what_its_page_asks_for(opened, command, tmp_path):
    """A trial is stopped, a changed copy of it is enqueued and tried next, one is refused, the study is stopped."""
    control = command(*RUN, f"store.path={tmp_path}", "training.epochs=40", "budget.trials=4")
    page = opened("/study/small?sel=0")
    page.evaluate("window.confirm = () => true")
    wait_for_study(page)
    wait_for_cell(page, 0, "running")
    page.click("#stop-trials")
    wait_for_cell(page, 0, "pruned")
    wait_until(page, "document.getElementById('asked').innerText.includes('stopped by the user')")

    copy = opened("/study/small/trial/0")
    copy.wait_for_selector("#trial-curves .main-svg")
    for rate, answer in (("0.0021", "it is tried"), ("0.0021", "refused"), ("7", "lies outside the space")):
        copy.get_by_label("training.learning_rate").fill(rate)
        copy.click("#enqueue")
        wait_until(copy, f"document.querySelector('main').innerText.includes('{answer}')")
    copy.close()
    page.evaluate("document.querySelector('.ag-body-viewport').scrollTop = 0")
    wait_for_cell(page, 1, "running")
    page.fill("#top", "")
    wait_until(
        page,
        "(() => { let found = false; dash_ag_grid.getApi('grid').forEachNode(node => {"
        " found = found || Object.values(node.data).includes(0.0021); }); return found; })()",
    )

    page.click("#stop-study")
    ended(control)
    wait_for_phase(page, "not finished")
    wait_until(page, "document.getElementById('asked').innerText.includes('it ends now')")
    assert page.troubles == []
