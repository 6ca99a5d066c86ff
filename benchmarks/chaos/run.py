"""Kill short, real studies at random until none is left to kill, and hold what they come to against undisturbed ones.

`make chaos`: 1,000 SIGKILLs. The same seed draws the same kills; the machine decides what they hit.
Prints Markdown, and writes it with `--write FILE`. Exits with 1 when anything was lost, double, other or left over.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import machine
from place import NUM_RUNGS, NUM_TRIALS

_KINDS = {
    "event": "at an event (before or after a write, rename, removal, fsync, commit, message)",
    "torn": "in the middle of a write of a file or message",
    "limit": "by the kernel at a byte of any file's write, databases and weights too (SIGXFSZ)",
    "moment": "from outside, at a random moment",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=2, help="studies that are killed side by side")
    parser.add_argument("--race", action="store_true", help="kill from outside only, in the race of fresh seeds")
    parser.add_argument("--at-once", type=int, default=1, help="trials that each worker trains at once")
    parser.add_argument("--folder", type=Path, help="keep what lies there (default: a temporary folder)")
    parser.add_argument("--write", type=Path, help="a Markdown file for the table")
    options = parser.parse_args()
    if options.race and options.at_once > 1:
        parser.error("--race has one trial at once: nothing races with --at-once")
    started = time.monotonic()
    with _folder(options.folder) as folder:
        words = [*(["--race"] if options.race else []), "--at-once", str(options.at_once)]
        answers = run_lanes(folder, options.seed, options.kills, options.lanes, words)
    lines = report(answers, seconds=time.monotonic() - started, seed=options.seed, at_once=options.at_once)
    print("\n".join(lines))
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(any(answer["faults"] or not answer["is_done"] for answer in answers))


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    folder = given or Path(tempfile.mkdtemp(prefix="ftsweep-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if given is None:
        shutil.rmtree(folder, ignore_errors=True)


def run_lanes(folder: Path, seed: int, num_kills: int, num_lanes: int, more: Sequence[str]) -> list[dict[str, Any]]:
    """The last answer of each lane; `is_done` is false of one that broke off. `more`: words for every lane."""
    lanes = []
    for index in range(num_lanes):
        words = ["--seed", str(seed * 1000 + index), "--kills", str(-(-num_kills // num_lanes)), *more]
        command = [sys.executable, str(Path(__file__).with_name("lane.py")), str(folder / f"lane-{index}"), *words]
        lanes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=_environment()))
    answers = []
    try:
        for lane in lanes:
            assert lane.stdout is not None
            answer: dict[str, Any] = {"is_done": False, "faults": ["the lane told nothing"], "kills": [], "events": {}}
            for line in lane.stdout:
                answer = json.loads(line)
                _show(answer)
            lane.wait()
            answers.append(answer)
    finally:
        for lane in lanes:
            lane.kill()
    return answers


def _environment() -> dict[str, str]:
    source = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), source]))}


def _show(answer: dict[str, Any]) -> None:
    if "study" in answer:
        num_kills = sum(count for *_, count in answer["kills"])
        faults = "".join(f"\n  {fault}" for fault in answer["faults"])
        text = (
            f"{answer['study']} ({answer['sampler']}): {answer['kills_here']} kills, {num_kills} in this lane{faults}"
        )
        print(text, file=sys.stderr, flush=True)


def _studies_text(at_once: int) -> str:
    if at_once > 1:
        return f"{at_once} trials in it at once, random settings, nothing pruned; test, export, registration"
    return (
        "a race of up to six runs with fresh seeds, test, export, registration; every third with the "
        "Gaussian-process sampler"
    )


def report(answers: Sequence[dict[str, Any]], *, seconds: float, seed: int, at_once: int) -> list[str]:
    kills: Counter[tuple[str, str]] = Counter()
    events: Counter[str] = Counter()
    for answer in answers:
        kills.update({(who, kind): count for who, kind, count in answer["kills"]})
        events.update(answer["events"])
    faults = [fault for answer in answers for fault in answer["faults"]]
    faults += ["a lane broke off" for answer in answers if not answer["is_done"]]
    total = {
        key: sum(answer.get(key, 0) for answer in answers) for key in ("num_studies", "num_attempts", "num_in_race")
    }
    num_sigkills = sum(count for (_, kind), count in kills.items() if kind != "limit")
    slowest = max(answer.get("slowest_end", 0.0) for answer in answers)
    return [
        f"# Chaos: {num_sigkills:,} SIGKILLs, {time.strftime('%Y-%m-%d')}",
        "",
        f"`{' '.join(['python benchmarks/chaos/run.py', *sys.argv[1:]])}`, seed {seed}, {len(answers)} lanes, "
        f"{seconds / 60:.0f} minutes.",
        "",
        *(f"- {name}: {value}" for name, value in machine.hardware().items()),
        "",
        f"{total['num_studies']} studies of {NUM_TRIALS} trials and {NUM_RUNGS} rungs (LoRA on the embedded model, one "
        f"worker on the CPU, {_studies_text(at_once)}), each killed until it came to its end, in "
        f"{total['num_attempts']:,} attempts of the same command. "
        "Every process is real, and so are torch, Optuna, MLflow and their databases. Control process, workers and the "
        "sampler's helper are forks of a process that has imported everything; the watchdog starts as always. "
        f"{total['num_in_race']} attempts ended in the middle of the race.",
        "",
        "| killed | how | times |",
        "|---|---|---:|",
        *(f"| {who} | {_KINDS[kind]} | {count} |" for (who, kind), count in sorted(kills.items())),
        f"| all | | {kills.total()} |",
        "",
        "Events and writes at which processes died of themselves: "
        + ", ".join(f"{name} {count}" for name, count in events.most_common())
        + ".",
        "",
        "Held against the undisturbed study after each: settings, every measured value, outcomes, runs with fresh "
        "seeds, both answers, test scores, whose weights are kept, and the bytes of the exported model; trials in "
        "folders, Optuna and MLflow; every rung once; no run still RUNNING; both databases whole; no checkpoint, "
        "temporary file or held lock left; no process left 10 s after the control process (the last one ended "
        f"{slowest:.2f} s after it).",
        "",
        f"**Faults: {len(faults)}**",
        *(f"- {fault}" for fault in faults),
    ]


if __name__ == "__main__":
    main()
