"""Runs with a fault in their training, and healthy ones: what the fit verdicts say of them.

Every run is a real trial of the embedded model on docstrings, made by a worker in this process; the judge is the one of
a study, on the trial's own folder. `run_fits` is called by run.py; by hand, `python fits.py --store FOLDER` keeps the
trials, so that another judgement of them costs nothing.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from jobs import SoleWorker, prepared_data, train_job, trial_config

from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, Space
from ftsweep.domain.trial import Proposal, TrialRecord
from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import Store
from ftsweep.verdicts.live import Verdicts

MAX_FALSE_ALARMS = 0.1
_COMMON = ("rungs.count=5", "budget.trials=1", "task.max_length=32", "data.test_fraction=0")
_FEW = ("data.limit=320", "data.validation_fraction=0.5", "training.batch_size=8")
_MORE = ("data.limit=700", "data.validation_fraction=0.25")
_FULL = ("strategy=full", "~space.strategy")
_LOWER, _RAISE, _LONGER, _SHORTER = "rate down", "rate up", "longer", "shorter"


@dataclass(frozen=True)
class Case:
    """A setting. `kinds`: what must be among its verdicts; () of a healthy one, which must have none."""

    name: str
    overrides: tuple[str, ...]
    kinds: tuple[VerdictKind, ...] = ()
    remedy: str = ""
    """In which direction the override must go."""
    sweep: str = "quickstart"


V = VerdictKind
FAULTS = (
    Case(
        "full, 5 epochs at 2e-3 on 160 rows: overfit",
        (*_FEW, *_FULL, "training.learning_rate=2e-3", "training.epochs=5", "training.schedule=constant"),
        (V.OVERFIT,),
        _SHORTER,
    ),
    Case(
        "lora, 8 epochs at 3e-3 on 160 rows: overfit",
        (*_FEW, "training.learning_rate=3e-3", "training.epochs=8", "training.schedule=constant"),
        (V.OVERFIT,),
        _SHORTER,
    ),
    Case(
        "lora, rate 1e-6: learns nothing",
        (*_FEW, "training.learning_rate=1e-6", "training.epochs=1"),
        (V.NO_LEARNING,),
        _RAISE,
    ),
    Case(
        "full, rate 1e-8: learns nothing",
        (*_FEW, *_FULL, "training.learning_rate=1e-8", "training.epochs=1"),
        (V.NO_LEARNING,),
        _RAISE,
    ),
    Case(
        "lora, half an epoch at 1e-3: stopped too early",
        (*_MORE, "training.learning_rate=1e-3", "training.epochs=0.5", "training.schedule=constant"),
        (V.UNDER_TRAINED,),
        _LONGER,
    ),
    Case(
        "instruction, half an epoch at 1e-3: stopped too early",
        (*_MORE, "training.learning_rate=1e-3", "training.epochs=0.5", "training.schedule=constant"),
        (V.UNDER_TRAINED,),
        _LONGER,
        "instruction_pydocs",
    ),
    Case(
        "lora, rate 0.3: 100 times too high",
        (*_FEW, "training.learning_rate=0.3", "training.epochs=1"),
        (V.DIVERGED, V.NO_LEARNING),
        _LOWER,
    ),
    Case(
        "full, rate 0.05: 100 times too high",
        (*_FEW, *_FULL, "training.learning_rate=0.05", "training.epochs=1"),
        (V.DIVERGED, V.NO_LEARNING),
        _LOWER,
    ),
)
HEALTHY = (
    Case("lora at 2e-3, 2 epochs", (*_MORE, "training.learning_rate=2e-3")),
    Case("full at 5e-4, 2 epochs", (*_MORE, *_FULL, "training.learning_rate=5e-4")),
    Case(
        "head at 1e-3, 8 epochs",
        (*_MORE, "strategy=head", "~space.strategy", "training.learning_rate=1e-3", "training.epochs=8"),
    ),
    Case("instruction, lora at 3e-3, 2 epochs", (*_MORE, "training.learning_rate=3e-3"), sweep="instruction_pydocs"),
    Case("tags, lora at 4e-3, 2 epochs", _MORE, sweep="ner_pydocs"),
)


@dataclass(frozen=True)
class Judged:
    """One run and what was said of it."""

    case: Case
    seed: int
    verdicts: tuple[Verdict, ...]

    @property
    def is_right(self) -> bool:
        """Of a fault: seen, with a remedy in the right direction. Of a healthy run: nothing said."""
        kinds = {verdict.kind for verdict in self.verdicts}
        if not self.case.kinds:
            return kinds <= {VerdictKind.HEALTHY}
        seen = [verdict for verdict in self.verdicts if verdict.kind in self.case.kinds]
        return bool(seen) and _direction(seen[0], self.case.overrides) == self.case.remedy


def run_fits(seeds: Sequence[int], store: Path | None = None) -> Iterator[str]:
    """The tables of faults and of healthy runs, as lines of Markdown; trains what the store does not have yet.

    The last line yielded says "missed" where the faults found or the false alarms are not as promised.
    """
    with tempfile.TemporaryDirectory(prefix="ftsweep-fits-") as folder:
        place = _Place(Store(store or Path(folder)))
        faults = [place.judged(case, seed) for case in FAULTS for seed in seeds]
        healthy = [place.judged(case, seed) for case in HEALTHY for seed in range(max(4, len(seeds)))]
    yield "## Training faults"
    yield ""
    yield "Runs in which the fault was seen, and the override of its verdict goes in the right direction."
    yield ""
    yield "| training fault | found, with the right remedy | said of it |"
    yield "|---|---|---|"
    for case in FAULTS:
        own = [each for each in faults if each.case is case]
        right = sum(each.is_right for each in own)
        said = "; ".join(dict.fromkeys(", ".join(verdict.label for verdict in each.verdicts) for each in own))
        yield f"| {case.name} | {right}/{len(own)}{'' if right >= 0.95 * len(own) else ' MISSED'} | {said} |"
    yield ""
    yield "## Healthy runs"
    yield ""
    yield "| healthy run | false alarms | said of it |"
    yield "|---|---|---|"
    for case in HEALTHY:
        own = [each for each in healthy if each.case is case]
        said = "; ".join(dict.fromkeys(", ".join(verdict.label for verdict in each.verdicts) for each in own))
        yield f"| {case.name} | {sum(not each.is_right for each in own)}/{len(own)} | {said} |"
    alarms = sum(not each.is_right for each in healthy)
    yield ""
    yield f"False alarms: {alarms} of {len(healthy)} healthy runs ({alarms / len(healthy):.0%})."
    if alarms > MAX_FALSE_ALARMS * len(healthy) or not all(each.is_right for each in faults):
        yield "missed"


class _Place:
    """Trials of one worker in a store, each made once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._worker: SoleWorker | None = None

    def judged(self, case: Case, seed: int) -> Judged:
        sweep = [*_COMMON, *case.overrides, f"seed.data={seed % 2}", f"seed.model={seed}"]
        config = trial_config(case.sweep, sweep)
        number = 100 * [*FAULTS, *HEALTHY].index(case) + seed
        folder = self._store.study("fits").trial(number)
        if not folder.outcome_file.exists():
            self._worker = self._worker or SoleWorker(threads=1)
            cache = self._store.root
            job = train_job(number, config, cache)
            job["folder"] = str(folder.path)
            write_json(folder.spec_file, job["spec"])
            self._worker.finish(job)
            rows = prepared_data(config, cache / "cache").split("validation")
            write_json(folder.path / "rows.json", len(rows))
        objective = Objective(**config["objective"])
        branch = Branch("", config, Space())
        facts = {"main": {"num_examples": {"validation": read_json(folder.path / "rows.json")}}}
        judge = Verdicts(self._store.study("fits"), objective, {"": branch}, {}, facts)
        judge.judge(TrialRecord(Proposal(number, "", {}), tuple(folder.measurements()), folder.outcome()))
        print(f"{case.name}, seed {seed}: {', '.join(each.label for each in judge.found[number])}", file=sys.stderr)
        return Judged(case, seed, judge.found[number])


def _direction(verdict: Verdict, overrides: Sequence[str]) -> str:
    """Where a verdict's override leads from the setting that these overrides made."""
    key, _, value = verdict.override.partition("=")
    own = next((each.partition("=")[2] for each in overrides if each.startswith(f"{key}=")), "")
    if not value or not own:
        return ""
    rises = float(value) > float(own)
    words = {"training.learning_rate": (_RAISE, _LOWER), "training.epochs": (_LONGER, _SHORTER)}
    return words[key][0 if rises else 1] if key in words else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    for line in run_fits(range(options.seeds), options.store):
        print(line, flush=True)
