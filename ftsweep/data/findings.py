"""What preparing a data set shows of it, as findings. Thresholds: docs, methods, "Leakage" and "Data quality"."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from ftsweep.data.base import Row
from ftsweep.data.duplicates import InputKeys, num_repeated
from ftsweep.domain.finding import Finding, Severity

NUM_EXAMPLES = 5
"""Places that one finding names."""

MAX_UNUSABLE_RATE = 0.01
FEW_VALIDATION_ROWS = 200
LARGER_FRACTION = 0.2  # of the rows for validation, where that is too small
REPEATED_RATE = 0.02
INPUTS_CUT_RATE = 0.05
TARGETS_CUT_RATE = 0.01
SHORT_OF_SHARE = 0.5


def places(rows: Sequence[Row]) -> tuple[str, ...]:
    """Where the first few rows are."""
    return tuple(row.place for row in rows[:NUM_EXAMPLES])


def unusable(dropped: Sequence[tuple[Row, str]], num_rows: int, split: str) -> Finding:
    """Rows left out because nothing could be learned or measured from them."""
    return Finding(
        check="unusable_rows",
        severity=Severity.WARN,
        message=f"{len(dropped)} of {num_rows} rows of {split} cannot be used and are left out ({dropped[0][1]})",
        count=len(dropped),
        rate=len(dropped) / num_rows,
        examples=places([row for row, _ in dropped]),
        remedy="Mend or remove them in the source.",
    )


def overlaps(rows: Mapping[str, Sequence[Row]], keys: Mapping[str, InputKeys]) -> list[Finding]:
    """Held-out rows whose input stands in train too, exactly and normalised; and inputs that repeat inside train."""
    found: list[Finding] = []
    for split in [name for name in rows if name != "train"]:
        exact = _shared(rows[split], keys[split].exact, keys["train"].exact)
        either = _shared(rows[split], keys[split].normalised, keys["train"].normalised)
        exact_places = {id(row) for row in exact}
        only_normalised = [row for row in either if id(row) not in exact_places]
        for check, how, shared in (
            ("leak_exact", "stands in train too", exact),
            (
                "leak_normalised",
                "stands in train too but for case, digits, punctuation, users or links",
                only_normalised,
            ),
        ):
            if shared:
                found.append(_leak(check, split, shared, len(rows[split]), f"whose input {how}"))
    num_train = len(rows["train"])
    repeated = num_repeated(keys["train"].normalised)
    if repeated:
        rate = repeated / num_train
        found.append(
            Finding(
                check="repeated_inputs",
                severity=Severity.WARN if rate > REPEATED_RATE else Severity.NOTE,
                message=f"{repeated} of {num_train} train rows repeat an earlier one's input, exactly or normalised",
                count=repeated,
                rate=rate,
                examples=places(_later_copies(rows["train"], keys["train"].normalised)),
                remedy="Repeated rows weigh more in training; remove copies that are not meant.",
            )
        )
    return found


def group_overlaps(rows: Mapping[str, Sequence[Row]], group: str) -> list[Finding]:
    """Held-out rows whose declared group has rows in train."""
    keys = {split: [group_key(row, group) for row in members] for split, members in rows.items()}
    found = []
    for split in [name for name in rows if name != "train"]:
        shared = _shared(rows[split], keys[split], keys["train"])
        if shared:
            found.append(_leak("leak_group", split, shared, len(rows[split]), f"whose {group} has rows in train"))
    return found


def group_key(row: Row, group: str | None) -> str | None:
    """The row's group; None when it has none, so that it is tied to no other row."""
    value = row.values.get(group) if group is not None else None
    return None if value is None or value == "" else str(value)


def templated(num_rows: int, num_templated: int) -> Finding:
    return Finding(
        check="templated_inputs",
        severity=Severity.NOTE,
        message=f"{num_templated} of {num_rows} rows differ from very many others only in case, digits, punctuation, "
        "users or links; they count as a template, not as copies, and only equal inputs are kept together",
        count=num_templated,
        rate=num_templated / num_rows,
    )


def few_validation_rows(num_rows: int, fraction: float | None) -> Finding:
    """`fraction` is the share that ftsweep took for validation; None when the user named the split."""
    larger = None if fraction is None or fraction >= LARGER_FRACTION else f"data.validation_fraction={LARGER_FRACTION}"
    return Finding(
        check="few_validation_rows",
        severity=Severity.WARN,
        message=f"validation has {num_rows} rows; with fewer than {FEW_VALIDATION_ROWS} trials differ by chance",
        count=num_rows,
        remedy="Bring more rows or take a larger share." if larger else "Bring more rows.",
        override=larger or "",
    )


def short_split(split: str, num_rows: int, asked: float) -> Finding:
    return Finding(
        check="short_split",
        severity=Severity.WARN,
        message=f"{split} has {num_rows} rows, far from the {asked:.0f} asked for: groups or copies cannot be divided",
        count=num_rows,
        remedy="Use a finer data.group, or name the splits' files yourself.",
    )


def cut(check: str, rows: Sequence[Row], num_rows: int, max_length: int | None) -> Finding:
    """Examples that max_length cut: `inputs_cut` or `targets_cut`."""
    limit = INPUTS_CUT_RATE if check == "inputs_cut" else TARGETS_CUT_RATE
    rate = len(rows) / num_rows
    what = "inputs" if check == "inputs_cut" else "targets"
    longer = "" if max_length is None else f"task.max_length={2 * max_length}"
    return Finding(
        check=check,
        severity=Severity.WARN if rate > limit else Severity.NOTE,
        message=f"{len(rows)} of {num_rows} {what} ({rate:.1%}) are cut by max_length",
        count=len(rows),
        rate=rate,
        examples=places(rows),
        remedy="Raise task.max_length, if the model takes it.",
        override=longer,
    )


def _leak(check: str, split: str, shared: Sequence[Row], num_rows: int, how: str) -> Finding:
    return Finding(
        check=check,
        severity=Severity.WARN,
        message=f"{split} has {len(shared)} of {num_rows} rows {how}",
        count=len(shared),
        rate=len(shared) / num_rows,
        examples=places(shared),
        remedy=f"Remove them from train: what is measured on {split} is too good otherwise.",
    )


def _shared(rows: Sequence[Row], keys: Sequence[Hashable], train_keys: Sequence[Hashable]) -> list[Row]:
    known = set(train_keys) - {None}
    return [row for row, key in zip(rows, keys, strict=True) if key in known]


def _later_copies(rows: Sequence[Row], keys: Sequence[bytes]) -> list[Row]:
    seen: set[bytes] = set()
    return [row for row, key in zip(rows, keys, strict=True) if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
