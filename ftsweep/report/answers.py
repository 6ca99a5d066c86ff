"""What models of a study answered on the same rows, side by side. All texts come from outside: whoever shows them
escapes them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import groupby
from typing import Any

from ftsweep.domain.objective import Objective
from ftsweep.domain.sample import Sample
from ftsweep.domain.spelling import number, plural
from ftsweep.report.tables.table import Cell, Row, Table, columns
from ftsweep.store.folders import StudyFolder, TrialFolder
from ftsweep.store.samples import read_samples, rung_name, sampled_rungs

NUM_SHOWN = 3
"""So many of the worst rows, and of the best."""

_JUDGE = "judge/"

MAX_CHARACTERS = 600
"""Of a text in a table; a longer one loses its middle."""


@dataclass(frozen=True)
class ModelAnswers:
    """What one model answered at a rung."""

    label: str
    rung: int
    samples: Sequence[Sample]

    @cached_property
    def by_row(self) -> Mapping[int, Sample]:
        return {sample.row: sample for sample in self.samples}


def trial_answers(folder: StudyFolder, numbers: Sequence[int], objective: Objective) -> list[ModelAnswers]:
    """Of these trials, in this order, each at its best rung; without trials that were never asked."""
    found = [_at_best(folder.trial(each), f"trial {each}", objective) for each in dict.fromkeys(numbers)]
    return [each for each in found if each is not None]


def model_answers(folder: TrialFolder, label: str, objective: Objective) -> ModelAnswers | None:
    """Of a run that lies in this folder, at its best rung; None where it was never asked."""
    return _at_best(folder, label, objective)


def base_answers(folder: StudyFolder, branch: str, objective: Objective) -> ModelAnswers | None:
    """Of the untouched base of a branch; None where it was not asked."""
    return _at_best(folder.baseline(branch or "main"), "untouched base", objective)


def telling_rows(models: Sequence[ModelAnswers], metric: str, *, num: int = NUM_SHOWN) -> tuple[list[int], list[int]]:
    """The rows that the last of the models answered worst, and those that it answered best, by a score of answers.

    Rows of every model only, each named once; the worst and the best come first.
    """
    if not models:
        return [], []
    last = models[-1].by_row
    rows = [row for row in last if all(row in each.by_row for each in models) and metric in last[row].scores]
    ranked = sorted(rows, key=lambda row: (last[row].scores[metric], row))
    worst = ranked[:num]
    return worst, [row for row in reversed(ranked) if row not in worst][:num]


def parting_rows(models: Sequence[ModelAnswers], metric: str, *, num: int = NUM_SHOWN) -> list[int]:
    """The rows of all models that they answered most differently by a score, the furthest apart first.

    Of models of several studies a row is the same where its prompt is.
    """
    if len(models) < 2:
        return []
    spreads = {}
    for row, sample in models[0].by_row.items():
        own = [each.by_row[row] for each in models if row in each.by_row]
        is_same = len(own) == len(models) and all(each.prompt == sample.prompt for each in own)
        if is_same and all(metric in each.scores for each in own) and len({each.answer for each in own}) > 1:
            spreads[row] = max(each.scores[metric] for each in own) - min(each.scores[metric] for each in own)
    return sorted(spreads, key=lambda row: (-spreads[row], row))[:num]


def told_score(models: Sequence[ModelAnswers], objective: Objective) -> str:
    """The score by which rows are ordered: the objective where it is one, else the task's best known one; "" without
    any."""
    found = [name for each in models[-1:] for sample in each.samples[:1] for name in sample.scores]
    if objective.metric in found:
        return objective.metric
    return next((name for name in objective.metrics if name in found), next(iter(found), ""))


def judged_cost(extras: Iterable[Mapping[str, Any]]) -> str:
    """What a judge has cost over trials, whose outcomes' `extra` these are, as a sentence; "" where none says."""
    totals: Counter[str] = Counter()
    num_judged = 0
    for extra in extras:
        told = {key: value for key, value in extra.get("metrics", {}).items() if key.startswith(_JUDGE)}
        num_judged += bool(told)
        totals.update(told)
    listed = " and ".join(f"{value:,.0f} {key.removeprefix(_JUDGE)}" for key, value in totals.items())
    return f"The judge cost {listed} in {plural(num_judged, 'trial')} of the search." if listed else ""


def answer_table(models: Sequence[ModelAnswers], rows: Sequence[int], metric: str, title: str) -> Table | None:
    """A line per row: what was asked and expected, then each model's answer with its score; None without rows."""
    if not rows:
        return None
    names = [each.label for each in models]
    lines = [_line(models, row, metric) for row in rows]
    heads = columns("row", "prompt", "expected", *names, text=["prompt", "expected", *names])
    return Table(heads, tuple(lines), title=title, note=title)


def cut(text: str, most: int = MAX_CHARACTERS) -> str:
    """The text, without its middle where it is too long."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} … {text[-half:]}"


def marked(answer: str, expected: str) -> tuple[tuple[str, bool], ...]:
    """The answer in pieces, each with whether its words stand in the expected text, too, in the same order.

    Words are compared without case, by the longest runs that both have.
    """
    pieces = re.findall(r"\w+|\W+", answer)
    places = [place for place, piece in enumerate(pieces) if piece[0].isalnum() or piece[0] == "_"]
    own = [pieces[place].casefold() for place in places]
    wanted = [word.casefold() for word in re.findall(r"\w+", expected)]
    blocks = SequenceMatcher(None, own, wanted, autojunk=False).get_matching_blocks()
    shared = {places[at] for block in blocks for at in range(block.a, block.a + block.size)}
    runs = groupby(enumerate(pieces), key=lambda each: _is_shared(each[0], shared))
    return tuple(("".join(piece for _, piece in run), is_shared) for is_shared, run in runs)


def _is_shared(place: int, shared: set[int]) -> bool:
    """Whether a piece is a shared word, or stands between two of them."""
    return place in shared or {place - 1, place + 1} <= shared


def is_expected(sample: Sample) -> bool:
    """Whether the answer is what was expected, but for white space."""
    return sample.answer.split() == sample.expected.split()


def _line(models: Sequence[ModelAnswers], row: int, metric: str) -> Row:
    first, *_ = own = [each.by_row[row] for each in models]
    cells = [Cell(f"{row}", row), Cell(cut(first.prompt)), Cell(cut(first.expected))]
    for place, sample in enumerate(own):
        value = sample.scores.get(metric, math.nan)
        earlier = next((models[at].label for at in range(place) if own[at].answer == sample.answer), None)
        tags = [number(value), *["as expected"] * is_expected(sample), *([f"as {earlier}"] if earlier else [])]
        text = cut(sample.answer)
        cells.append(Cell(text, tags=tuple(tags), pieces=marked(text, sample.expected)))
    return Row(tuple(cells))


def _at_best(folder: TrialFolder, label: str, objective: Objective) -> ModelAnswers | None:
    rungs = sampled_rungs(folder.path)
    best = objective.best(folder.measurements())
    if not rungs:
        return None
    rung = best.rung if best is not None and best.rung in rungs else rungs[-1]
    return ModelAnswers(label, rung, read_samples(folder.path, rung_name(rung)))
