"""Files as people have them, a kind each: the name, the rows, and what they are for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANIMALS = ("cat", "dog", "heron", "otter", "salmon", "badger", "magpie")
VERBS = ("watches", "follows", "avoids", "finds", "misses", "greets")
PLACES = ("river", "garden", "bridge", "meadow", "harbour", "forest", "road", "hill")
LABELS = ("calm", "angry", "happy")


def sentence(number: int) -> str:
    """A different one for each number."""
    draw = random.Random(number)
    first, second, third = draw.sample(ANIMALS, 3)
    places = draw.sample(PLACES, 2)
    verbs = draw.sample(VERBS, 2)
    return f"the {first} {verbs[0]} the {second} near the {places[0]} and {verbs[1]} the {third} at the {places[1]}"


def jsonl(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def table(names: Sequence[str], rows: Sequence[Sequence[Any]], separator: str = ",") -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in [names, *rows])


@dataclass(frozen=True)
class Kind:
    name: str
    write: Callable[[int], str]
    """The text of a file of so many rows."""
    task: str
    columns: Mapping[str, Any]


def _conll(count: int) -> str:
    return "".join(
        "".join(f"{word} {'B-ANIMAL' if word in ANIMALS else 'O'}\n" for word in sentence(number).split()) + "\n"
        for number in range(count)
    )


def _tagged(number: int) -> dict[str, Any]:
    words = sentence(number).split()
    return {"id": number, "words": words, "ner": ["B-ANIMAL" if word in ANIMALS else "O" for word in words]}


def _chat(number: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"Where is the animal of day {number}?"},
        {"role": "assistant", "content": sentence(number)},
    ]


KINDS = [
    Kind(
        "moods.csv",
        lambda n: table(["id", "tweet", "mood"], [[k, sentence(k), LABELS[k % 3]] for k in range(n)]),
        "classification",
        {"text": "tweet", "label": "mood"},
    ),
    Kind(
        "stimmungen, 2024.csv",
        lambda n: table(["Text", "Gefühl"], [[f"Größe {sentence(k)}", LABELS[k % 3]] for k in range(n)], ";"),
        "classification",
        {"text": "Text", "label": "Gefühl"},
    ),
    Kind(
        "moods.tsv",
        lambda n: table(["sentence", "label"], [[sentence(k), k % 3] for k in range(n)], "\t"),
        "classification",
        {"text": "sentence", "label": "label"},
    ),
    Kind(
        "moods.jsonl",
        lambda n: jsonl([{"text": sentence(k), "label": LABELS[k % 3]} for k in range(n)]),
        "classification",
        {"text": "text", "label": "label"},
    ),
    Kind(
        "pairs.jsonl",
        lambda n: jsonl(
            [{"premise": sentence(k), "hypothesis": sentence(k + 1), "label": LABELS[k % 3]} for k in range(n)]
        ),
        "classification",
        {"text": "premise", "text_pair": "hypothesis", "label": "label"},
    ),
    Kind(
        "topics.jsonl",
        lambda n: jsonl([{"text": sentence(k), "topics": [LABELS[k % 3], LABELS[k // 3 % 3]]} for k in range(n)]),
        "multi_label",
        {"text": "text", "labels": "topics"},
    ),
    Kind(
        "flags.csv",
        lambda n: table(
            ["comment", "rude", "long", "odd"], [[sentence(k), k % 2, k // 2 % 2, k // 4 % 2] for k in range(n)]
        ),
        "multi_label",
        {"text": "comment", "labels": ["rude", "long", "odd"]},
    ),
    Kind(
        "genres.csv",
        lambda n: table(["text", "genres"], [[sentence(k), f"{LABELS[k % 3]}|{LABELS[k // 3 % 3]}"] for k in range(n)]),
        "multi_label",
        {"text": "text", "labels": "genres"},
    ),
    Kind(
        "tags.tsv",
        lambda n: table(
            ["text", "Topics"], [[sentence(k), f"{LABELS[k % 3]}, {LABELS[k // 3 % 3]}"] for k in range(n)], "\t"
        ),
        "multi_label",
        {"text": "text", "labels": "Topics"},
    ),
    Kind(
        "prices.csv",
        lambda n: table(["text", "score"], [[sentence(k), k * 0.37 % 5] for k in range(n)]),
        "regression",
        {"text": "text", "label": "score"},
    ),
    Kind("animals.conll", _conll, "token_classification", {"tokens": "tokens", "tags": "tags"}),
    Kind(
        "animals.jsonl",
        lambda n: jsonl([_tagged(k) for k in range(n)]),
        "token_classification",
        {"tokens": "words", "tags": "ner"},
    ),
    Kind(
        "answers.jsonl",
        lambda n: jsonl([{"question": f"Where, day {k}?", "answer": sentence(k)} for k in range(n)]),
        "instruction",
        {"prompt": "question", "completion": "answer"},
    ),
    Kind(
        "chat.jsonl",
        lambda n: jsonl([{"messages": _chat(k)} for k in range(n)]),
        "instruction",
        {"messages": "messages"},
    ),
    Kind(
        "dialogues.jsonl",
        lambda n: jsonl(
            [
                {"turns": [{"from": "human", "value": f"Day {k}?"}, {"from": "gpt", "value": sentence(k)}]}
                for k in range(n)
            ]
        ),
        "instruction",
        {"conversations": "turns"},
    ),
    Kind(
        "orders.jsonl",
        lambda n: jsonl(
            [{"instruction": f"Tell of day {k}.", "input": f"place {k % 2}", "output": sentence(k)} for k in range(n)]
        ),
        "instruction",
        {"instruction": "instruction", "input": "input", "output": "output"},
    ),
    Kind(
        "better.jsonl",
        lambda n: jsonl(
            [{"prompt": f"Day {k}?", "chosen": sentence(k), "rejected": sentence(k + 1)} for k in range(n)]
        ),
        "preference",
        {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
    ),
    Kind(
        "better_chats.jsonl",
        lambda n: jsonl([{"chosen": _chat(k), "rejected": _chat(k + 1)} for k in range(n)]),
        "preference",
        {"chosen": "chosen", "rejected": "rejected"},
    ),
    Kind("diary.txt", lambda n: "\n\n".join(sentence(k) + "." for k in range(n)) + "\n", "text", {"text": "text"}),
    Kind("posts.jsonl", lambda n: jsonl([{"id": k, "body": sentence(k)} for k in range(n)]), "text", {"text": "body"}),
]


def written(kind: Kind, folder: Path, count: int = 120) -> Path:
    file = folder / kind.name
    file.write_text(kind.write(count), encoding="utf-8")
    return file
