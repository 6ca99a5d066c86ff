"""The real command in a folder of its own, on the embedded model and sixty generated sentences."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from command_server import Command, CommandServer

WORDS = {
    "sea": ["wave", "ship", "harbour", "tide", "sailor", "anchor"],
    "farm": ["cow", "barn", "wheat", "plough", "meadow", "tractor"],
}

SWEEP = """\
# ftsweep run {name}.yaml
defaults: [base, model: tiny, data: files, task: classification, strategy: lora, _self_]
data: {{train: rows.jsonl, validation_fraction: 0.2, test_fraction: 0.2}}
task: {{max_length: 24}}
strategy: {{rank: 2}}
training: {{learning_rate: 5e-3, batch_size: 8, epochs: 2}}
budget: {{trials: 4}}
rungs: {{count: 4}}
selection: {{seeds: 0}}
executor: {{threads: 1}}
guards: {{small_data: allow}}
recording: {{system_metrics: false}}
space:
  training:
    learning_rate: {{low: 1e-4, high: 1e-2, log: true}}
  strategy:
    rank: [2, 4]
"""

COMMAND = "ftsweep.cli.main"
Started = Command | subprocess.Popen[str]

LISTING = """\
import os, sys

listed = open(os.path.join(os.environ["LISTED"], f"{os.getpid()}.txt"), "w", buffering=1)
listed.write(" ".join(sys.orig_argv) + "\\n")
sys.addaudithook(lambda event, args: event == "import" and listed.write(args[0] + "\\n"))
"""
"""A sitecustomize: every process notes its command and what it imports, at once, for it may be killed in the end."""


@dataclass(frozen=True)
class Place:
    """A user's folder with a sweep file and its data."""

    folder: Path

    def start(self, *words: str, module: str = COMMAND, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=self.folder,
            env=environment() | ({} if module == COMMAND else {"PYTHONPATH": str(Path(__file__).parent)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *words: str, stdin: str = "", module: str = COMMAND) -> subprocess.CompletedProcess[str]:
        """The whole command; on Linux its processes are forks of one that has imported everything."""
        if sys.platform != "linux":
            return self.run_as_a_person(*words, stdin=stdin, module=module)
        command = command_server().start(module, words, folder=self.folder, environment=environment(), stdin=stdin)
        out, errors = command.communicate(timeout=300)
        return subprocess.CompletedProcess(list(words), command.returncode, out, errors)

    def fork(self, *words: str) -> Started:
        """The same under way, in a process group of its own."""
        if sys.platform != "linux":
            return self.start(*words, start_new_session=True)
        return command_server().start(COMMAND, words, folder=self.folder, environment=environment())

    def run_as_a_person(self, *words: str, stdin: str = "", module: str = COMMAND) -> subprocess.CompletedProcess[str]:
        """The whole command in processes of their own."""
        process = self.start(*words, module=module, stdin=subprocess.PIPE)
        out, errors = process.communicate(stdin, timeout=300)
        return subprocess.CompletedProcess(list(words), process.returncode, out, errors)

    def ask(self, *words: str, stdin: str = "") -> Any:
        """A command that succeeds and answers with JSON."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def imported(self) -> Path:
        """Where the processes of the finished study noted what they had imported."""
        return self.folder / "imported"

    @property
    def store(self) -> Path:
        return self.folder / "mlruns"

    def study(self, name: str) -> Path:
        return self.store / "studies" / name


@cache
def command_server() -> CommandServer:
    server = CommandServer(os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex), environment())
    atexit.register(server.close)
    return server


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}


def sentences(count: int) -> list[dict[str, str]]:
    rows = []
    for number in range(count):
        label = ("sea", "farm")[number % 2]
        words = WORDS[label]
        text = " ".join(words[(number * step + step) % len(words)] for step in range(1, 3 + number % 5))
        # The last word makes each text its own: normalisation masks digits, so numbers would all be duplicates.
        rows.append({"text": f"{text} {''.join(chr(97 + int(digit)) for digit in str(number))}", "label": label})
    return rows


def make_place(folder: Path, *, name: str = "small", count: int = 120, database: Path | None = None) -> Place:
    """A folder of a user, whose store has this empty MLflow database, or is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(folder)
    if database:
        place.store.mkdir()
        shutil.copy(database, place.store)
    (folder / f"{name}.yaml").write_text(SWEEP.format(name=name), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in sentences(count))
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    return place
