"""The tables of the benchmark of choosing rules, each a few lines of Markdown about the studies of every pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev

import numpy as np
from pools import Pool
from rules import played, raced, shrunk, todays
from studies import SIGN, Study

from ftsweep.analysis import two_answers
from ftsweep.analysis.optimism import optimism
from ftsweep.analysis.racing import is_hopeless


def pool_table(pools: dict[str, Pool]) -> Iterator[str]:
    """Spreads are standard deviations of the true loss; common: of the seeds' variance what all settings share."""
    yield from _head(
        "pool",
        "settings x seeds",
        "held-out rows",
        "spread of settings",
        "of seeds",
        "common",
        "error of 212 rows, paired",
    )
    for name, pool in pools.items():
        truth = pool.losses.mean(axis=-1).min(axis=-1)
        last = pool.losses[:, :, -1]
        paired = fmean(float((last[0, 0] - last[setting, 0]).std()) for setting in range(1, len(last))) / np.sqrt(212)
        effects = truth - truth.mean(axis=1, keepdims=True)
        seeds = float(effects.var(axis=1, ddof=1).mean())
        alone = float((effects - effects.mean(axis=0)).var(axis=1, ddof=1).mean()) * len(truth) / (len(truth) - 1)
        yield (
            f"| {name} | {truth.shape[0]} x {truth.shape[1]} | {last.shape[-1]} | {truth.mean(axis=1).std(ddof=1):.3f} "
            f"| {seeds**0.5:.3f} | {max(0.0, 1 - alone / seeds):.0%} | {paired:.3f} |"
        )
    yield ""


def models_table(studies: dict[str, list[Study]], top: int, seeds: int) -> Iterator[str]:
    yield from _head(
        "pool",
        "default",
        "(a) best of the search",
        "(b) decision 0012",
        "(c) new rule",
        "(d) best in hand",
        "regret of (b)",
        "of (c)",
    )
    for name, drawn in studies.items():
        rows = [_handed_over(study, top, seeds) for study in drawn]
        default, best, today, new, oracle = (fmean(column) for column in zip(*rows, strict=True))
        gains = [row[2] - row[3] for row in rows]
        error = stdev(gains) / len(gains) ** 0.5
        yield (
            f"| {name} | {default:.4f} | {best:.4f} | {today:.4f} | {new:.4f} | {oracle:.4f} | {today - oracle:.4f} "
            f"| {new - oracle:.4f} ((b) - (c): {fmean(gains):.4f} ± {error:.4f}) |"
        )


def _handed_over(study: Study, top: int, seeds: int) -> tuple[float, float, float, float, float]:
    new = played(study, top=top, seeds=seeds)
    chosen, _ = todays(study, top=top, seeds=2)
    return (
        study.truth(0, 0),
        study.truth(study.search[0].setting, 0),
        study.truth(chosen, 0),
        study.truth(new.model.setting, new.model.seed),
        min(study.truth(run.setting, run.seed) for run in new.runs),
    )


def seeds_table(shared: dict[str, list[Study]], own: dict[str, list[Study]], top: int, seeds: int) -> Iterator[str]:
    """Means over the studies; with shared seeds and with own ones they have the same settings and rows."""
    yield from _head(
        "pool",
        "best model of the search: shared, own",
        "model handed over: shared, own",
        "setting's true mean: shared, own",
        "own - shared, model",
        "setting",
    )
    for name in shared:
        rows = []
        for studies in (shared[name], own[name]):
            found = [(study, played(study, top=top, seeds=seeds)) for study in studies]
            rows.append(
                [
                    [study.truth(study.search[0].setting, 0) for study, _ in found],
                    [study.truth(each.model.setting, each.model.seed) for study, each in found],
                    [study.true_mean(each.setting.number) for study, each in found if each.setting],
                ]
            )
        means = [f"{fmean(left):.4f}, {fmean(right):.4f}" for left, right in zip(*rows, strict=True)]
        differences = [_paired(rows[1][place], rows[0][place]) for place in (1, 2)]
        yield f"| {name} | " + " | ".join([*means, *differences]) + " |"


def _paired(left: Sequence[float], right: Sequence[float]) -> str:
    values = [ours - theirs for ours, theirs in zip(left, right, strict=True)]
    return f"{fmean(values):+.4f} ± {stdev(values) / len(values) ** 0.5:.4f}"


def _head(*columns: str) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * len(columns) + "|"


def statements_table(studies: dict[str, list[Study]], top: int, seeds: int) -> Iterator[str]:
    yield from _head(
        "pool",
        "setting better than the default: said, true",
        "no better on average: said, false by > 2 errors",
        "left open: said, better in truth",
        "model better: said, true",
        "cost",
    )
    for name, drawn in studies.items():
        better, no_better, open_ones, models, costs = [], [], [], [], []
        for study in drawn:
            found = played(study, top=top, seeds=seeds)
            costs.append(found.cost)
            said = {} if found.setting is None else {found.setting.number, found.model.setting}
            for mean in (found.setting.of(number) for number in sorted(said)):
                if mean is None or mean.over_default is None:
                    continue
                lead = study.true_mean(0) - study.true_mean(mean.number)
                if mean.standing == "better":
                    better.append(lead > 0)
                elif mean.standing == "no better":
                    error = mean.over_default.standard_error
                    no_better.append(error is not None and lead > 2 * error)
                else:
                    open_ones.append(lead > 0)
            ahead = found.model.over_default
            if ahead is not None and ahead.is_sure and ahead.value > 0:
                models.append(study.truth(found.model.setting, found.model.seed) < study.truth(0, 0))
        yield (
            f"| {name} | {len(better)}, {_share(better)} | {len(no_better)}, {_share(no_better)} "
            f"| {len(open_ones)}, {_share(open_ones)} | {len(models)}, {_share(models)} "
            f"| {fmean(costs):.2f} (most {max(costs):.2f}) |"
        )


def _share(values: Sequence[bool]) -> str:
    return f"{sum(values) / len(values):.0%}" if values else "-"


def optimism_table(studies: dict[str, list[Study]], top: int, seeds: int) -> Iterator[str]:
    """The chosen value against the truth; with a reserved half the choice has only the other half of the rows."""
    yield from _head(
        "pool",
        "truth - value",
        "estimate",
        "truth - corrected value",
        "in errors of the rows",
        "by a reserved half: truth - value",
        "its model's true loss, ours",
    )
    for name, drawn in studies.items():
        raw, told, errors, left, halves, half_truth, own_truth = [], [], [], [], [], [], []
        for study in drawn:
            runs, _ = raced(study, top=top, seeds=seeds)
            best = min(runs, key=lambda run: run.value)
            truth, too_good = study.truth(best.setting, best.seed), optimism(runs, SIGN)
            raw.append(truth - best.value)
            told.append(too_good)
            left.append(truth - best.value - too_good)
            errors.append(float(best.draws.std()))
            value, chosen = _reserved(study, [(run.setting, run.seed) for run in runs])
            halves.append(study.truth(*chosen) - value)
            half_truth.append(study.truth(*chosen))
            own_truth.append(truth)
        yield (
            f"| {name} | {fmean(raw):.4f} | {fmean(told):.4f} | {fmean(left):.4f} | {fmean(left) / fmean(errors):.2f} "
            f"| {fmean(halves):.4f} | {fmean(half_truth):.4f}, {fmean(own_truth):.4f} |"
        )


def _reserved(study: Study, runs: Sequence[tuple[int, int]]) -> tuple[float, tuple[int, int]]:
    """Choose by one half of the rows, and say the value on the other."""
    chance = np.random.default_rng([study.draw, 11]).permutation(len(study.rows))
    half = study.rows[chance[: len(chance) // 2]], study.rows[chance[len(chance) // 2 :]]
    losses = {key: study.row_losses(*key) for key in runs}
    chosen = min(runs, key=lambda key: float(losses[key][half[0]].mean()))
    return float(losses[chosen][half[1]].mean()), chosen


def equals_table(studies: dict[str, list[Study]], top: int, seeds: int) -> Iterator[str]:
    """True loss; drawn to the mean: each value to its setting's, by the share that rows have in the differences."""
    widths = (0.0, 0.25, 0.5, 1.0, 2.0)
    yield "| pool | " + " | ".join(f"within {width:g} errors" for width in widths) + " | drawn to the mean |"
    yield "|---" * (2 + len(widths)) + "|"
    before = two_answers.EQUAL
    for name, drawn in studies.items():
        truths = []
        for width in widths:
            two_answers.EQUAL = width  # type: ignore[misc]
            found = [played(study, top=top, seeds=seeds) for study in drawn]
            truths.append(
                fmean(
                    study.truth(each.model.setting, each.model.seed) for study, each in zip(drawn, found, strict=True)
                )
            )
        two_answers.EQUAL = before  # type: ignore[misc]
        picked = [shrunk(raced(study, top=top, seeds=seeds)[0]) for study in drawn]
        truths.append(fmean(study.truth(run.setting, run.seed) for study, run in zip(drawn, picked, strict=True)))
        yield f"| {name} | " + " | ".join(f"{truth:.4f}" for truth in truths) + " |"


def halves_table(studies: dict[str, list[Study]], top: int, seeds: int) -> Iterator[str]:
    """Fresh runs that would be stopped in their middle, and what they would have come to."""
    yield from _head("pool", "fresh runs", "stopped at half", "of those handed over", "training saved")
    for name, drawn in studies.items():
        num_fresh, stopped, chosen, saved, cost = 0, 0, 0, 0.0, 0.0
        for study in drawn if drawn[0].pool.losses.shape[2] > 1 else ():
            found = played(study, top=top, seeds=seeds)
            halves = {(run.setting, run.seed): study.at_half(run.setting, run.seed) for run in found.runs}
            for setting, seed in (key for key in halves if key[1]):
                num_fresh, cost = num_fresh + 1, cost + float(study.pool.costs[setting])
                peers = [value for (_, earlier), value in halves.items() if earlier < seed]
                if is_hopeless(halves[setting, seed], peers, SIGN):
                    stopped, saved = stopped + 1, saved + float(study.pool.costs[setting]) / 2
                    chosen += (found.model.setting, found.model.seed) == (setting, seed)
        if num_fresh:
            yield f"| {name} | {num_fresh} | {stopped} | {chosen} | {saved / cost:.1%} |"


def widths_table(studies: dict[str, list[Study]]) -> Iterator[str]:
    """True loss of the model, true mean of the setting, share of the search's cost."""
    pairs = ((1, 3), (2, 3), (3, 3), (3, 5), (4, 2), (5, 3))
    yield "| pool | " + " | ".join(f"top {top}, at most {seeds} seeds" for top, seeds in pairs) + " |"
    yield "|---" * (1 + len(pairs)) + "|"
    for name, drawn in studies.items():
        cells = []
        for top, seeds in pairs:
            found = [played(study, top=top, seeds=seeds) for study in drawn]
            model = fmean(s.truth(each.model.setting, each.model.seed) for s, each in zip(drawn, found, strict=True))
            setting = fmean(
                s.true_mean(each.setting.number) for s, each in zip(drawn, found, strict=True) if each.setting
            )
            cells.append(f"{model:.4f}, {setting:.4f}, {fmean(each.cost for each in found):.2f}")
        yield f"| {name} | " + " | ".join(cells) + " |"
