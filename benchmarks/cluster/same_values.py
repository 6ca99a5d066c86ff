"""The quickstart over three hosts, and on this machine with the same settings enqueued: are the values the same?

`python benchmarks/cluster/same_values.py [KEY=VALUE ...]`. The control host holds the store and no worker; three hosts
without it hold one worker each, of one thread. Then one worker of this machine trains the same settings, all to their
end. Prints Markdown; exits with 1 where a value differs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[2] / "tests" / "cluster"))

from commands import run
from machine import Watch, hardware
from ray_hosts import RayHosts

from ftsweep.store.folders import Store, StudyFolder, TrialFolder

HOSTS = ("one", "two", "three")
_FTSWEEP = [sys.executable, "-m", "ftsweep.cli.main"]


def over_hosts(place: Path, overrides: list[str]) -> StudyFolder:
    """The study as it is, with its pruner, where whoever is free gets the next trial."""
    hosts = RayHosts(hidden=place)
    try:
        for host in HOSTS:
            hosts.add(host)
            hosts.wait(host)
        words = ["executor=ray", f"executor.address={hosts.address}", "executor.threads=1", *overrides]
        run([*_FTSWEEP, "run", "quickstart", *words], place, **hosts.environment)
    finally:
        hosts.close()
    return Store(place / "mlruns").study("quickstart")


def here(place: Path, params: list[dict[str, Any]], overrides: list[str]) -> StudyFolder:
    words = ["executor.workers=1", "executor.threads=1", "pruner=none", "study.name=here", *overrides]
    run([*_FTSWEEP, "run", "quickstart", f"study.enqueue={json.dumps(params)}", *words], place)
    return Store(place / "mlruns").study("here")


def values(run_folder: TrialFolder) -> dict[int, dict[str, float]]:
    """By rung, without what a clock gave."""
    return {each.rung: dict(each.values) for each in run_folder.measurements()}


def compared(there: StudyFolder, here: StudyFolder) -> tuple[int, int, list[str]]:
    """How many measurements and values were held against each other, and what differs."""
    num_rungs = num_values = 0
    different = []
    runs = [
        (f"trial {record.number}", there.trial(record.number), here.trial(record.number)) for record in there.records()
    ]
    runs += [
        (f"trial {number}, fresh seed {seed}", there.run(number, seed), here.run(number, seed))
        for number, seed in there.fresh_runs()
        if here.run(number, seed).spec_file.exists()
    ]
    for name, one, other in runs:
        if one.spec()["params"] != other.spec()["params"]:
            different.append(f"{name}: other settings")
        others = values(other)
        for rung, found in values(one).items():
            num_rungs += 1
            for key in {*found, *others.get(rung, {})}:
                num_values += 1
                if found.get(key) != others.get(rung, {}).get(key):
                    different.append(
                        f"{name}, rung {rung}, {key}: {found.get(key)} and {others.get(rung, {}).get(key)}"
                    )
    return num_rungs, num_values, different


def main() -> None:
    overrides = sys.argv[1:]
    watch = Watch()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with tempfile.TemporaryDirectory(prefix="fq-", dir="/tmp") as name:
        place, began = Path(name), time.monotonic()
        first = over_hosts(place, overrides)
        walls = [time.monotonic() - began]
        params = [dict(record.proposal.params) for record in first.records() if not record.proposal.is_default]
        second = here(place, params, overrides)
        walls.append(time.monotonic() - began - walls[0])
        num_rungs, num_values, different = compared(first, second)
        kinds = [str(record.outcome.kind) for record in first.records() if record.outcome]
        print(f"# The quickstart over three hosts and on one machine, {time.strftime('%Y-%m-%d')}\n")
        print(", ".join(f"{key}: {value}" for key, value in hardware().items()) + "\n")
        print(f"- over {len(HOSTS)} hosts, Ray's start included: {walls[0]:.0f} s; one worker here: {walls[1]:.0f} s")
        print(f"- {len(kinds)} trials, {kinds.count('complete')} complete, {len(first.lost_workers())} losses")
        print(f"- {num_values} values of {num_rungs} measurements were compared, {len(different)} differ")
        print("".join(f"  - {each}\n" for each in different), end="")
        for each in (first, second):
            result = json.loads((each.path / "result.json").read_text(encoding="utf-8"))
            print(f"- {each.name}: {json.dumps(result)[:1500]}")
        print(f"\nMeanwhile: {watch.read()}.")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
