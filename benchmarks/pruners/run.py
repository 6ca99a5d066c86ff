"""Which rule of stopping pays, and whether pausing does (`make bench-pruners`): paired simulated searches.

Every rule gets the same seeds, and with them the same proposals and the same luck. Cost: compute until a complete
trial is among the best 2 % of the space, in trials of mean length; the whole budget's where none is. Regret: what the
trial that measured best lacks of the best of the space, by truth, as a share of what a middling setting lacks.
Differences are means over seeds with 95 % intervals of a bootstrap over seeds; those that are sure are bold.

Prints Markdown, and writes it with `--write FILE`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

import machine
from families import Family, families
from promotion import Promotion
from simulation import Search, search

from ftsweep.search.pruners import Median, NoPruner, Pruner, SuccessiveHalving
from ftsweep.search.samplers import Random, Sampler, Tpe

RULES: dict[str, Callable[[], Pruner]] = {
    "none": NoPruner,
    "median": Median,
    "stopping .1/3": partial(SuccessiveHalving, first=0.1),
    "stopping .2/3": SuccessiveHalving,
    "promotion .1/3": partial(Promotion, first=0.1),
}
SAMPLERS: dict[str, Callable[[], Sampler]] = {"random": Random, "tpe": Tpe}


@dataclass(frozen=True)
class Setup:
    """How a search is run. With two budgets the study is extended from the first to the second."""

    workers: int
    budgets: tuple[float, ...]
    """Compute, in trials of mean length; with `in_trials` the number of trials, as `budget.trials`."""
    sampler: str = "random"
    in_trials: bool = False

    def __str__(self) -> str:
        budgets = " and then, extended, ".join(map(str, self.budgets))
        of = "" if self.in_trials else "compute of "
        return f"{self.sampler}, {self.workers} workers, {of}{budgets} trials"


SETUPS = (
    Setup(8, (30,)),
    Setup(32, (60,)),
    Setup(8, (15, 30)),
    Setup(8, (30,), "tpe"),
    Setup(8, (30,), "tpe", in_trials=True),
)
BESIDE_MEDIAN = ("none", "stopping .1/3", "stopping .2/3", "promotion .1/3")
PAUSING = {"promotion .1/3": "stopping .1/3"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=100, help="searches of each rule, family and setup")
    parser.add_argument("--families", default=",".join(each.name for each in families()), help="names, by commas")
    parser.add_argument("--setups", default=",".join(map(str, range(len(SETUPS)))), help="numbers, by commas")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="a Markdown file for the tables")
    options = parser.parse_args()
    lines = []
    names, setups = options.families.split(","), [SETUPS[int(number)] for number in options.setups.split(",")]
    chosen = [each for each in families() if each.name in names]
    for line in report(chosen, setups, options.seeds, options.processes):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(chosen: Sequence[Family], setups: Sequence[Setup], seeds: int, processes: int) -> Iterator[str]:
    facts = machine.in_a_line()
    yield f"# Pruners and pausing, {time.strftime('%Y-%m-%d')}"
    yield ""
    words = " ".join(sys.argv[1:]).partition(" --write")[0]
    yield f"`{' '.join(['python benchmarks/pruners/run.py', words]).strip()}`. {facts}."
    yield ""
    yield from (__doc__ or "").strip().splitlines()[2:6]
    yield ""
    with ProcessPoolExecutor(processes) as pool:
        for setup in setups:
            yield f"## {setup}"
            yield ""
            found = {
                family.name: {
                    rule: list(pool.map(partial(_searched, family.name, rule, setup), range(seeds), chunksize=5))
                    for rule in RULES
                }
                for family in chosen
            }
            yield from _table(chosen, found)


def _searched(family: str, rule: str, setup: Setup, seed: int) -> Search:
    found = next(each for each in families() if each.name == family)
    sampler = SAMPLERS[setup.sampler]()
    return search(
        found,
        RULES[rule](),
        sampler,
        seed=seed,
        workers=setup.workers,
        budgets=setup.budgets,
        in_trials=setup.in_trials,
    )[-1]


def _table(named: Sequence[Family], found: dict[str, dict[str, list[Search]]]) -> Iterator[str]:
    yield f"| | {' | '.join(family.name for family in named)} |"
    yield f"|---|{'---|' * len(named)}"
    for rule in RULES:
        cells = [_alone(family, found[family.name][rule]) for family in named]
        yield f"| {rule}: reached / cost / spent / regret | {' | '.join(cells)} |"
    for rule in BESIDE_MEDIAN:
        cells = [_cost_beside(family, found[family.name], rule, "median") for family in named]
        yield f"| cost: {rule} - median | {' | '.join(cells)} |"
    for rule, other in PAUSING.items():
        cells = [_cost_beside(family, found[family.name], rule, other) for family in named]
        yield f"| cost: {rule} - {other} | {' | '.join(cells)} |"
        cells = [_regret_beside(family, found[family.name], rule, other) for family in named]
        yield f"| regret: {rule} - {other} | {' | '.join(cells)} |"
    resumed = [_resumed(found[family.name]["promotion .1/3"]) for family in named]
    yield f"| promotion .1/3: paused / resumed, a search | {' | '.join(resumed)} |"
    yield ""


def _alone(family: Family, searches: Sequence[Search]) -> str:
    reached = fmean(each.reached(family.good) for each in searches)
    spent, regret = fmean(each.spent for each in searches), _regrets(family, searches).mean()
    return f"{reached:.0%} / {_costs(family, searches).mean():.1f} / {spent:.1f} / {regret:.3f}"


def _cost_beside(family: Family, found: dict[str, list[Search]], rule: str, other: str) -> str:
    """In percent of the other rule's mean cost."""
    ours, theirs = _costs(family, found[rule]), _costs(family, found[other])
    return _with_interval(100 * (ours - theirs) / theirs.mean(), "%")


def _regret_beside(family: Family, found: dict[str, list[Search]], rule: str, other: str) -> str:
    """In thousandths of what lies between a middling setting and the best."""
    return _with_interval(1000 * (_regrets(family, found[rule]) - _regrets(family, found[other])), "")


def _costs(family: Family, searches: Sequence[Search]) -> np.ndarray:
    return np.array([each.cost(family.good) for each in searches])


def _regrets(family: Family, searches: Sequence[Search]) -> np.ndarray:
    """Of what a person is handed at the end, as a share of what lies between a middling setting and the best."""
    return np.array([(each.found() - family.levels[0]) / family.spread for each in searches])


def _with_interval(differences: np.ndarray, unit: str) -> str:
    luck = np.random.default_rng(0)
    means = differences[luck.integers(len(differences), size=(2_000, len(differences)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    mean = f"{differences.mean():+.1f}{unit}"
    bold = "**" if low > 0 or high < 0 else ""
    return f"{bold}{mean}{bold} [{low:+.1f}, {high:+.1f}]"


def _resumed(searches: Sequence[Search]) -> str:
    return f"{fmean(each.num_paused for each in searches):.1f} / {fmean(each.num_resumed for each in searches):.1f}"


if __name__ == "__main__":
    main()
