"""From a source's rows to train, validation and test: unusable rows out, missing splits made, overlaps reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ftsweep.data import findings
from ftsweep.data.base import SPLITS, DataSource, Row, TaskEncoding
from ftsweep.data.duplicates import InputKeys, input_keys
from ftsweep.data.splits import make_splits
from ftsweep.domain.finding import Finding
from ftsweep.errors import DataError

SplitRows = dict[str, list[Row]]


@dataclass(frozen=True)
class Split:
    """The three splits (test may be absent), who made each (`named` or `ftsweep`), and what was found on the way."""

    rows: SplitRows
    source: dict[str, str]
    findings: list[Finding] = field(default_factory=list)


def split_rows(loaded: Mapping[str, list[Row]], source: DataSource, task: TaskEncoding, *, seed: int) -> Split:
    """Every usable row in exactly one split.

    Raises:
        DataError: more than 1 % of the rows cannot be used, or a split would be empty.
    """
    found: list[Finding] = []
    rows = _usable(loaded, task, found)
    keys = _keys(rows, task, found)
    fractions = _missing(rows, source)
    origin = dict.fromkeys(rows, "named")
    if fractions:
        rows, keys = _divide(rows, keys, fractions, source.group, task, seed, found)
        origin |= dict.fromkeys(fractions, "ftsweep")
    rows = {name: rows[name] for name in SPLITS if name in rows}
    found += findings.overlaps(rows, keys)
    if source.group is not None:
        found += findings.group_overlaps(rows, source.group)
    if len(rows["validation"]) < findings.FEW_VALIDATION_ROWS:
        fraction = source.validation_fraction if origin["validation"] == "ftsweep" else None
        found.append(findings.few_validation_rows(len(rows["validation"]), fraction))
    return Split(rows, {name: origin[name] for name in rows}, found)


def refuse_unusable(dropped: list[tuple[Row, str]], num_rows: int, split: str) -> None:
    """Raise when so many rows cannot be used that something is wrong with all of them."""
    if len(dropped) <= findings.MAX_UNUSABLE_RATE * num_rows:
        return
    raise DataError(
        f"{len(dropped)} of {num_rows} rows cannot be used: {describe(dropped)}",
        where=f"the {split} rows",
        remedy=f"Mend or remove them: up to {findings.MAX_UNUSABLE_RATE:.0%} are left out with a warning, not more.",
    )


def describe(bad: list[tuple[Row, str]]) -> str:
    """The first few rows with what is wrong with each."""
    shown = "; ".join(f"{row.place} ({reason})" for row, reason in bad[: findings.NUM_EXAMPLES])
    return shown + (f"; and {len(bad) - findings.NUM_EXAMPLES} more" if len(bad) > findings.NUM_EXAMPLES else "")


def _usable(loaded: Mapping[str, list[Row]], task: TaskEncoding, found: list[Finding]) -> SplitRows:
    """Rows with an input and, where the data has targets at all, with a target."""
    targets = [_text_or_error(task, "target_text", row) for row in loaded["train"]]
    has_targets = any(isinstance(target, str) and target.strip() for target in targets)
    kept: SplitRows = {}
    for name, rows in loaded.items():
        reasons = [_unusable_reason(row, task, has_targets) for row in rows]
        dropped = [(row, reason) for row, reason in zip(rows, reasons, strict=True) if reason is not None]
        if dropped:
            refuse_unusable(dropped, len(rows), name)
            found.append(findings.unusable(dropped, len(rows), name))
        kept[name] = [row for row, reason in zip(rows, reasons, strict=True) if reason is None]
        if not kept[name]:
            raise DataError(f"the {name} split has no rows", where="data", remedy="Bring rows, or leave the split out.")
    return kept


def _unusable_reason(row: Row, task: TaskEncoding, has_targets: bool) -> str | None:
    for method, what in (("input_text", "no input"), ("target_text", "no usable target")):
        text = _text_or_error(task, method, row)
        if isinstance(text, ValueError):
            return str(text)
        if not text.strip() and (has_targets or method == "input_text"):
            return what
    return None


def _text_or_error(task: TaskEncoding, method: str, row: Row) -> str | ValueError:
    try:
        text: str = getattr(task, method)(row.values)
    except ValueError as error:  # a RowError: this row, not the program
        return error
    return text


def _keys(rows: SplitRows, task: TaskEncoding, found: list[Finding]) -> dict[str, InputKeys]:
    """Input keys by split, made over all rows at once: what counts as a template must be the same everywhere."""
    together = input_keys([task.input_text(row.values) for members in rows.values() for row in members])
    if together.num_templated:
        found.append(findings.templated(len(together.exact), together.num_templated))
    keys, begin = {}, 0
    for name, members in rows.items():
        end = begin + len(members)
        keys[name] = together.of(range(begin, end))
        begin = end
    return keys


def _missing(rows: SplitRows, source: DataSource) -> dict[str, float]:
    """The splits that ftsweep takes from train, train first, with their shares; empty when all are named."""
    if "validation" in rows:
        return {}
    test_fraction = 0.0 if "test" in rows else source.test_fraction
    fractions = {"train": 1 - source.validation_fraction - test_fraction, "validation": source.validation_fraction}
    return fractions | ({"test": test_fraction} if test_fraction > 0 else {})


def _divide(
    rows: SplitRows,
    keys: dict[str, InputKeys],
    fractions: dict[str, float],
    group: str | None,
    task: TaskEncoding,
    seed: int,
    found: list[Finding],
) -> tuple[SplitRows, dict[str, InputKeys]]:
    members, own = rows["train"], keys["train"]
    links: list[list[bytes] | list[str | None]] = [own.normalised, [findings.group_key(row, group) for row in members]]
    parts = make_splits(
        strata=[task.stratum(row.values) for row in members], links=links, fractions=fractions, seed=seed
    )
    rows, keys = dict(rows), dict(keys)
    for name, indices in parts.items():
        rows[name] = [members[index] for index in indices]
        keys[name] = own.of(indices)
        asked = fractions[name] * len(members)
        if len(indices) < findings.SHORT_OF_SHARE * asked:
            found.append(findings.short_split(name, len(indices), asked))
    return rows, keys
