"""Answers in the terminal: row by row what was asked, expected, and what each model said."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ftsweep.cli.console import print_line
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number
from ftsweep.report.answers import ModelAnswers, cut, marked, parting_rows, telling_rows, told_score

_MAX_CHARACTERS = 400


def print_telling_answers(console: Console, models: Sequence[ModelAnswers], objective: Objective) -> None:
    """The rows that the last of the models answered worst and best."""
    metric = told_score(models, objective)
    worst, best = telling_rows(models, metric)
    for rows, how in ((worst, "worst"), (best, "best")):
        if rows:
            print_line(console, f"\nAnswered {how}, by {metric}:", "bold")
            print_answers(console, models, rows, metric)


def print_parting_answers(console: Console, models: Sequence[ModelAnswers], objective: Objective) -> None:
    """The rows that the models answered most differently; nothing where they were not asked the same."""
    metric = told_score(models, objective)
    if rows := parting_rows(models, metric):
        print_line(console, f"\nAnswered most differently, by {metric}:", "bold")
        print_answers(console, models, rows, metric)


def print_answers(console: Console, models: Sequence[ModelAnswers], rows: Sequence[int], metric: str) -> None:
    """These rows, which all of the models answered, with their score by `metric`."""
    names = [f"{each.label}, rung {each.rung}" if each.rung else each.label for each in models]
    width = max(len(name) for name in [*names, "expected"])
    for row in rows:
        own = [each.by_row[row] for each in models]
        print_line(console, f"row {row}", "bold")
        _print(console, "prompt", own[0].prompt, width)
        _print(console, "expected", own[0].expected, width)
        for name, sample in zip(names, own, strict=True):
            score = f"  ({metric} {number(sample.scores[metric])})" if metric in sample.scores else ""
            _print(console, name, sample.answer, width, score, sample.expected)


def _print(console: Console, name: str, text: str, width: int, score: str = "", expected: str = "") -> None:
    """A line; words of the text that are expected, too, are green."""
    line = Text()
    line.append(f"  {name:<{width}}  ", style="dim")
    for piece, is_marked in marked(cut(text, _MAX_CHARACTERS), expected):
        line.append(visible(piece), style="green" if is_marked else "")
    line.append(score, style="dim")
    console.print(line, soft_wrap=True)


def visible(text: str) -> str:
    """The text in one line, without anything that a terminal would obey."""
    return "".join(each if each.isprintable() else _sign(each) for each in text)


def _sign(character: str) -> str:
    return "⏎" if character == "\n" else " " if character == "\t" else f"\\x{ord(character):02x}"
