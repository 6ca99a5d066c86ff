"""The settings that were run again with fresh seeds."""

from __future__ import annotations

from ftsweep.domain.answers import Lead, RacedSetting
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.report.tables.cells import figure, words
from ftsweep.report.tables.table import Cell, Row, Table, columns, data_table
from ftsweep.report.wording import number


def confirmation_table(result: StudyResult, objective: Objective) -> Table | None:
    """The best mean first; None where nothing was run again."""
    setting = result.setting
    if setting is None:
        return None
    heads = ("setting of trial", "in the search", "mean", "± seeds and rows", "fresh seeds", "behind the best mean by")
    names = (*heads, "ahead of the default by", "on average")
    spread = "" if setting.spread is None else f", seeds alone make ± {number(setting.spread, digits=2)}"
    share = setting.train_seconds / setting.search_train_seconds if setting.search_train_seconds else 0.0
    return Table(
        columns(*names, text=["fresh seeds", "on average"]),
        tuple(_row(each, setting.number) for each in setting.contenders),
        title=f"{objective.key} again, with fresh seeds{spread}",
        note=f"{setting.num_runs} runs, {share:.0%} of the search's training time; ended because {setting.ended}.",
    )


def _row(raced: RacedSetting, chosen: int) -> Row:
    label = f"{raced.number}{' (default)' if raced.is_default else ''}"
    cells = (
        Cell(label, raced.number),
        figure(raced.value),
        figure(raced.mean),
        figure(raced.standard_error, digits=2),
        words("  ".join("failed" if value is None else number(value) for value in raced.seeds)),
        _lead(raced.behind),
        _lead(raced.over_default),
        words("" if raced.standing == "alone" else raced.standing),
    )
    return Row(cells, "best" if raced.number == chosen else "")


def _lead(lead: Lead | None) -> Cell:
    if lead is None:
        return Cell("")
    error = "" if lead.standard_error is None else f" ± {number(lead.standard_error, digits=2)}"
    return Cell(f"{number(lead.value, digits=2)}{error}{', surely' if lead.is_sure else ''}", lead.value)


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
                " ".join("failed" if seed is None else repr(seed) for seed in each.seeds),
            ]
            for each in result.contenders
        ),
    )


def _lead_data(lead: Lead | None) -> tuple[float | None, float | None]:
    return (None, None) if lead is None else (lead.value, lead.standard_error)
