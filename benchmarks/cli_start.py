"""What it costs to start a command: CPU seconds of fresh processes, after one that fills the disk's cache."""

from __future__ import annotations

from commands import fresh_folder, ftsweep, run
from measured import Result, result

_COMMANDS = ((("--help",), 0.5), (("show", "quickstart"), 2.0), (("list",), None))


def measure(*, quick: bool = False) -> list[Result]:
    """CPU seconds (user and system) of each command."""
    results = []
    with fresh_folder() as folder:
        for words, limit in _COMMANDS:
            command = [*ftsweep(), *words]
            run(command, folder)
            seconds = [run(command, folder).cpu_seconds for _ in range(2 if quick else 9)]
            results.append(result(f"CPU of `ftsweep {' '.join(words)}`", seconds, "s", below=limit))
    return results
