"""Makes the pictures of docs/images from a real study: `make screenshots`, or this file with `--work FOLDER`.

The study is run once, in terminals of two sizes. Where it lies complete already, its live table is not drawn again.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pages import chromium, picture_dashboard, picture_mlflow, picture_report, served
from terminal import Terminal, draw, run_and_draw, shown

IMAGES = Path(__file__).parents[1] / "images"
FTSWEEP = str(Path(sys.executable).with_name("ftsweep"))
STUDY = "quickstart"
SIZES = ((80, 24), (120, 30))
_TALL = (80, 1_000)
_PATIENCE_SECONDS = 3_600.0
_MIDDLE = re.compile(r"(?:[6-9]|10) of 12 trials")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "sweeps")
    arguments.add_argument("--only", choices=("terminal", "report", "dashboard", "mlflow"), action="append")
    given = arguments.parse_args()
    work = given.work
    work.mkdir(parents=True, exist_ok=True)
    report = work / "mlruns" / "studies" / STUDY / "report.html"
    if not report.with_name("result.json").exists():
        run_study(work)
    parts = given.only or ("terminal", "report", "dashboard", "mlflow")
    best, other = chosen(work)
    if "terminal" in parts:
        picture_terminal(work, best, other)
    with chromium() as browser:
        if "report" in parts:
            subprocess.run([FTSWEEP, "report", STUDY], cwd=work, check=True)  # one of an earlier call is of older code
            picture_report(browser, report, IMAGES)
        if "dashboard" in parts:
            with served([FTSWEEP, "dashboard"], work, r"(http://\S+)") as link:
                picture_dashboard(browser, link, STUDY, best, IMAGES)
        if "mlflow" in parts:
            with served([FTSWEEP, "ui"], work, rf"{STUDY}: (http://\S+)") as link:
                picture_mlflow(browser, link, STUDY, best, IMAGES)


def run_study(work: Path) -> None:
    """The live table in the middle of the search at both sizes, and what stands on the screen at the end."""
    terminal = Terminal([FTSWEEP, "run", STUDY], work, SIZES[0])

    def is_middle(text: str) -> bool:
        return "searching" in text and "running" in text and _MIDDLE.search(text) is not None

    for size in SIZES:
        if size != SIZES[0]:
            terminal.resize(size)
        draw(terminal.show_until(is_middle, _PATIENCE_SECONDS), IMAGES / f"run-{name_of(size)}.svg")
    terminal.resize(SIZES[0])
    draw(shown(f"$ ftsweep run {STUDY}\r\n{terminal.finish()}", _TALL), IMAGES / "run-end-80x24.svg")


def picture_terminal(work: Path, best: int, other: int) -> None:
    commands = {
        "help": ["--help"],
        "plan": ["plan", STUDY, "study.name=planned"],
        "status": ["status", STUDY],
        "best": ["best", STUDY],
        "compare": ["compare", STUDY, str(best), str(other)],
    }
    for size in SIZES:
        for name, words in commands.items():
            run_and_draw([FTSWEEP, *words], work, size, IMAGES / f"{name}-{name_of(size)}.svg")


def chosen(work: Path) -> tuple[int, int]:
    """The trial of the chosen model, and another one to compare it with: the default setting's, or else the next."""
    told = subprocess.run([FTSWEEP, "best", STUDY, "--json"], cwd=work, capture_output=True, text=True, check=True)
    number = int(json.loads(told.stdout)["conclusion"]["model"]["number"])
    return number, 0 if number else 1


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


if __name__ == "__main__":
    main()
