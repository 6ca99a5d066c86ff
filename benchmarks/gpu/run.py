"""What a step of one trial and of several costs on a GPU (`make bench-gpu`): random models of three sizes.

    python benchmarks/gpu/run.py [--minutes 8] [--tiny] [--write FILE]

Milliseconds per trial and step, median of a few, after warming up: PEFT's layers with torch's AdamW in bfloat16
autocast on a base held in bfloat16 (what a loop of one's own or a Trainer computes), ftsweep's step on the same and in
float32, and lanes: the padded pass that a worker's trials share on a GPU, in bfloat16. How far their gradients are from
those alone, of their length, stands beside. Then one step of each model compiled (`training.compile`), and the seconds
until it was. What does not fit into memory or into the time is named. `--tiny` takes one small model and few cells, on
whatever device there is, to see that it runs.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import machine
import torch
from crew import SHAPES, TINY, Crew
from jobs import trial_config

from ftsweep.models.lean_norm import lean_norms

LENGTHS, BATCHES, LANES = (128, 512), (1, 4, 16), (1, 2, 4, 8, 16)
_WARM, _TIMED = 2, 5
_MOST_TOKENS = 1 << 16
"""Of one shared pass."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="after these no cell is begun")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--write", type=Path, help="a Markdown file")
    options = parser.parse_args()
    if not torch.cuda.is_available() and not options.tiny:
        parser.error("there is no CUDA device: --tiny shows that it runs, benchmarks/gpu/estimate.py what to expect")
    lines = []
    for line in report(options):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(options: argparse.Namespace) -> Iterator[str]:
    end = time.monotonic() + 60 * options.minutes
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = False
    if device.type == "cpu":
        torch.set_num_threads(1)  # two that wait for each other take minutes on a busy machine
    settings = trial_config("quickstart", [])["training"]
    facts = machine.in_a_line()
    yield f"# Steps on {device.type}, {time.strftime('%Y-%m-%d')}\n"
    yield f"`python benchmarks/gpu/run.py {' '.join(sys.argv[1:])}`. {facts}; load {os.getloadavg()[0]:.1f} before.\n"
    names = " | ".join(f"{lanes} lanes" for lanes in LANES[1:])
    yield f"| model | length | batch | PEFT, bf16 | ftsweep, bf16 | float32 | {names} | largest difference |"
    yield "|---" * (7 + len(LANES[1:])) + "|"
    left = []
    for shape in (TINY,) if options.tiny else SHAPES:
        base = shape.model(device)
        plain = deepcopy(base).to(torch.bfloat16)
        lean_norms(base)  # as a trial's base is loaded
        half = deepcopy(base).to(torch.bfloat16)  # as a trial holds what is frozen
        for length in (32,) if options.tiny else LENGTHS:
            for batch in BATCHES[:1] if options.tiny else BATCHES:
                if time.monotonic() > end:
                    left.append(f"{shape.name} at length {length}, batch {batch}")
                    continue
                yield f"| {shape.name} | {length} | {batch} | {_cells(base, half, plain, settings, batch, length)} |"
        del base, half, plain
        _free()
    yield from _compiled(options, settings, device, end, left)
    if left:
        yield f"\nNo time was left for: {'; '.join(left)}."


def _compiled(
    options: argparse.Namespace, settings: dict[str, Any], device: torch.device, end: float, left: list[str]
) -> Iterator[str]:
    """A table of its own: compiling takes so long that it is done for one cell of each model. What there is no time
    for goes into `left`."""
    yield "\n| model | length | batch | ftsweep, bf16 | compiled | seconds until then |\n|---|---|---|---|---|---|"
    length, batch = (32, 2) if options.tiny else (128, 4)
    for shape in (TINY,) if options.tiny else SHAPES:
        if time.monotonic() > end:
            left.append(f"compiling {shape.name}")
            continue
        half = shape.model(device).to(torch.bfloat16)
        lean_norms(half)
        cells = []
        for own in (settings, {**settings, "compile": True}):
            crew = Crew(half, own, size=1, batch=batch, length=length, autocast=torch.bfloat16)
            seconds = [_seconds(crew.alone) for _ in range(_WARM + _TIMED)][_WARM:]
            cells.append(f"{1e3 * median(seconds):.2f}")
            compiling = crew.steppers[0].compile_seconds
            del crew
        yield f"| {shape.name} | {length} | {batch} | {' | '.join(cells)} | {compiling:.0f} |"
        del half
        _free()


def _cells(base: Any, half: Any, plain: Any, settings: dict[str, Any], batch: int, length: int) -> str:
    """Of one row: all ways of this batch."""
    ways: list[dict[str, Any]] = [
        {"base": plain, "autocast": torch.bfloat16, "is_lean": False},
        {"base": half, "autocast": torch.bfloat16},
        {"base": base},
    ]
    cells = [_cell(lambda way=way: Crew(settings=settings, size=1, batch=batch, length=length, **way)) for way in ways]
    differences = []
    for lanes in LANES[1:]:
        if lanes * batch * length > _MOST_TOKENS:
            cells.append("-")
            continue
        cells.append(
            _cell(
                lambda lanes=lanes: Crew(
                    half, settings, size=lanes, batch=batch, length=length, autocast=torch.bfloat16
                ),
                is_shared=True,
                differences=differences,
            )
        )
    return " | ".join([*cells, f"{max(differences):.1e}" if differences else "-"])


def _cell(make: Callable[[], Crew], *, is_shared: bool = False, differences: list[float] | None = None) -> str:
    """Milliseconds per trial, or why there are none."""
    try:
        crew = make()
        if differences is not None:
            differences.append(crew.difference())
        step = crew.shared if is_shared else crew.alone
        seconds = [_seconds(step) for _ in range(_WARM + _TIMED)][_WARM:]
        return f"{1e3 * median(seconds) / len(crew.steppers):.2f}"
    except torch.OutOfMemoryError:
        return "no memory"
    finally:
        crew = None  # type: ignore[assignment]  # before the next one is made
        _free()


def _seconds(step: Callable[[], None]) -> float:
    _wait()
    started = time.perf_counter()
    step()
    _wait()
    return time.perf_counter() - started


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
