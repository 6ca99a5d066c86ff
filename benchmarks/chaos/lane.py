"""One lane of the chaos: study after study, each killed again and again until it comes to its end.

Started by run.py; prints a line of JSON for each study and at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from control import run_command
from difference import difference
from fuse import Fuse
from kills import Drawn, Lengths, Outside, draw, draw_of_race
from place import Place, make_place

from ftsweep.testing import forked

_MOST_SECONDS = 180.0  # for one attempt at a study that takes a few seconds
_ORPHAN_SECONDS = 10.0  # a process that outlives the control process by so much is an orphan


class Lane:
    """Makes studies and kills them."""

    def __init__(self, folder: Path, seed: int, num_kills: int, *, is_of_race: bool = False, at_once: int = 1) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.num_kills = num_kills
        self.is_of_race = is_of_race
        self.at_once = at_once
        self.kills: Counter[tuple[str, str]] = Counter()
        self.events: Counter[str] = Counter()
        self.references: dict[str, Any] = {}
        self.num_studies = self.num_attempts = self.num_in_race = 0
        self.slowest_end = 0.0
        self.faults: list[str] = []
        self.lengths = Lengths()

    def run(self) -> None:
        first = "tpe" if self.at_once == 1 else "random"
        self.reference(first)
        while self.num_done < self.num_kills:
            self.study("gp" if self.at_once == 1 and self.num_studies % 3 == 2 else first)
        self.tell(is_done=True)

    @property
    def num_done(self) -> int:
        """SIGKILLs; those by the kernel's limit on files come on top."""
        return sum(count for (_, kind), count in self.kills.items() if kind != "limit")

    # -- studies --------------------------------------------------------------------------------------------------

    def reference(self, sampler: str) -> Any:
        """What the undisturbed study comes to; the first one also shows what to import, and how long things are."""
        if sampler not in self.references:
            place = make_place(self.folder / f"undisturbed-{sampler}", sampler=sampler, at_once=self.at_once)
            started = time.monotonic()
            code = self.attempt(place, Drawn(control=Fuse("never", 0), workers=(Fuse("never", 0),)))
            if code != 0:
                raise SystemExit(f"the undisturbed study ended with {code}:\n{_tail(place)}")
            self.import_what_it_used(place)
            if not self.lengths.seconds:
                self.lengths = Lengths.read(place.folder, time.monotonic() - started)
                self.time_again(sampler)
            found = self.look(place)
            if found["faults"]:
                raise SystemExit(f"the undisturbed study has faults: {found['faults']}")
            self.references[sampler] = found["results"]
        return self.references[sampler]

    def time_again(self, sampler: str) -> None:
        """Without the imports that the first one paid for."""
        place = make_place(self.folder / "timed", sampler=sampler, at_once=self.at_once)
        started = time.monotonic()
        self.attempt(place, Drawn())
        self.lengths = self.lengths.lasting(time.monotonic() - started)

    def study(self, sampler: str) -> None:
        """One study, killed until it comes to its end, and compared."""
        wanted = self.reference(sampler)
        self.num_studies += 1
        place = make_place(self.folder / f"study-{self.num_studies:03d}", sampler=sampler, at_once=self.at_once)
        before = sum(self.kills.values())
        code = -1
        while code != 0:
            self.num_attempts += 1
            enough = self.num_done >= self.num_kills
            drawn = Drawn() if enough else self.draw(sampler)
            code = self.attempt(place, drawn)
            self.num_in_race += code != 0 and place.is_racing
            self.count_notes(place)
            if code not in (0, -signal.SIGKILL, -signal.SIGXFSZ):
                self.faults.append(f"{place.folder.name}: exit {code} after {drawn}: {_tail(place)}")
                break
        else:
            found = self.look(place)
            self.faults += [f"{place.folder.name}: {fault}" for fault in found["faults"]]
            if found["results"] != wanted:
                self.faults.append(f"{place.folder.name}: other results: {difference(wanted, found['results'])}")
        self.tell(study=place.folder.name, sampler=sampler, kills_here=sum(self.kills.values()) - before)
        if not any(fault.startswith(place.folder.name) for fault in self.faults):
            shutil.rmtree(place.folder)

    def draw(self, sampler: str) -> Drawn:
        if self.is_of_race:
            return draw_of_race(self.chance, self.lengths)
        return draw(self.chance, self.lengths, has_helper=sampler == "gp")

    # -- one attempt ----------------------------------------------------------------------------------------------

    def attempt(self, place: Place, drawn: Drawn) -> int:
        """`ftsweep run` once, with what was drawn for it: its exit code, or minus the signal that ended it."""
        control = forked.fork("control", lambda: run_command(place, drawn))
        started = time.monotonic()
        waiting = sorted(drawn.outside, key=lambda outside: outside.seconds)
        counted_from = None if self.is_of_race else started
        while True:
            pid, status = os.waitpid(control, os.WNOHANG)
            if pid:
                break
            now = time.monotonic()
            if counted_from is None and place.is_racing:
                counted_from = now
            while waiting and counted_from is not None and now - counted_from >= waiting[0].seconds:
                self.kill_from_outside(control, waiting.pop(0))
            if now - started > _MOST_SECONDS:
                self.faults.append(f"{place.folder.name}: hangs after {drawn}: {_tail(place)}")
                _kill_tree(control)
            time.sleep(0.003)
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGXFSZ:
            self.kills["control process", "limit"] += 1
        self.await_orphans(place, after_kill=code != 0)
        return code

    def kill_from_outside(self, control: int, outside: Outside) -> None:
        for who in outside.whom:
            if who == "control process":
                victims = [psutil.Process(control)]
            elif who == "whole tree":
                victims = [psutil.Process(control), *psutil.Process(control).children(recursive=True)]
            else:
                victims = [child for child in psutil.Process(control).children() if _name(child) == who]
            for victim in victims:
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.kill()
            self.kills[who, "moment"] += bool(victims)

    def await_orphans(self, place: Place, *, after_kill: bool) -> None:
        """Reap what the control process left; what does not end is an orphan."""
        started = time.monotonic()
        while time.monotonic() - started < _ORPHAN_SECONDS:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                if after_kill:
                    self.slowest_end = max(self.slowest_end, time.monotonic() - started)
                return
            if pid == 0:
                time.sleep(0.003)
        left = psutil.Process().children(recursive=True)
        self.faults.append(f"{place.folder.name}: {len(left)} orphans: {[_name(child) for child in left]}")
        for child in left:
            child.kill()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def count_notes(self, place: Place) -> None:
        if place.notes.exists():
            for line in place.notes.read_text(encoding="utf-8").splitlines():
                note = json.loads(line)
                self.kills[note["who"], note["kind"]] += 1
                self.events[note["at"]] += 1
            place.notes.unlink()
        lost = place.study / "workers" / "lost.jsonl"
        if lost.exists():
            told = lost.read_text(encoding="utf-8").count("SIGXFSZ")
            mark = place.folder / "limits"
            known = int(mark.read_text()) if mark.exists() else 0
            self.kills["worker", "limit"] += told - known
            mark.write_text(str(told))

    # -- small things ---------------------------------------------------------------------------------------------

    def look(self, place: Place) -> dict[str, Any]:
        """Results and faults, found in a fork: this process stays without databases and threads."""
        answer = place.folder / "facts.json"

        def body() -> None:
            from facts import faults, results

            answer.write_text(json.dumps({"results": results(place), "faults": faults(place)}), encoding="utf-8")

        os.waitpid(forked.fork("look", body), 0)
        if not answer.exists():
            return {"results": {}, "faults": ["the study could not be read"]}
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return found

    def import_what_it_used(self, place: Place) -> None:
        for file in place.folder.glob("*.modules"):
            for name in file.read_text(encoding="utf-8").split():
                if name.partition(".")[0] not in ("__main__", "__mp_main__"):
                    with contextlib.suppress(Exception):
                        importlib.import_module(name)

    def tell(self, *, is_done: bool = False, **more: Any) -> None:
        facts = {
            "kills": [[who, kind, count] for (who, kind), count in self.kills.items()],
            "events": dict(self.events),
            "num_studies": self.num_studies,
            "num_attempts": self.num_attempts,
            "num_in_race": self.num_in_race,
            "slowest_end": self.slowest_end,
            "faults": self.faults,
            "lengths": vars(self.lengths),
            "is_done": is_done,
        }
        print(json.dumps({**facts, **more}), flush=True)


def _name(process: psutil.Process) -> str:
    """`worker`, `gp_fit` as forked.py names them; the watchdog by its command."""
    with contextlib.suppress(psutil.Error, OSError):
        name = Path(f"/proc/{process.pid}/comm").read_text(encoding="ascii").strip()
        if name == "gp_fit":
            return "sampler's helper"
        words = process.cmdline()
        if any("watchdog.py" in word for word in words):
            return "watchdog"
        return " ".join([name, *words[1:5]]) if name == "python" else name
    return "gone"


def _kill_tree(pid: int) -> None:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _tail(place: Place) -> str:
    return (place.folder / "output.log").read_text(encoding="utf-8", errors="replace")[-2500:]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--race", action="store_true")
    parser.add_argument("--at-once", type=int, default=1)
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="1", HF_HUB_OFFLINE="1")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    forked.adopt_orphans()
    for name in forked.PRELOADED:
        importlib.import_module(name)
    Lane(options.folder, options.seed, options.kills, is_of_race=options.race, at_once=options.at_once).run()


if __name__ == "__main__":
    main()
