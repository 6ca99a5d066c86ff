"""The quickstart as a newcomer runs it: empty folder, empty cache, nothing warm but the disk."""

from __future__ import annotations

from commands import ask, fresh_folder, ftsweep
from measured import Result, result

from ftsweep.domain.answers import model_name

_CLEARLY = 0.2  # of accuracy and macro-F1 above the majority class
_QUICK = ("budget.trials=4", "data.limit=400", "training.epochs=1", "space.training.epochs=[1]")


def measure(*, quick: bool = False) -> list[Result]:
    """Wall seconds, trials pruned, and the winner against the majority class and the default setting on test."""
    with fresh_folder() as folder:
        words = [*ftsweep(), "run", "quickstart", *(_QUICK if quick else ())]
        ending, cost = ask([*words, "--json"], folder)
        trials = ask([*ftsweep(), "status", "quickstart", "--json"], folder)[0]["trials"]
    outcomes = [trial["outcome"] for trial in trials]
    test = ending["conclusion"]["test"]
    model = ending["conclusion"]["model"]
    winner = test[model_name(model["number"], model["seed"])]
    default = test.get("trial-0000", winner)
    results = [
        result("quickstart, wall", cost.wall_seconds, "s", below=180),
        result("quickstart, CPU of all processes", cost.cpu_seconds, "s"),
        result("quickstart, trials", len(trials), "trials", at_least=12),
        result("quickstart, trials pruned", outcomes.count("pruned"), "trials", at_least=2),
        result("quickstart, trials failed", outcomes.count("failed"), "trials", below=1),
    ]
    for metric in ("accuracy", "macro_f1"):
        base = test["baseline"][metric]
        results += [
            result(f"test {metric}: majority class", base, ""),
            result(f"test {metric}: trial 0, the default setting", default[metric], ""),
            result(f"test {metric}: winner", winner[metric], "", at_least=max(base + _CLEARLY, default[metric])),
        ]
    return results
