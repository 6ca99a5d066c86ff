"""Faults to plant in clean splits: what is planted, who must see it, and how bad it must be found."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edits import edited
from sets import DataSet, Splits

from ftsweep.domain.finding import Severity

CLASSES = ("pydocs", "tweet_emotion")
LEAKABLE = (*CLASSES, "medquad")
TAGGED = ("pydocs tags", "wnut17")
ANSWERED = ("pydocs answers", "medquad")
NUM_MASKED = 5


@dataclass(frozen=True)
class Planted:
    """Splits with a fault in them; `rows` are the held-out rows of validation that leak, where that is the fault."""

    splits: Splits
    rows: frozenset[int] = frozenset()
    group: str | None = None
    max_length: int | None = None
    """Encode with this length, to see what is cut."""


@dataclass(frozen=True)
class Fault:
    name: str
    guard: str
    expected: Severity
    sets: tuple[str, ...]
    plant: Callable[[DataSet, int], Planted]


def _leak(
    rate: float,
    make: Callable[[dict[str, Any], DataSet, list[str], random.Random], dict[str, Any]],
    *,
    least_words: int = 0,
) -> Callable[[DataSet, int], Planted]:
    def plant(data: DataSet, seed: int) -> Planted:
        splits, chance = data.splits(seed), random.Random(seed)
        fits = [place for place, row in enumerate(splits["validation"]) if len(_text(row, data).split()) >= least_words]
        chosen = sorted(chance.sample(fits, math.ceil(rate * len(splits["validation"]))))
        others = [word for row in chance.sample(splits["train"], 200) for word in _text(row, data).split()]
        leaked = [make(splits["validation"][place], data, others, chance) for place in chosen]
        return Planted({**splits, "train": _mixed(splits["train"], leaked, chance)}, frozenset(chosen))

    return plant


def _text(row: dict[str, Any], data: DataSet) -> str:
    return " ".join(str(row[column]) for column in data.columns if column in ("text", "prompt", "completion"))


def _exact(row: dict[str, Any], data: DataSet, others: list[str], chance: random.Random) -> dict[str, Any]:
    return dict(row)


def _normalised(row: dict[str, Any], data: DataSet, others: list[str], chance: random.Random) -> dict[str, Any]:
    column = data.columns[0]
    return {**row, column: f" {row[column].swapcase()} !!"}


def _near(kind: str) -> Callable[..., dict[str, Any]]:
    def make(row: dict[str, Any], data: DataSet, others: list[str], chance: random.Random) -> dict[str, Any]:
        written = [column for column in data.columns if column != "label"]
        return {**row, **{column: edited(row[column], kind, others, chance) for column in written}}

    return make


def _passage(row: dict[str, Any], data: DataSet, others: list[str], chance: random.Random) -> dict[str, Any]:
    """Another row around 70 % of this one's words, taken as they stand."""
    column = data.columns[-1] if "completion" in data.columns else data.columns[0]
    words = row[column].split()
    start = chance.randrange(max(1, math.ceil(0.3 * len(words))))
    passage = " ".join(words[start : start + math.ceil(0.7 * len(words))])
    around = [" ".join(chance.choice(others) for _ in range(len(words))) for _ in range(2)]
    longer = {**row, column: f"{around[0]} {passage} {around[1]}"}
    return longer if column == "text" else {**longer, "prompt": " ".join(chance.choice(others) for _ in range(12))}


def _group(rate: float) -> Callable[[DataSet, int], Planted]:
    def plant(data: DataSet, seed: int) -> Planted:
        splits, chance = data.splits(seed), random.Random(seed)
        grouped = {
            name: [{**row, "owner": f"{name} {place // 3}"} for place, row in enumerate(rows)]
            for name, rows in splits.items()
        }
        chosen = sorted(chance.sample(range(len(grouped["validation"])), math.ceil(rate * len(grouped["validation"]))))
        for place in chosen:
            grouped["validation"][place]["owner"] = f"train {chance.randrange(len(splits['train']) // 3)}"
        return Planted(grouped, frozenset(chosen), "owner")

    return plant


def _in_train(
    change: Callable[[list[dict[str, Any]], random.Random], list[dict[str, Any]]],
) -> Callable[[DataSet, int], Planted]:
    def plant(data: DataSet, seed: int) -> Planted:
        splits, chance = data.splits(seed), random.Random(seed)
        return Planted({**splits, "train": change(splits["train"], chance)})

    return plant


def _mixed(rows: list[dict[str, Any]], more: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    together = [*rows, *more]
    chance.shuffle(together)
    return together


def _repeated(share: float) -> Callable[..., list[dict[str, Any]]]:
    return lambda rows, chance: _mixed(rows, chance.sample(rows, math.ceil(share / (1 - share) * len(rows))), chance)


def _conflicting(rows: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    labels = sorted({row["label"] for row in rows})
    chosen = chance.sample(rows, math.ceil(0.01 * len(rows)))
    return _mixed(
        rows,
        [{**row, "label": chance.choice([each for each in labels if each != row["label"]])} for row in chosen],
        chance,
    )


def flipped(share: float) -> Callable[..., list[dict[str, Any]]]:
    def change(rows: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
        labels = sorted({row["label"] for row in rows})
        wrong = set(chance.sample(range(len(rows)), round(share * len(rows))))
        return [
            {**row, "label": chance.choice([each for each in labels if each != row["label"]])}
            if place in wrong
            else row
            for place, row in enumerate(rows)
        ]

    return change


def _bad(share: float, row: dict[str, Any]) -> Callable[..., list[dict[str, Any]]]:
    return lambda rows, chance: _mixed(rows, [dict(row)] * math.ceil(share / (1 - share) * len(rows) + 1), chance)


def _lopsided(rows: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    (_, most), *_ = counts = Counter(row["label"] for row in rows).most_common()
    rare = counts[-1][0]
    kept = set(chance.sample([place for place, row in enumerate(rows) if row["label"] == rare], max(1, most // 20)))
    return [row for place, row in enumerate(rows) if row["label"] != rare or place in kept]


def _broken_tags(rows: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    kinds = sorted({tag[2:] for row in rows for tag in row["tags"] if tag != "O"})
    chosen = set(chance.sample(range(len(rows)), math.ceil(0.02 * len(rows))))
    return [
        {**row, "tags": ["O"] * (len(row["tags"]) - 1) + [f"I-{kinds[0]}"]}
        if place in chosen and len(row["tags"]) > 1
        else row
        for place, row in enumerate(rows)
    ]


def _few(num: int) -> Callable[[DataSet, int], Planted]:
    def plant(data: DataSet, seed: int) -> Planted:
        splits = data.splits(seed)
        return Planted({**splits, "validation": splits["validation"][:num]})

    return plant


def _chats(data: DataSet, seed: int) -> Planted:
    splits, chance = data.splits(seed), random.Random(seed)
    chats = {
        name: [
            {
                "messages": [
                    {"role": "user", "content": row["prompt"]},
                    {"role": "assistant", "content": row["completion"]},
                ]
            }
            for row in rows
        ]
        for name, rows in splits.items()
    }
    for place in chance.sample(range(len(chats["train"])), math.ceil(0.02 * len(chats["train"]))):
        messages = chats["train"][place]["messages"]
        chats["train"][place] = {
            "messages": chance.choice([messages[::-1], [messages[0], {**messages[1], "content": " "}]])
        }
    return Planted(chats, max_length=512)


def _answers_inside(data: DataSet, seed: int) -> Planted:
    splits, chance = data.splits(seed), random.Random(seed)
    chosen = set(chance.sample(range(len(splits["train"])), math.ceil(0.05 * len(splits["train"]))))
    rows = [
        {**row, "prompt": f"{row['prompt']} {row['completion']}"} if place in chosen else row
        for place, row in enumerate(splits["train"])
    ]
    return Planted({**splits, "train": rows})


def _cut(data: DataSet, seed: int) -> Planted:
    """Answers longer than a tenth of them fit: encoded with a length that cuts some 10 %."""
    lengths = sorted(len(_text(row, data)) for row in data.splits(seed)["train"])
    return Planted(data.splits(seed), max_length=max(16, lengths[int(0.85 * len(lengths))] // 4))


def _masked(data: DataSet, seed: int) -> Planted:
    """Five rows that are one entity, longer than the length that they are encoded with: no tag of it can be learned."""
    splits, chance = data.splits(seed), random.Random(seed)
    kind = next(tag[2:] for row in splits["train"] for tag in row["tags"] if tag != "O")
    words = [word for row in chance.sample(splits["train"], 50) for word in row["tokens"]]
    rows = [
        {"tokens": chance.choices(words, k=200), "tags": [f"B-{kind}", *[f"I-{kind}"] * 199]} for _ in range(NUM_MASKED)
    ]
    return Planted({**splits, "train": _mixed(splits["train"], rows, chance)}, max_length=128)


W, R = Severity.WARN, Severity.REFUSE
FAULTS = (
    Fault("exact leak, 1 %", "exact_copies", R, LEAKABLE, _leak(0.01, _exact)),
    Fault("exact leak, 5 %", "exact_copies", R, LEAKABLE, _leak(0.05, _exact)),
    Fault("normalised leak, 1 %", "normalised_copies", R, LEAKABLE, _leak(0.01, _normalised)),
    Fault("normalised leak, 5 %", "normalised_copies", R, LEAKABLE, _leak(0.05, _normalised)),
    Fault(
        "near-duplicates, 10 % of words substituted, 1 %",
        "near_duplicates",
        W,
        LEAKABLE,
        _leak(0.01, _near("substituted")),
    ),
    Fault(
        "near-duplicates, 10 % of words substituted, 5 %",
        "near_duplicates",
        R,
        LEAKABLE,
        _leak(0.05, _near("substituted")),
    ),
    Fault("near-duplicates, 10 % mixed edits, 1 %", "near_duplicates", W, LEAKABLE, _leak(0.01, _near("mixed"))),
    Fault("near-duplicates, 10 % mixed edits, 5 %", "near_duplicates", R, LEAKABLE, _leak(0.05, _near("mixed"))),
    Fault(
        "passages of 70 % in other rows, 1 %",
        "shared_passages",
        Severity.NOTE,
        LEAKABLE,
        _leak(0.01, _passage, least_words=24),
    ),
    Fault("passages of 70 % in other rows, 5 %", "shared_passages", W, LEAKABLE, _leak(0.05, _passage, least_words=24)),
    Fault("passages of 70 % in other rows, 8 %", "shared_passages", R, LEAKABLE, _leak(0.08, _passage, least_words=24)),
    Fault("shared group, 1 %", "shared_groups", R, LEAKABLE, _group(0.01)),
    Fault("shared group, 5 %", "shared_groups", R, LEAKABLE, _group(0.05)),
    Fault("answers in the prompt, 5 % of train", "target_in_input", W, ANSWERED, _answers_inside),
    Fault("repeated train rows, 5 %", "repeated_rows", W, LEAKABLE, _in_train(_repeated(0.05))),
    Fault("repeated train rows, 25 %", "repeated_rows", R, LEAKABLE, _in_train(_repeated(0.25))),
    Fault("conflicting labels, 2 %", "conflicting_labels", W, CLASSES, _in_train(_conflicting)),
    Fault("flipped labels, 5 %", "label_errors", W, CLASSES, _in_train(flipped(0.05))),
    Fault("flipped labels, 15 %", "label_errors", W, CLASSES, _in_train(flipped(0.15))),
    Fault("unreadable lines, 0.5 %", "unusable_rows", W, LEAKABLE, _in_train(_bad(0.005, {"unreadable": "not JSON"}))),
    Fault("unreadable lines, 2 %", "unusable_rows", R, LEAKABLE, _in_train(_bad(0.02, {"unreadable": "not JSON"}))),
    Fault("empty rows, 0.5 %", "unusable_rows", W, LEAKABLE, _in_train(_bad(0.005, {}))),
    Fault("empty rows, 2 %", "unusable_rows", R, LEAKABLE, _in_train(_bad(0.02, {}))),
    Fault("chat turns out of order or empty, 2 %", "chat_turns", R, ANSWERED, _chats),
    Fault("answers cut, about 10 %", "cut_targets", R, ANSWERED, _cut),
    Fault(f"rows without a label left, {NUM_MASKED} rows", "unsupervised_rows", R, TAGGED, _masked),
    Fault("invalid BIO, 2 %", "invalid_tags", R, TAGGED, _in_train(_broken_tags)),
    Fault("class imbalance, 20:1", "class_imbalance", W, CLASSES, _in_train(_lopsided)),
    Fault("120 validation rows", "small_data", W, LEAKABLE, _few(120)),
    Fault("40 validation rows", "small_data", R, LEAKABLE, _few(40)),
)
