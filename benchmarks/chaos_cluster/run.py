"""Kill what studies on a Ray cluster stand on, at random, and hold what they come to against an undisturbed one.

`make chaos-cluster`: 200 kills. One cluster is kept over all studies: this machine as the control host, which alone
sees the stores, and two hosts in namespaces of their own; PostgreSQL and an MLflow server beside it. A study is killed
until its command ends well. The same seed draws the same kills; the machine decides what they hit. Prints Markdown,
and writes it with `--write FILE`. Exits with 1 when anything was lost, double, other or left over, and keeps the
folder. Needs Linux, root, PostgreSQL and the extras `ray` and `postgres`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).resolve().parents[1] / each) for each in (".", "chaos", "../tests/cluster"))

import machine
from hosts import Cluster
from place import NUM_RUNGS, NUM_TRIALS
from services import MlflowServer, started_postgres
from strikes import HEARTBEAT_SECONDS, KINDS, Striker, Surroundings
from study import NAMES, Run, make

from ftsweep.testing import forked

HERE = Path(__file__).resolve().parent
_MOST_IN_A_STUDY = 20
_MOST_FAULTY = 3  # studies, after which the rest would tell no more
_LAST = "last, undisturbed"
_CARRIED = re.compile(r"carried: (.*)\n")


@dataclass
class Tally:
    """Of all studies."""

    kills: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    carried: Counter[str] = field(default_factory=Counter)
    slowest_end: float = 0.0
    faults: list[str] = field(default_factory=list)


class Chaos:
    """Studies one after another in a folder."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.studies = folder / "studies"
        self.studies.mkdir(parents=True)
        self.tally = Tally()
        self.reference: dict[str, Any] = {}

    def run(self) -> None:
        with self.surroundings() as surroundings:
            self.reference = self.undisturbed(surroundings)
            number = self.options.first
            while self.tally.kills.total() < self.options.kills and self.tally.numbers["faulty"] < _MOST_FAULTY:
                self.study(number, surroundings)
                number += 1
            self.end(surroundings)

    @contextlib.contextmanager
    def surroundings(self) -> Any:
        """Everything that studies stand on."""
        with contextlib.ExitStack() as stack:
            postgres = started_postgres()
            stack.callback(postgres.close)
            mlflow = MlflowServer(self.folder / "mlflow", postgres)
            stack.callback(mlflow.close)
            cluster = Cluster(self.folder, self.studies, NAMES, self.options.sharing)
            stack.callback(cluster.close)
            mlflow.wait()
            yield Surroundings(cluster, postgres, mlflow)

    def undisturbed(self, surroundings: Surroundings) -> dict[str, Any]:
        """On this machine alone, in files; then on the cluster, for the same values."""
        alone = Run(make(self.studies / "alone"), None)
        alone.undisturbed()
        answer = {} if alone.faults else alone.look()
        if alone.faults or answer["faults"]:
            raise SystemExit(f"the undisturbed study has faults: {[*alone.faults, *answer.get('faults', ())]}")
        self.reference = answer["results"]
        self.whole("first, undisturbed", surroundings)
        if self.tally.faults:
            raise SystemExit(f"the undisturbed study on the cluster has faults: {self.tally.faults}")
        return self.reference

    def whole(self, name: str, surroundings: Surroundings) -> None:
        """A study on the cluster that nothing is done to."""
        run = Run(make(self.studies / name.partition(",")[0]), surroundings, has_server=True)
        began = time.monotonic()
        run.undisturbed()
        self.take(name, run, None, time.monotonic() - began)

    def study(self, number: int, surroundings: Surroundings) -> None:
        chance = random.Random(f"{self.options.seed} {number}")
        run = Run(make(self.studies / f"study-{number:03d}"), surroundings, has_server=number % 2 == 0)
        left = self.options.kills - self.tally.kills.total()
        began = time.monotonic()
        striker = run.killed(chance, self.options.kinds, min(left, _MOST_IN_A_STUDY))
        self.take(f"study {number}", run, striker, time.monotonic() - began)

    def take(self, name: str, run: Run, striker: Striker | None, seconds: float) -> None:
        """Count what happened and look for faults."""
        if not run.faults:
            end = run.await_end_of_processes()
            self.tally.slowest_end = max(self.tally.slowest_end, end)
            run.compare(self.reference)
        kills = Counter(str(kill["kind"]) for kill in striker.kills) if striker else Counter()
        self.tally.kills.update(kills)
        losses = run.num_lost()
        self.tally.carried.update(carried_below(run.place.folder))
        self.tally.numbers.update(
            studies=1, attempts=run.num_attempts, refused=run.num_refused, sent=run.num_sent_later, losses=losses
        )
        self.tally.numbers["faulty"] += bool(run.faults)
        self.tally.faults += [f"{name}: {fault}" for fault in run.faults]
        text = f"{name}: {seconds:.0f} s, {kills.total()} kills ({self.tally.kills.total()} in all), {losses} losses"
        details = ", ".join(f"{kind} {count}" for kind, count in sorted(kills.items()))
        print(f"{text}: {details or 'none'}", *run.faults, sep="\n  ", file=sys.stderr, flush=True)
        if not run.faults:
            shutil.rmtree(run.place.folder)

    def end(self, surroundings: Surroundings) -> None:
        """One study more, which takes all slots; then nothing of ours may be left on the hosts, nor held."""
        surroundings.cluster.wait()
        self.whole(_LAST, surroundings)
        deadline = time.monotonic() + 60
        while (held := surroundings.cluster.held()) != dict.fromkeys(NAMES, 0.0):
            if time.monotonic() > deadline:
                self.tally.faults.append(f"GPUs that are held at the end: {held}")
                break
            time.sleep(1)
        for host in surroundings.cluster.hosts.values():
            scratch = host.folder / f"ftsweep-{os.getuid()}"
            left = [*scratch.glob("runs/*"), *scratch.rglob("*.part"), *scratch.rglob(".*.tmp")]
            if not scratch.is_dir() or left:
                self.tally.faults.append(f"left on host {host.name}: {left or 'not even the cache'}")

    def report(self, seconds: float) -> list[str]:
        numbers, kills = self.tally.numbers, self.tally.kills
        names = ", ".join(self.options.sharing)
        carried = ", ".join(f"{size:.1f} MB {how}" for how, size in self.tally.carried.items())
        sharing = f"{names} of which share the disk of the stores, " if names else ""
        return [
            f"# Chaos on a cluster: {kills.total()} kills, {time.strftime('%Y-%m-%d')}",
            "",
            f"`{' '.join(['python benchmarks/chaos_cluster/run.py', *sys.argv[1:]])}`, seed {self.options.seed}, "
            f"commit {commit()}, {seconds / 60:.0f} minutes, load {os.getloadavg()[2]:.1f} (15 minutes) at the end.",
            "",
            *(f"- {name}: {value}" for name, value in machine.hardware().items()),
            f"- Ray {importlib.import_module('ray').__version__}, PostgreSQL, an MLflow server with its tables there",
            "",
            f"{numbers['studies']} studies of {NUM_TRIALS} trials and {NUM_RUNGS} rungs (LoRA on the embedded model; "
            "random settings, no pruning, no fresh seeds; test, export, registration) on two hosts with one slot of a "
            f"GPU that is none each, {sharing}`heartbeat_seconds={HEARTBEAT_SECONDS}`; the first and the last of them "
            "undisturbed. Control processes are forks of one that has imported everything; all else starts as always. "
            "Studies with even numbers record on the MLflow server, the others in files. "
            f"{numbers['attempts']} starts of the command, {numbers['refused']} of which ended with words because "
            f"what they need was away; {numbers['losses']} times a job lost its worker, slot, node or cluster; "
            f"{numbers['sent']} times the "
            "MLflow server was away at the end, and the same command sent the rest of the record.",
            f"Commands that ended by themselves had {carried}.",
            "",
            "| killed | times |",
            "|---|---:|",
            *(f"| {text} | {kills[kind]} |" for kind, (_, text) in KINDS.items()),
            f"| all | {kills.total()} |",
            "",
            "Held after each against a study of one worker on this machine: settings, every measured value, outcomes, "
            "whose weights are kept, test scores, and the bytes of the exported model; trials in folders, in Optuna "
            "and in MLflow; every rung once; no run still RUNNING; no checkpoint, temporary file or held lock left; no "
            "process of the study on any host (the last one ended "
            f"{self.tally.slowest_end:.1f} s after it). At the end no GPU held, and no slot's folder on any host.",
            "",
            f"**Faults: {len(self.tally.faults)}**",
            *(f"- {fault}" for fault in self.tally.faults),
        ]


def carried_below(folder: Path) -> Counter[str]:
    """Megabytes that nodes were sent, and so on, by what control logs end with."""
    found: Counter[str] = Counter()
    for log in folder.rglob("control.log"):
        lines = "\n".join(_CARRIED.findall(log.read_text(encoding="utf-8")))
        for size, how in re.findall(r"([0-9.]+) MB (\w+)", lines):
            found[how] += float(size)  # type: ignore[assignment]
    return found


def commit() -> str:
    """With a word where files differ from it."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=7"]
    return subprocess.run(words, cwd=HERE, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def options_of(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=[*KINDS], help=", ".join(KINDS))
    parser.add_argument("--first", type=int, default=1, help="the number of the first study, to repeat one of a seed")
    parser.add_argument("--sharing", type=lambda text: text.split(","), default=[], help="hosts that see the stores")
    parser.add_argument("--folder", type=Path, help="keep what lies there (default: a temporary folder)")
    parser.add_argument("--write", type=Path, help="a Markdown file for the table")
    options = parser.parse_args(words)
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"--kinds: nothing is called {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    return options


def main() -> None:
    options = options_of()
    paths = [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]  # absolute: hosts stand elsewhere
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.environ.update(OMP_NUM_THREADS="1", MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="1", HF_HUB_OFFLINE="1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    for name in forked.PRELOADED:
        importlib.import_module(name)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="ftsweep-chaos-"))
    began = time.monotonic()
    chaos = Chaos(folder.resolve(), options)
    chaos.run()
    lines = chaos.report(time.monotonic() - began)
    print("\n".join(lines))
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if chaos.tally.faults:
        print(f"What lies in {folder} is kept; kills.json of a study says what was killed when.", file=sys.stderr)
    elif options.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(bool(chaos.tally.faults))


if __name__ == "__main__":
    main()
