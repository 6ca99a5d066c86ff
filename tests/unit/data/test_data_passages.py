from __future__ import annotations

import numpy as np
import pytest

from ftsweep.data.likeness.alike import RUN, Overlap
from ftsweep.data.likeness.passages import shared_passages
from ftsweep.data.likeness.words import WordTable
from ftsweep.testing.rows import sentences

TEXTS = sentences(60, words=40)


def share_of(text, others, **overlap):
    table, numbers = WordTable([text, *others]), np.arange(1 + len(others))
    found = shared_passages(table, numbers[:1], numbers[1:], Overlap(**overlap))
    return found.share[0], [source - 1 for source in found.sources[0]]


def brute_force(text, others):
    """Share of the words that lie in runs of 13 words that another text holds."""
    words = text.split()
    runs = {tuple(other.split()[at : at + RUN]) for other in others for at in range(len(other.split()) - RUN + 1)}
    covered = [False] * len(words)
    for at in range(len(words) - RUN + 1):
        if tuple(words[at : at + RUN]) in runs:
            covered[at : at + RUN] = [True] * RUN
    return sum(covered) / len(words)


@pytest.mark.parametrize("num_copied", [0, 12, 13, 20, 30, 40])
def test_the_share_is_that_of_words_inside_copied_runs(num_copied):
    copied = " ".join(TEXTS[0].split()[:num_copied])
    others = [*TEXTS[1:30], f"{TEXTS[30]} x {copied} y {TEXTS[31]}"]
    share, sources = share_of(TEXTS[0], others)
    assert share == pytest.approx(brute_force(TEXTS[0], others))
    assert share == (num_copied / 40 if num_copied >= RUN else 0)
    assert sources == ([29] if share >= 0.5 else [])


def test_passages_of_several_texts_add_up_and_all_are_named():
    words = TEXTS[0].split()
    others = [" ".join(words[:15]) + " " + TEXTS[1], TEXTS[2] + " " + " ".join(words[20:36])]
    share, sources = share_of(TEXTS[0], others)
    assert share == 31 / 40
    assert sources == [1, 0], "the one with more runs first"


def test_a_template_counts_neither_as_copied_nor_as_words():
    template = " ".join(TEXTS[59].split()[:20])
    others = [f"{template} {text}" for text in TEXTS[1:41]]
    assert share_of(f"{template} {TEXTS[0]}", others)[0] == 0
    copied = " ".join(TEXTS[0].split()[:24])
    share, _ = share_of(f"{template} {TEXTS[0]}", [*others, f"{TEXTS[41]} {copied}"])
    assert share == 24 / 40


def test_a_word_that_follows_a_template_everywhere_copies_nothing():
    template = " ".join(TEXTS[59].split()[:20])
    others = [f"{template} the {TEXTS[1]}", *(f"{template} {text}" for text in TEXTS[2:41])]
    assert share_of(f"{template} the {TEXTS[0]}", others)[0] < 0.1


def test_a_text_among_the_others_is_not_compared_with_itself():
    table = WordTable([*TEXTS[:5], TEXTS[0]])
    everyone = np.arange(6)
    found = shared_passages(table, everyone, everyone, Overlap())
    assert found.share.tolist() == [1, 0, 0, 0, 0, 1]
    assert found.sources == ((5,), (), (), (), (), (0,))


def test_short_texts_have_no_passages():
    table = WordTable(["a b c", "a b c", ""])
    found = shared_passages(table, np.array([0, 2]), np.array([1]), Overlap())
    assert found.share.tolist() == [0, 0]
