"""The quickstart on one worker of this machine, and over three hosts with the same settings enqueued: the same values?

`python benchmarks/cluster/same_values.py`, as root and with `ftsweep[ray]`. The control host holds the store and no
worker; three hosts that do not see the store hold one worker each, of one thread, as the one here has. Which trials are
pruned where may differ, for that depends on which are known; rungs that both have measured are compared. Prints
Markdown; exits with 1 where a value differs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[2] / "tests" / "cluster"))

from commands import run
from machine import Watch, in_a_line
from ray_hosts import RayHosts

from ftsweep.store.folders import Store, StudyFolder, TrialFolder

HOSTS = ("one", "two", "three")
_RUN = [sys.executable, "-m", "ftsweep.cli.main", "run", "quickstart", "executor.threads=1"]


def here(place: Path) -> StudyFolder:
    place.mkdir()
    run([*_RUN, "executor.workers=1"], place)
    return Store(place / "mlruns").study("quickstart")


def over_hosts(place: Path, settings: Sequence[dict[str, Any]]) -> StudyFolder:
    place.mkdir()
    hosts = RayHosts(hidden=place)
    try:
        for host in HOSTS:
            hosts.add(host)
            hosts.wait(host)
        enqueued = ", ".join(
            "{" + ", ".join(f"{key}: {value!r}" for key, value in each.items()) + "}" for each in settings
        )
        words = [f"study.enqueue=[{enqueued}]", "executor=ray", f"executor.address={hosts.address}"]
        run([*_RUN, *words], place, **hosts.environment)
    finally:
        hosts.close()
    return Store(place / "mlruns").study("quickstart")


def pairs(one: StudyFolder, other: StudyFolder) -> list[tuple[str, TrialFolder, TrialFolder]]:
    """Runs of the same setting and seed in both."""
    found = [(f"trial {each.number}", one.trial(each.number), other.trial(each.number)) for each in one.records()]
    for number, seed in set(one.fresh_runs()) & set(other.fresh_runs()):
        found.append((f"trial {number}, fresh seed {seed}", one.run(number, seed), other.run(number, seed)))
    return [each for each in found if each[2].spec_file.exists()]


def compared(one: StudyFolder, other: StudyFolder) -> list[str]:
    """Lines: how much was compared, and each value that differs."""
    counts = {"trials": 0, "fresh runs": 0, "measurements": 0, "values": 0}
    different = []
    for name, left, right in pairs(one, other):
        counts["fresh runs" if "seed" in name else "trials"] += 1
        if left.spec()["params"] != right.spec()["params"]:
            different.append(f"{name}: other settings")
        by_rung = {each.rung: each.values for each in right.measurements()}
        for each in left.measurements():
            if each.rung in by_rung:
                counts["measurements"] += 1
                counts["values"] += len(each.values)
                if dict(each.values) != dict(by_rung[each.rung]):
                    different.append(f"{name}, rung {each.rung}: {dict(each.values)} and {dict(by_rung[each.rung])}")
    return [", ".join(f"{count} {name}" for name, count in counts.items()) + f"; {len(different)} differ", *different]


def main() -> None:
    watch = Watch()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with tempfile.TemporaryDirectory(prefix="fq-", dir="/tmp") as name:
        times = [time.monotonic()]
        first = here(Path(name) / "here")
        times.append(time.monotonic())
        settings = [dict(each.proposal.params) for each in first.records() if not each.proposal.is_default]
        second = over_hosts(Path(name) / "hosts", settings)
        times.append(time.monotonic())
        walls = [after - before for before, after in pairwise(times)]
        lines = compared(first, second)
        print(f"# The quickstart on one machine and over three hosts, {time.strftime('%Y-%m-%d')}\n\n{in_a_line()}\n")
        print(f"- one worker here: {walls[0]:.0f} s; three hosts, with their start: {walls[1]:.0f} s")
        print("".join(f"- {line}\n" for line in lines))
        for each in (first, second):
            print(f"- {json.loads((each.path / 'result.json').read_text(encoding='utf-8'))['sentence']}")
        print(f"\nMeanwhile: {watch.read()}.")
    sys.exit(1 if len(lines) > 1 else 0)


if __name__ == "__main__":
    main()
