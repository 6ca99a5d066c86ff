"""Near-duplicates against brute force, and what other measures make of a text with a tenth of its words changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from edits import EDITS, edited
from scipy.sparse import csr_array
from sets import DataSet

from ftsweep.data.likeness.alike import Likeness
from ftsweep.data.likeness.duplicates import normalise
from ftsweep.data.likeness.near_duplicates import NearDuplicates
from ftsweep.data.likeness.words import WordTable

NUM_ROWS = 2_000


@dataclass(frozen=True)
class BruteForce:
    """Recall and false positives among all pairs of 2,000 rows."""

    num_pairs: int
    num_pairs_08: int
    recall: float
    recall_08: float
    num_false: int
    num_spec: int
    recall_spec: float
    """Of pairs by word 5-grams (character 5-grams under 20 words) of similarity .8, those found."""


def brute_force(data: DataSet, seed: int) -> BruteForce:
    """1,600 rows and 400 edited copies of some, all pairs compared."""
    texts = _texts(data)
    chance = random.Random(seed)
    chosen = chance.sample(texts, NUM_ROWS * 4 // 5)
    others = [word for text in chance.sample(texts, 200) for word in text.split()]
    for place in range(NUM_ROWS // 5):
        text = chosen[place]
        for _ in range(place % 5):
            text = edited(text, "mixed", others, chance)
        chosen.append(text)
    near = NearDuplicates(WordTable([normalise(text) or "" for text in chosen]), Likeness())
    everyone = np.arange(NUM_ROWS)
    exact = _jaccard([near.shingles(number) for number in everyone])
    found = set()
    half = NUM_ROWS // 2  # matches are between two sides: both halves against each other, and inside by a second cut
    for cut in (everyone < half, everyone % 2 == 0, everyone % 4 < 2, (everyone // 4) % 2 == 0):
        matches = near.matches(everyone[cut], everyone[~cut])
        found |= {(min(pair), max(pair)) for pair in zip(matches.left.tolist(), matches.right.tolist(), strict=True)}
    crossing = {pair for pair in exact if any(_crosses(pair, cut, half) for cut in range(4))}
    enough = {pair for pair in crossing if exact[pair] >= Likeness().similarity and _is_long(near, pair)}
    enough_08 = {pair for pair in enough if exact[pair] >= 0.8}
    spec = _jaccard([_hashes(_spec(normalise(text) or "")) for text in chosen])
    by_spec = {
        pair
        for pair, value in spec.items()
        if value >= 0.8 and any(_crosses(pair, cut, half) for cut in range(4)) and _is_long(near, pair)
    }
    return BruteForce(
        len(enough),
        len(enough_08),
        len(found & enough) / max(1, len(enough)),
        len(found & enough_08) / max(1, len(enough_08)),
        len(found - enough),
        len(by_spec),
        len(found & by_spec) / max(1, len(by_spec)),
    )


def _crosses(pair: tuple[int, int], cut: int, half: int) -> bool:
    sides = [(number < half, number % 2 == 0, number % 4 < 2, (number // 4) % 2 == 0)[cut] for number in pair]
    return sides[0] != sides[1]


def _is_long(near: NearDuplicates, pair: tuple[int, int]) -> bool:
    from ftsweep.data.likeness.near_duplicates import MIN_SHINGLES

    return min(near.num_shingles[list(pair)]) >= MIN_SHINGLES


Measure = tuple[str, Callable[[str], set[str]], float]
MEASURES: tuple[Measure, ...] = (
    ("word 5-grams (characters under 20 words), 0.8", lambda form: _spec(form), 0.8),
    ("word 5-grams (characters under 20 words), 0.5", lambda form: _spec(form), 0.5),
    ("word 2-grams, 0.6", lambda form: _runs(form.split(), 2), 0.6),
    ("character 5-grams, 0.7", lambda form: _runs(list(form), 5), 0.7),
    ("words, 0.8", lambda form: set(form.split()), 0.8),
)


def edit_recall(data: DataSet, seed: int, num_texts: int = 400) -> Iterator[tuple[str, dict[str, float]]]:
    """For each measure the share of edited copies that it finds, by kind of edit."""
    chance = random.Random(seed)
    texts = [text for text in chance.sample(_texts(data), num_texts) if len(text.split()) >= 3]
    others = [word for text in texts[:200] for word in text.split()]
    copies = {kind: [edited(text, kind, others, chance) for text in texts] for kind in EDITS}
    for name, shingles, least in MEASURES:
        own = [shingles(normalise(text) or "") for text in texts]
        yield (
            name,
            {
                kind: float(
                    np.mean(
                        [
                            _similar(left, shingles(normalise(copy) or "")) >= least
                            for left, copy in zip(own, edits, strict=True)
                        ]
                    )
                )
                for kind, edits in copies.items()
            },
        )
    everything = [*_texts(data), *(copy for edits in copies.values() for copy in edits)]
    near = NearDuplicates(
        WordTable([normalise(text) or "" for text in everything]), Likeness(), among=np.arange(len(_texts(data)))
    )
    place = {text: number for number, text in reversed(list(enumerate(_texts(data))))}
    start, found = len(_texts(data)), {}
    for kind in EDITS:
        pairs = zip([place[text] for text in texts], range(start, start + len(texts)), strict=True)
        found[kind] = float(
            np.mean(
                [
                    _similar(set(near.shingles(left).tolist()), set(near.shingles(right).tolist()))
                    >= Likeness().similarity
                    for left, right in pairs
                ]
            )
        )
        start += len(texts)
    yield "as shipped: words in under 20 % of the texts, 0.75", found


def _texts(data: DataSet) -> list[str]:
    columns = [column for column in data.columns if column != "label"]
    return [" ".join(row[column] for column in columns) for rows in data.splits(0).values() for row in rows]


def _similar(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right) if left | right else 0.0


def _spec(form: str) -> set[str]:
    words = form.split()
    return _runs(words, 5) if len(words) >= 20 else _runs(list(form), 5)


def _runs(items: Sequence[str], length: int) -> set[str]:
    return {" ".join(items[at : at + length]) for at in range(max(1, len(items) - length + 1))} if items else set()


def _hashes(shingles: set[str]) -> np.ndarray:
    return np.array(sorted(hash(each) & (2**62 - 1) for each in shingles), dtype=np.uint64)


def _jaccard(sets: Sequence[np.ndarray]) -> dict[tuple[int, int], float]:
    """Similarity of all pairs of at least .5, without any shortcut."""
    flat = np.concatenate(sets)
    _, columns = np.unique(flat, return_inverse=True)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in sets])])
    matrix = csr_array((np.ones(len(flat), np.int32), columns.astype(np.int64), offsets))
    sizes = np.diff(offsets)
    shared = (matrix @ matrix.T).tocoo()
    above = shared.row < shared.col
    left, right, common = shared.row[above], shared.col[above], shared.data[above]
    similarity = common / (sizes[left] + sizes[right] - common)
    return {(int(a), int(b)): float(value) for a, b, value in zip(left, right, similarity, strict=True) if value >= 0.5}
