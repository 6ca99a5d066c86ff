"""All guards of a data set together: who looks, what is left out, and what a split made by ftsweep gives away."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

from ftsweep.config.build import build
from ftsweep.data.inspection import DataView, Inspection
from ftsweep.data.likeness.alike import Likeness, Overlap
from ftsweep.domain.finding import Finding, Severity, most_severe_first
from ftsweep.errors import ConfigError
from ftsweep.guards.base import DataGuard, Sighting, percent
from ftsweep.guards.leakage import NearDuplicates, SharedPassages

_LOGGER = logging.getLogger(__name__)


class DataGate:
    """Guards by the names they have in the configuration."""

    def __init__(self, guards: Mapping[str, DataGuard], settings: Mapping[str, Any]) -> None:
        self._guards = {name: guard for name, guard in guards.items() if guard.mode != "off"}
        self._settings = dict(settings)

    @classmethod
    def of(cls, nodes: Mapping[str, Mapping[str, Any]], allowed: Sequence[str]) -> DataGate:
        """The guards of data among the nodes of `guards`; others look at trials, and are no business of this gate."""
        built = {name: build(node, allowed=allowed, where=f"guards.{name}") for name, node in nodes.items()}
        guards = {name: guard for name, guard in built.items() if isinstance(guard, DataGuard)}
        return cls(guards, {name: dict(nodes[name]) for name in guards})

    @property
    def settings(self) -> Mapping[str, Any]:
        """The guards' nodes, those that are off included: a split depends on them too."""
        return self._settings

    @property
    def likeness(self) -> Likeness | None:
        return next((each.likeness for each in self._guards.values() if isinstance(each, NearDuplicates)), None)

    @property
    def overlap(self) -> Overlap | None:
        return next((each.overlap for each in self._guards.values() if isinstance(each, SharedPassages)), None)

    def inspect(self, view: DataView) -> Inspection:
        """What every guard says, most severe first; nothing is refused here."""
        inspection, num_train = Inspection(), len(view.rows["train"])
        for name, guard in self._guards.items():
            begin = time.monotonic()
            sightings = _seen_by(name, guard, view)
            _LOGGER.info("%s took %.2f s", name, time.monotonic() - begin)
            inspection.findings += [_judged(name, guard, sighting, num_train) for sighting in sightings]
            for sighting in sightings:
                for split, rows in sighting.flagged.items():
                    inspection.flagged.setdefault(split, {})[name] = [int(row) for row in rows]
            self._fix(name, guard, sightings, inspection, num_train)
        inspection.findings = [*most_severe_first(inspection.findings), *self._made_splits(view, inspection)]
        return inspection

    @staticmethod
    def _fix(
        name: str, guard: DataGuard, sightings: Sequence[Sighting], inspection: Inspection, num_train: int
    ) -> None:
        rows = {int(row) for sighting in sightings for row in sighting.train_rows}
        if guard.mode == "fix" and rows:
            inspection.leave_out |= rows
            seen = [sighting for sighting in sightings if sighting.train_rows]
            inspection.fixed.append(guard.judge_fixed(name, seen, len(rows), num_train))

    def _made_splits(self, view: DataView, inspection: Inspection) -> list[Finding]:
        """What the splits that ftsweep made give away after all, measured by the guards."""
        made = [split for split in view.held_out if view.origin[split] == "ftsweep"]
        looked = [name for name, guard in self._guards.items() if guard.finds_leaks]
        if not made or not looked:
            return []
        num_rows = sum(len(view.rows[split]) for split in made)
        count = sum(len({row for name in looked for row in inspection.flagged_by(name, split)}) for split in made)
        by_guard = {name: sum(len(inspection.flagged_by(name, split)) for split in made) for name in looked}
        group = f" or have one {view.source.group}" if view.source.group else ""
        return [
            Finding(
                check="split",
                severity=Severity.NOTE,
                message=f"ftsweep made {' and '.join(made)} with rows that tell of each other{group} on one side; "
                f"after it {count} of {num_rows} held-out rows ({percent(count / num_rows)}) match train: "
                + ", ".join(f"{name} {number}" for name, number in by_guard.items()),
                count=count,
                rate=count / num_rows,
            )
        ]


def _judged(name: str, guard: DataGuard, sighting: Sighting, num_train: int) -> Finding:
    """What the guard says; where it advises to leave most of train out, with how much that is."""
    finding, count = guard.judge(name, sighting), len(sighting.train_rows)
    if not finding.override.endswith("=fix") or 2 * count <= num_train:
        return finding
    return replace(finding, remedy=f"{finding.remedy}, {count} of its {num_train}, or use other splits")


def _seen_by(name: str, guard: DataGuard, view: DataView) -> list[Sighting]:
    """What a guard saw.

    Raises:
        ConfigError: one of the user's own answers with something else, or names rows that there are not.
    """
    found: Any = guard.look(view)
    if not isinstance(found, Iterable):
        raise _wrong(name, guard, f"gives {found!r}", "It must yield sightings, or nothing at all.")
    sightings = list(found)
    for sighting in sightings:
        if not isinstance(sighting, Sighting):
            raise _wrong(name, guard, f"yields {sighting!r}", "It must yield sightings.")
        flagged: Any = sighting.flagged
        if not isinstance(flagged, Mapping):
            raise _wrong(name, guard, f"flags {flagged!r}", "It must be rows by the name of their split.")
        for split, rows in [("train", sighting.train_rows), *flagged.items()]:
            num_rows = len(view.rows.get(split, ()))
            if beyond := [row for row in rows if not _is_number(row) or not 0 <= row < num_rows]:
                has = f"has the rows 0 to {num_rows - 1}" if num_rows else "is no split with rows"
                raise _wrong(name, guard, f"names row {beyond[0]!r} of {split}", f"{split} {has}.")
    return sightings


def _is_number(row: Any) -> bool:
    """Whether it counts a row; of a mask of truth values every true one would pass for row 1."""
    return isinstance(row, Integral) and not isinstance(row, bool)


def _wrong(name: str, guard: DataGuard, what: str, remedy: str) -> ConfigError:
    return ConfigError(f"`{type(guard).__name__}.look` {what}", where=f"guards.{name}", remedy=f"{remedy} Mend it.")
