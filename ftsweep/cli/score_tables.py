"""The evidence for a winner as tables: scores on test with their intervals, and the settings that were run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from ftsweep.analysis.advice import shown_metric
from ftsweep.analysis.flagged_rows import flagged_lines
from ftsweep.control.conclude import Conclusion
from ftsweep.domain.objective import Objective


def scores_table(conclusion: Conclusion, objective: Objective) -> Table | None:
    """Winner first, default settings, the untouched base last; None for data without a test split."""
    if not conclusion.test or conclusion.number is None:
        return None
    winner = f"trial-{conclusion.number:04d}"
    models = sorted(conclusion.test, key=lambda model: (model != winner, model == "baseline", model))
    names = sorted(conclusion.test[winner], key=lambda name: (name != "loss", name))
    shown = shown_metric(conclusion.test[winner], objective)
    table = _table("test split, measured once")
    table.add_column("model")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column(f"{shown}, 95 % interval", justify="right")
    for model in models:
        scores = conclusion.test[model]
        label = {winner: f"{model} (winner)", "baseline": "untouched base"}.get(model, f"{model} (default)")
        cells = (f"{scores[name]:.4g}" if name in scores else "-" for name in names)
        table.add_row(label, *cells, _interval(conclusion.intervals.get(model, {}).get(shown)))
    return table


def confirmation_table(conclusion: Conclusion, objective: Objective) -> Table | None:
    """The settings that were run again with fresh seeds, the best mean first; None where none was."""
    candidates = conclusion.evidence.get("candidates", [])
    if not candidates:
        return None
    num_seeds = len(candidates[0]["seeds"])
    table = _table(f"{objective.key} again, with {num_seeds} fresh seed{'s' if num_seeds > 1 else ''}")
    for name in ("trial", "in the search", "mean", "spread", "seeds", "behind the best mean by"):
        table.add_column(name, justify="left" if name == "seeds" else "right")
    for candidate in candidates:
        mark = "*" if candidate["number"] == conclusion.number else ""
        mark += " (default)" if candidate["is_default"] else ""
        seeds = "  ".join("failed" if value is None else f"{value:.4g}" for value in candidate["seeds"])
        table.add_row(
            f"{candidate['number']}{mark}",
            f"{candidate['value']:.4g}",
            _number(candidate["mean"]),
            _number(candidate["spread"], ".2g"),
            seeds,
            _behind(candidate, objective),
        )
    return table


def flagged_table(conclusion: Conclusion, objective: Objective) -> Table | None:
    """The winner on clean rows and on those that guards flagged; None where too few are flagged to compare."""
    if not conclusion.flagged:
        return None
    metric, lines = flagged_lines(conclusion.flagged, objective)
    if not any(line.interval for line in lines if line.part != "clean"):
        return None
    table = _table("the winner on rows that guards flagged")
    for name in ("split", "rows"):
        table.add_column(name)
    for name in ("number", metric, f"{metric}, 95 % interval"):
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(line.split, line.part, str(line.num_rows), _number(line.value), _interval(line.interval))
    return table


def quantity_table(conclusion: Conclusion, objective: Objective) -> Table | None:
    """The chosen setting on parts of train; None where that was not asked."""
    points = conclusion.quantity.get("points", [])
    if not points:
        return None
    table = _table("the chosen setting on parts of train")
    for name in ("train", "examples", objective.key, "seeds"):
        table.add_column(name, justify="left" if name == "seeds" else "right")
    for point in points:
        seeds = "  ".join(_number(value) for value in point["values"])
        table.add_row(f"{point['share']:.0%}", f"{point['num_examples']:,}", _number(point["mean"]), seeds)
    return table


def optimism_text(conclusion: Conclusion, objective: Objective, validation: Mapping[str, float]) -> str:
    """How much better the winner looked on validation, by which it was chosen, than on test; "" where unknown."""
    if conclusion.number is None or not conclusion.test:
        return ""
    tested = conclusion.test.get(f"trial-{conclusion.number:04d}", {})
    own = validation.get(f"{objective.split}/{objective.metric}")
    if own is None or objective.metric not in tested:
        return ""
    other = tested[objective.metric]
    gain = own - other if objective.direction == "maximize" else other - own
    word = "better" if gain >= 0 else "worse"
    return (
        f"Optimism: {objective.metric} {own:.4g} on validation, {other:.4g} on test: it looked {abs(gain):.2g} {word}."
    )


def _behind(candidate: Mapping[str, Any], objective: Objective) -> str:
    if candidate["difference"] is None:
        return ""
    value = candidate["difference"] if objective.direction == "maximize" else -candidate["difference"]
    error = candidate["standard_error"]
    if error is None:
        return f"{value:.2g}"
    return f"{value:.2g} ± {error:.2g}" + (", a tie" if candidate["is_tied"] else "")


def _interval(found: Mapping[str, float] | None) -> str:
    return "-" if found is None else f"{found['low']:.4g} .. {found['high']:.4g}"


def _number(value: float | None, spell: str = ".4g") -> str:
    return "-" if value is None else format(value, spell)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
