"""Rows into examples, and what was cut, dropped or left without anything to learn on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftsweep.data.base import Row, TaskEncoding
from ftsweep.data.encoded import EncodedRow
from ftsweep.data.likeness.alike import group_key
from ftsweep.data.splitting.splitting import describe
from ftsweep.errors import DataError

PACKED = -1
"""The row index of an example that the task yields after the last row: the rest of what it packed."""

Places = dict[str, list[int]]
"""Rows by split, each by its place in the split."""


@dataclass
class EncodingReport:
    """What encoding the splits showed."""

    num_examples: dict[str, int] = field(default_factory=dict)
    num_groups: dict[str, int] = field(default_factory=dict)
    """By split, where `data.group` is set and the task tells rows apart."""
    inputs_cut: Places = field(default_factory=lambda: defaultdict(list))
    targets_cut: Places = field(default_factory=lambda: defaultdict(list))
    unsupervised: Places = field(default_factory=lambda: defaultdict(list))
    """Examples without any label to learn or to measure."""
    dropped: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    """Rows that the task refused, with the reason."""
    unsaid: dict[str, Places] = field(default_factory=dict)
    """What of rows is not in their examples, or not as it was, by the clause that says so."""
    shown: dict[str, Any] = field(default_factory=dict)
    """The first example of train for people: `place`, `read_as`, `parts` (pairs of text and whether it is learned)."""


def encode_split(
    split: str,
    rows: Sequence[Row],
    task: TaskEncoding,
    tokenizer: Any,
    schema: Mapping[str, Any],
    report: EncodingReport,
    *,
    is_named: bool,
    group: str | None = None,
) -> Iterator[EncodedRow]:
    """Examples in the order of the task; what they show is noted in the report. Those of rows with an equal `group`
    column are a cluster, where the task tells rows apart.

    Raises:
        DataError: the task refuses a row of a held-out split that the user named (a label that train lacks): leaving
            it out would measure another split than the one named. Or there is no example at all.
    """
    num_results, clusters = 0, _clusters(rows, group)
    if group is not None and not task.mixes_rows:
        report.num_groups[split] = len(set(clusters))
    for index, result in enumerate(task.encode([row.values for row in rows], tokenizer, schema)):
        num_results += 1
        is_row = index < len(rows)
        if isinstance(result, ValueError) and is_row:
            report.dropped[split].append((index, str(result)))
        if result is None or isinstance(result, ValueError):
            continue
        report.num_examples[split] = report.num_examples.get(split, 0) + 1
        place = min(index, len(rows) - 1)
        _note(result, place, split, task, report)
        if split == "train" and not report.shown and task.head == "causal_lm" and task.label_shape == "token":
            report.shown = _shown(result, rows[place], task, tokenizer)
        cluster = clusters[index] if is_row and not task.mixes_rows else len(rows) + index  # one of its own
        num_bytes = getattr(result, "num_bytes", 0)
        yield EncodedRow(result.input_ids, result.labels, index if is_row else PACKED, num_bytes, cluster)
    _check(split, rows, num_results, task, report, is_named=is_named)


def _clusters(rows: Sequence[Row], group: str | None) -> list[int]:
    """Of every row the first one of its group; a row without a group is one of its own."""
    first: dict[str, int] = {}
    keys = [group_key(row, group) for row in rows]
    return [place if key is None else first.setdefault(key, place) for place, key in enumerate(keys)]


def _note(example: Any, place: int, split: str, task: TaskEncoding, report: EncodingReport) -> None:
    if getattr(example, "was_cut", False):
        report.inputs_cut[split].append(place)
    if getattr(example, "was_target_cut", False):
        report.targets_cut[split].append(place)
    for clause in getattr(example, "unsaid", ()):
        report.unsaid.setdefault(clause, defaultdict(list))[split].append(place)
    # the first token of a text has no predecessor, so that next-token prediction never learns it
    labels = example.labels[1:] if task.head == "causal_lm" else example.labels
    # classes and tokens count from 0; below are IGNORED, and MISSED, which tells of entities that were cut off
    if task.label_type == "int" and all(label < 0 for label in labels):
        report.unsupervised[split].append(place)


def _check(
    split: str, rows: Sequence[Row], num_results: int, task: TaskEncoding, report: EncodingReport, *, is_named: bool
) -> None:
    if num_results < len(rows):
        raise DataError(
            f"the task gave {num_results} results for {len(rows)} rows",
            where=f"{type(task).__name__}.encode",
            remedy="It must yield an Example, a RowError or None for every row.",
        )
    dropped = [(rows[index], reason) for index, reason in report.dropped.get(split, ())]
    if dropped and split != "train" and is_named:
        raise DataError(
            f"{len(dropped)} of {len(rows)} rows of the {split} split cannot be used: {describe(dropped)}",
            where="data",
            remedy="Mend or remove these rows, or bring train rows with their labels: none is left out silently. The "
            f"whole split is left out by data.{split}=null, where the sweep file names it.",
        )
    if not report.num_examples.get(split):
        why = f": {describe(dropped)}" if dropped else ""
        packed = "Bring more rows, or lower task.max_length if rows are packed to that length."
        mend = "Mend these rows in the source as said, or name other columns with data.columns."
        if dropped and all("the chat template" in reason for _, reason in dropped):
            mend = "It is the model's chat template that does not take them: name another model, or mend what it names."
        raise DataError(
            f"the {len(rows)} rows of the {split} split give no example{why}",
            where="data",
            remedy=mend if dropped else packed,
        )


def _shown(example: Any, row: Row, task: TaskEncoding, tokenizer: Any) -> dict[str, Any]:
    """An example as text, in runs of tokens that are learned or not; {} where tokens cannot be shown."""
    if not hasattr(tokenizer, "decode") or len(example.input_ids) != len(example.labels):
        return {}
    runs: list[tuple[bool, list[int]]] = []
    for token, label in zip(example.input_ids, example.labels, strict=True):
        is_learned = label >= 0
        if not runs or runs[-1][0] != is_learned:
            runs.append((is_learned, []))
        runs[-1][1].append(int(token))
    parts = [[tokenizer.decode(tokens), is_learned] for is_learned, tokens in runs]
    read_as = getattr(task, "read_as", lambda values: "")(row.values)
    return {"place": row.place, "read_as": read_as, "parts": parts}
