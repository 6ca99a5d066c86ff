from __future__ import annotations

import numpy as np
import pytest

from ftsweep.data.likeness.alike import Likeness
from ftsweep.data.likeness.duplicates import normalise
from ftsweep.data.likeness.near_duplicates import BAND_ROWS, CROWD, NUM_BANDS, NearDuplicates
from ftsweep.data.likeness.words import WordTable
from ftsweep.testing.rows import VOCABULARY, edited, sentences


def near(texts, **likeness):
    return NearDuplicates(WordTable([normalise(text) or "" for text in texts]), Likeness(**likeness))


def jaccard(left, right):
    left, right = set(left.tolist()), set(right.tolist())
    return len(left & right) / len(left | right)


def varied(num, seed=0):
    """Texts, and copies of them with ever more words changed: pairs of every similarity."""
    texts = sentences(num, seed=seed)
    generator = np.random.default_rng(seed)
    for place in range(num):
        words = texts[place].split()
        for at in generator.choice(len(words), size=place % 9, replace=False):
            words[at] = str(generator.choice(VOCABULARY))
        texts.append(" ".join(words))
    return texts


@pytest.mark.parametrize("likeness", [{}, {"similarity": 0.8}, {"shingle_words": 2, "similarity": 0.6}])
def test_matches_are_those_of_brute_force(likeness):
    texts = varied(120)
    found = near(texts, **likeness)
    half = np.arange(120)
    matches = found.matches(half, half + 120)
    listed = set(zip(matches.left.tolist(), matches.right.tolist(), strict=True))
    least = Likeness(**likeness).similarity
    similarity = {
        (left, right): jaccard(found.shingles(left), found.shingles(right))
        for left in range(120)
        for right in range(120, 240)
    }
    expected = {pair for pair, value in similarity.items() if value >= least}
    assert len(expected) > 20
    assert listed <= expected, "every pair is verified"
    found_by_chance = np.array([1 - (1 - similarity[pair] ** BAND_ROWS) ** NUM_BANDS for pair in expected])
    spread = np.sqrt((found_by_chance * (1 - found_by_chance)).sum())
    assert len(listed) >= found_by_chance.sum() - 3 * spread, "no more are missed than the bands' chance says"
    for left, right, value in zip(matches.left, matches.right, matches.similarity, strict=True):
        assert value == pytest.approx(similarity[int(left), int(right)])


def test_shingles_are_the_different_words_of_a_text():
    table = near(["one two two three four five", "One, two; THREE four five!"])
    assert table.num_shingles.tolist() == [5, 5]
    assert table.shingles(0).tolist() == table.shingles(1).tolist()


def test_runs_of_words_as_shingles_respect_the_order():
    turned = ["a1 b2 c3 d4 e5 f6 g7 h8".replace("1", "x"), "h8 g7 f6 e5 d4 c3 b2 a1".replace("1", "x")]
    both = np.array([0]), np.array([1])
    assert len(near(turned).matches(*both)) == 1
    assert len(near(turned, shingle_words=2).matches(*both)) == 0


def test_clusters_are_connected_through_others_and_nothing_else_is_tied():
    texts = sentences(40)
    first = texts[3]
    texts += [edited(first, every=10), edited(edited(first, every=10), every=7)]
    clusters = near(texts).clusters()
    assert clusters[3] == clusters[40] == clusters[41] is not None
    assert [number for number in range(40) if clusters[number] is not None] == [3]


def test_a_crowd_of_equals_is_one_cluster_and_every_held_out_row_of_it_is_found():
    text = sentences(1)[0]
    texts = [*sentences(800, seed=2, words=12), *(f"{text} {word}" for word in (VOCABULARY * 2)[: 4 * CROWD])]
    found = near(texts)
    crowd = np.arange(800, len(texts))
    assert len({found.clusters()[number] for number in crowd}) == 1
    matches = found.matches(crowd[:50], np.concatenate([np.arange(800), crowd[50:]]))
    assert set(matches.left.tolist()) == set(crowd[:50].tolist())


def test_words_of_a_template_do_not_count():
    template = " ".join(sentences(1, seed=9, words=60))
    texts = [f"{template} {text}" for text in sentences(100, words=8)]
    assert near(texts).clusters() == [None] * 100
    assert near(texts, common_share=1.0).clusters() != [None] * 100


def test_texts_with_next_to_nothing_in_them_are_never_near():
    texts = ["yes no", "yes no", "", "!!!", *sentences(5)]
    assert near(texts).clusters() == [None] * 9


def test_a_script_without_spaces_is_read_in_pieces():
    text = (
        "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u6211\u4eec\u53bb\u516c\u56ed\u6563"
        "\u6b65\u7136\u540e\u56de\u5bb6\u5403\u665a\u996d\u518d\u770b\u7535\u5f71"
    )
    clusters = near([text, text.replace("\u7535\u5f71", "\u4e66"), text[::-1]]).clusters()
    assert clusters[0] == clusters[1] is not None
    assert clusters[2] is None


def test_no_texts_have_no_duplicates():
    assert near([]).clusters() == []
    assert len(near(["a b c d e"]).matches(np.array([0]), np.empty(0, np.int64))) == 0


def test_the_same_texts_give_the_same_answer_whatever_stands_around_them():
    texts = varied(60)
    first = near(texts).matches(np.arange(60), np.arange(60, 120))
    again = near(texts).matches(np.arange(60), np.arange(60, 120))
    assert (first.left.tolist(), first.right.tolist()) == (again.left.tolist(), again.right.tolist())
