"""The settings that were run again with fresh seeds."""

from __future__ import annotations

from ftsweep.domain.answers import Lead, RacedSetting
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.spelling import NOTHING, number, plural
from ftsweep.report.tables.cells import figure, words
from ftsweep.report.tables.table import Cell, Row, Table, columns, data_table

NO_VALUE = "no value"
"""What stands for a fresh run that failed, was above a limit, or ended far behind."""


def confirmation_table(result: StudyResult, objective: Objective) -> Table | None:
    """The best mean first, in 80 columns; None where nothing was run again."""
    setting = result.setting
    if setting is None:
        return None
    names = ("trial", "search", "mean", "fresh seeds", "against the default")
    runs = plural(setting.num_runs, "run")
    again = "" if any(each.is_default for each in setting.contenders) else " The default setting has no fresh seeds."
    return Table(
        columns(*names, text=["fresh seeds", "against the default"]),
        tuple(_row(each, setting.number) for each in setting.contenders),
        title=f"{objective.key} with fresh seeds{_spread(setting.spread)}",
        note=f"{runs}, {setting.share:.0%} of the search's training; ended because {setting.ended}.{again}",
        best="the setting to train again",
    )


def _spread(spread: float | None) -> str:
    """What seeds do to a setting's true value; None: of no setting there are two fresh runs."""
    if spread is None:
        return ""
    if spread == 0:
        return "; they differ by no more than the rows' chance"
    return f"; beside the rows' chance seeds make ± {number(spread, digits=2)}"


def _row(raced: RacedSetting, chosen: int) -> Row:
    label = f"{raced.number}{' (default)' if raced.is_default else ''}"
    cells = (
        Cell(label, raced.number),
        figure(raced.value),
        _mean(raced),
        words("  ".join(NO_VALUE if value is None else number(value) for value in raced.seeds)),
        words(_against(raced)),
    )
    return Row(cells, "best" if raced.number == chosen else "")


def _mean(raced: RacedSetting) -> Cell:
    """With its standard error of seeds and rows."""
    if raced.mean is None:
        return Cell("")
    return Cell(number(raced.mean) + _error(raced.standard_error), raced.mean)


def _against(raced: RacedSetting) -> str:
    """How the setting stands to the default on average."""
    lead = raced.over_default
    if lead is None:
        return NOTHING
    sized = f"{number(lead.value, digits=2)}{_error(lead.standard_error)}"
    sure = "not sure" if lead.margin is None else f"sure above {number(lead.margin, digits=2)}"
    return {"better": f"better by {sized}", "undecided": f"{sized}, {sure}"}.get(raced.standing, raced.standing)


def _error(value: float | None) -> str:
    return "" if value is None else f" ± {number(value, digits=2)}"


AGAIN = ("trial", "default", "in_search", "mean", "standard_error", "behind", "behind_error", "is_surely_behind")
OVER = ("over_default", "over_default_error", "standing", "seeds")


def confirmation_data(result: StudyResult) -> Table:
    """The same for a file."""
    return data_table(
        (*AGAIN, *OVER),
        (
            [
                each.number,
                each.is_default,
                each.value,
                each.mean,
                each.standard_error,
                *_lead_data(each.behind),
                None if each.behind is None else each.behind.is_sure,
                *_lead_data(each.over_default),
                each.standing,
                "; ".join(NO_VALUE if seed is None else repr(seed) for seed in each.seeds),
            ]
            for each in result.contenders
        ),
    )


def _lead_data(lead: Lead | None) -> tuple[float | None, float | None]:
    return (None, None) if lead is None else (lead.value, lead.standard_error)
