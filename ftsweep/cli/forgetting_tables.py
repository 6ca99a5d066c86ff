"""What trials forget, in the terminal: a column of the table of trials, sentences, and the scaling curves."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ftsweep.analysis.forgetting import forgetting_of
from ftsweep.control.conclude import Conclusion
from ftsweep.domain.objective import Objective
from ftsweep.domain.snapshot import Snapshot
from ftsweep.domain.trial import TrialRecord


def has_forgetting(snapshot: Snapshot) -> bool:
    """Whether forgetting is measured at the rungs of this study."""
    return any(forgetting_of(record.measurements[-1]) is not None for record in snapshot.trials if record.measurements)


def forgetting_cell(snapshot: Snapshot, record: TrialRecord) -> Text:
    """What the trial has forgotten at its best rung, in red where that is over the limit."""
    best = snapshot.objective.best(record.measurements)
    value = forgetting_of(best)
    if best is None or value is None:
        return Text("-")
    return Text(f"{value:.3f}") if best.is_feasible else Text(f"{value:.3f} over", style="red")


def scaling_table(conclusion: Conclusion, objective: Objective) -> Table | None:
    """Skill and forgetting of trials whose trained change was made smaller; None where nothing was scaled."""
    points = conclusion.forgetting.get("scaling", [])
    if not points:
        return None
    title = "scaled from the base (0) to the trial (1)"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("trial", "scale", objective.key, "forgetting"):
        table.add_column(name, justify="right")
    suggested = conclusion.forgetting.get("suggestion") or {}
    limit = conclusion.forgetting.get("limit")
    for point in points:
        is_suggested = (point["trial"], point["scale"]) == (suggested.get("trial"), suggested.get("scale"))
        over = " over" if limit is not None and point["forgetting"] > limit else ""
        table.add_row(
            str(point["trial"]),
            f"{point['scale']:g}" + ("*" if is_suggested else ""),
            f"{point['value']:.4g}",
            f"{point['forgetting']:.3f}{over}",
            style="bold" if is_suggested else "",
        )
    return table
