from __future__ import annotations

import random
from typing import Any

import pytest

from ftsweep.domain.finding import Severity
from ftsweep.guards.labels import LabelErrors
from ftsweep.testing.guard import view_of
from ftsweep.testing.rows import labelled

HELD_OUT = labelled(300, seed=1)


def judged(guard, view):
    return [guard.judge("mine", sighting) for sighting in guard.look(view)]


def said_of_train(train):
    """All that it says of train, of rows whose labels are those of validation."""
    found = judged(LabelErrors(), view_of({"train": train, "validation": train[:300]}))
    return [finding for finding in found if "rows of validation" not in finding.message]


def cannot_tell(train) -> bool:
    """Whether all that it says of train is that it cannot tell, without a rate."""
    (finding,) = said_of_train(train)
    assert finding.severity is Severity.NOTE
    return "the check cannot tell" in finding.message and finding.rate == 0


def word(number: int, stem: str = "word") -> str:
    """A word of letters alone: digits are no part of a normalised text."""
    return stem + "".join("abcdefghij"[int(digit)] for digit in f"{number:03}")


def topical(num: int, *, seed: int, flipped: float = 0.0) -> list[dict[str, Any]]:
    """Rows with two words of their label's topic among others, a share of them under another label."""
    chance, labels = random.Random(seed), ["anger", "joy", "optimism", "sadness"]
    rows = []
    for _ in range(num):
        label = chance.choice(labels)
        words = [word(chance.randrange(400)) for _ in range(8)] + [word(chance.randrange(30), label) for _ in "ab"]
        chance.shuffle(words)
        given = chance.choice([each for each in labels if each != label]) if chance.random() < flipped else label
        rows.append({"text": " ".join(words), "label": given})
    return rows


def ordered(num: int, *, seed: int, shares: list[float]) -> list[dict[str, Any]]:
    """The label lies in the order of a row's words: which words there are says nothing of it."""
    chance, labels = random.Random(seed), [f"label{place}" for place in range(len(shares))]
    rows = []
    for _ in range(num):
        (label,) = chance.choices(labels, shares)
        words = sorted(word(chance.randrange(400)) for _ in range(10))
        turn = labels.index(label)
        rows.append({"text": " ".join(words[turn:] + words[:turn]), "label": label})
    return rows


def hinted(num: int, *, seed: int, hidden: float) -> list[dict[str, Any]]:
    """Many words tell a little each, and something hidden tells too: right labels, a hard task."""
    chance = random.Random(seed)
    weights = {word(place): chance.gauss(0, 1) for place in range(300)}
    rows = []
    for _ in range(num):
        words = chance.choices(sorted(weights), k=10)
        decides = sum(weights[word] for word in words) / 10**0.5 + chance.gauss(0, hidden)
        rows.append({"text": " ".join(words), "label": "ab"[decides > 0]})
    return rows


@pytest.mark.parametrize("flipped", [0.05, 0.1, 0.2])
def test_flipped_labels_are_estimated(flipped):
    train = topical(2000, seed=3, flipped=flipped)
    (finding,) = said_of_train(train)
    assert finding.severity is Severity.WARN
    assert finding.rate == pytest.approx(flipped, abs=0.03)


def test_right_labels_get_no_rate():
    assert all(finding.rate == 0 for finding in said_of_train(topical(2000, seed=3)))


@pytest.mark.parametrize("shares", [[1, 1], [1] * 5, [1] * 8, [9, 1], [6, 2, 1], [97, 3]])
def test_labels_that_no_word_tells_do_not_look_wrong(shares):
    assert cannot_tell(ordered(1000, seed=0, shares=shares))


@pytest.mark.parametrize("hidden", [0.5, 2])
@pytest.mark.parametrize("seed", range(2))
def test_a_hard_task_does_not_look_wrong(hidden, seed):
    """Where words tell most of it the surest rows are right, and more so the surer; where they tell little, few are."""
    assert cannot_tell(hinted(2500, seed=seed, hidden=hidden))


def test_wrong_labels_of_one_class_are_found_too():
    words = {"a": "bright shining sun warm", "b": "dark raining cloud cold"}
    train = [{**row, "text": f"{words[row['label']]} {row['text']}"} for row in labelled(1600, words=6)]
    for row in train[::10]:
        row["label"] = "b"
    *_, finding = judged(LabelErrors(), view_of({"train": train, "validation": HELD_OUT}))
    assert finding.severity is Severity.WARN
    assert 0.03 < finding.rate < 0.2
    assert "('b', likely 'a')" in finding.examples[0]


def test_labels_of_a_relation_of_two_texts_do_not_look_wrong():
    """A model of words is no better than chance where the label says whether both halves go together."""
    rows = []
    for place, row in enumerate(labelled(1200, words=6)):
        left, right = place % 2, place // 2 % 2
        text = f"{('bright', 'dark')[left]} {row['text']} {('warm', 'cold')[right]}"
        rows.append({"text": text, "label": "ab"[left == right]})
    assert cannot_tell(rows)


def test_wrong_labels_of_held_out_rows_are_noted_and_flagged():
    words = {"a": "bright shining sun warm", "b": "dark raining cloud cold"}

    def rows(num: int, seed: int) -> list[dict[str, Any]]:
        found = labelled(num, seed=seed, words=6)
        return [{**row, "text": f"{words[row['label']]} {row['text']}"} for row in found]

    held_out = rows(200, 1)
    for row in held_out[:20]:
        row["label"] = "ab"[row["label"] == "a"]
    view = view_of({"train": rows(800, 0), "validation": held_out})
    (sighting,) = LabelErrors().look(view)
    assert LabelErrors().judge("mine", sighting).severity is Severity.NOTE
    assert 0 < len(sighting.flagged["validation"]) <= 20
    assert set(sighting.flagged["validation"]) <= set(range(20)), "right labels are not suspected"
