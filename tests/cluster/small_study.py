"""A study of some seconds for the tests of this folder, and the commands that run it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import permutations
from pathlib import Path
from typing import Any

SWEEP = """\
defaults: [base, model: tiny, data: files, task: classification, strategy: lora, _self_]
data: {train: rows.jsonl, validation_fraction: 0.2, test_fraction: 0.2}
task: {max_length: 24}
strategy: {rank: 2}
training: {batch_size: 8, epochs: 2}
budget: {trials: 4}
rungs: {count: 4}
selection: {seeds: 0}
executor: {threads: 1}
guards: {small_data: allow}
recording: {system_metrics: false}
space: {training: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}}
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "ftsweep.cli.main", *words]


def ask(folder: Path, *words: str) -> Any:
    done = subprocess.run(command(*words, "--json"), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def place_in(tmp_path: Path) -> Path:
    """The folder, with the sweep file and its rows."""
    (tmp_path / "small.yaml").write_text(SWEEP)
    words = {
        "sea": ["wave", "ship", "harbour", "tide", "sailor", "anchor"],
        "farm": ["cow", "barn", "wheat", "plough", "meadow", "tractor"],
    }
    rows = [
        {"text": f"the {one} and the {other}", "label": label}
        for label, kinds in words.items()
        for one, other in permutations(kinds, 2)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def trials(status: Any) -> list[Any]:
    return [(each["number"], each["params"], each["outcome"], each["value"]) for each in status["trials"]]
