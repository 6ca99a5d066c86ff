"""The report's page of made-up studies of several sizes: its bytes, CPU seconds to write it, CPU seconds to open it.

`python benchmarks/report_page.py [TRIALS ...]`. The browser's CPU time is that of its renderer processes: until the
figures of the first screen are drawn, then until somebody has scrolled through all of them (of a large study a figure
is drawn when it comes near). Without a GPU the browser's own GPU process draws in software, and is counted apart.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from machine import hardware

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.report.overview import StudyOverview
from ftsweep.report.page import HtmlPage

RUNGS = 10
_SCROLL = (
    "[...document.querySelectorAll('section.figure')].find(each => !each.querySelector('.main-svg'))?.scrollIntoView()"
)
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def study_of(num_trials: int) -> StudyOverview:
    """A study of four parameters on eight workers; six of ten trials are pruned."""
    source, lanes = random.Random(0), [0.0] * 8
    trials = tuple(_trial(number, source, lanes) for number in range(num_trials))
    return StudyOverview(StudyState("made-up", "complete", Objective(), RUNGS, num_trials, trials))


def _trial(number: int, source: random.Random, lanes: list[float]) -> TrialRecord:
    rate, batch = 10 ** source.uniform(-5, -2), source.choice([8, 16, 32])
    is_complete = source.random() < 0.4 or number == 0
    last = RUNGS if is_complete else source.randint(2, RUNGS - 2)
    lane = lanes.index(min(lanes))
    begin = lanes[lane]
    lanes[lane] += 2.0 * last + 1.0
    floor = 1.0 + abs(rate - 1e-3) * 100 + source.gauss(0, 0.05)
    measured = tuple(
        Measurement(
            rung, rung / RUNGS, 90 * rung, 9000 * rung, 2.0 * rung, begin + 2.0 * rung,
            {"validation/loss": floor + 1.2 * 0.7**rung, "train/loss": floor - 0.02 * rung + 1.2 * 0.7**rung},
        )
        for rung in range(last + 1)
    )  # fmt: skip
    params = {"training.learning_rate": rate, "training.batch_size": batch, "training.epochs": 1 + number % 3}
    kind = OutcomeKind.COMPLETE if is_complete else OutcomeKind.PRUNED
    proposal = Proposal(number, "", {**params, "strategy.rank": source.choice([4, 8, 16])}, number == 0)
    return TrialRecord(proposal, measured, Outcome(kind, "worse than the median of its peers", rung=last))


def opened(page: Path) -> str:
    """CPU seconds of renderers and the GPU process, and wall seconds: to the first screen, and to the last figure."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": 1400, "height": 900})
        began = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="domcontentloaded")
        for which in ("plot.getBoundingClientRect().top < 900", "true"):
            drawn = (
                "document.querySelector('footer') && [...document.querySelectorAll('.plot')]"
                f".filter(plot => {which}).every(plot => plot.querySelector('.main-svg'))"
            )
            while not tab.evaluate(drawn):  # its policy lets nothing wait inside of the page
                if which == "true":
                    tab.evaluate(_SCROLL)
                time.sleep(0.05)
            wall = time.perf_counter() - began
            found.append(f"{_cpu_of('--type=renderer'):.1f} + {_cpu_of('--type=gpu-process'):.1f} | {wall:.1f}")
        browser.close()
    return " | ".join(found)


def _cpu_of(kind: str) -> float:
    """Of this process's children of a kind."""
    found = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            if kind in child.cmdline():
                times = child.cpu_times()
                found += times.user + times.system
        except psutil.Error:
            continue
    return found


def measured(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [12, 1_000, 10_000]
    load = subprocess.run(["uptime"], capture_output=True, text=True).stdout.rpartition("load average: ")[2].strip()
    print(", ".join(f"{name}: {value}" for name, value in hardware().items()), f"load: {load}", sep="\n")
    print(
        "| trials | size, MB | CPU s to write | opened: CPU s of renderer + GPU | wall s | scrolled through | wall s |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            page, study = Path(folder) / f"{size}.html", study_of(size)
            written = measured(lambda page=page, study=study: HtmlPage().write(study, page))  # type: ignore[misc]
            megabytes = page.stat().st_size / 1e6
            print(f"| {size:,} | {megabytes:.2f} | {written:.1f} | {opened(page)} |", flush=True)


if __name__ == "__main__":
    main()
