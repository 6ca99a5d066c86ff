"""How much of a text stands, word for word, in other texts: runs of 13 words, as n-gram decontamination counts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ftsweep.data.likeness.alike import RUN, Overlap
from ftsweep.data.likeness.words import WordTable, is_first, runs

COMMON_TEXTS = 20
"""A run that stands in no more texts than these is never part of a template."""


@dataclass(frozen=True)
class SharedPassages:
    """`share` of each text's words that lie inside runs of the other texts. Shape [texts], float64."""

    share: np.ndarray
    sources: tuple[tuple[int, ...], ...]
    """For each text the others that hold one of its runs, most runs first; () where it has none."""


def shared_passages(words: WordTable, texts: np.ndarray, others: np.ndarray, overlap: Overlap) -> SharedPassages:
    """What of `texts` stands in `others`; a text that is among the others too is not compared with itself.

    Words that only lie in runs of a template count neither as shared nor as words. Sources are listed for texts that
    consist largely of others.
    """
    hashes, starts = runs(words.ids, words.owners, RUN)
    owners = words.owners[starts]
    is_other = np.zeros(len(words), dtype=bool)
    is_other[others] = True
    # each run once per text, in the order of hashes: where a hash begins and ends says how many texts hold it
    order = np.argsort(hashes, kind="stable")  # texts stay in order within a hash
    held_hashes, holders = hashes[order], owners[order]
    is_new = is_first(held_hashes)
    is_held = is_new | is_first(holders)
    place = np.cumsum(is_held) - 1
    starts_of_hash = np.r_[place[is_new], is_held.sum()]
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(is_new) - 1
    holders = holders[is_held]
    others_before = np.concatenate([[0], np.cumsum(is_other[holders])])
    own = _places(owners, texts)
    begin, end = starts_of_hash[group[own]], starts_of_hash[group[own] + 1]
    num_others = others_before[end] - others_before[begin] - is_other[owners[own]]
    is_template = end - begin > max(COMMON_TEXTS, overlap.template_share * len(words))
    is_copied = (num_others > 0) & ~is_template
    template = _covered(len(words.ids), starts[own][is_template])
    # a run may begin in the template and end in a common word: only what lies outside is copied
    copied = _covered(len(words.ids), starts[own][is_copied]) & ~template
    num_words = words.counts[texts] - _sums(template, words, texts)
    share = np.divide(_sums(copied, words, texts), num_words, out=np.zeros(len(texts)), where=num_words > 0)
    sources: list[tuple[int, ...]] = []
    own_owners = owners[own]
    for number, text in enumerate(texts):
        if share[number] < overlap.coverage:
            sources.append(())
            continue
        first, last = np.searchsorted(own_owners, [text, text + 1])
        mine = np.flatnonzero(is_copied[first:last]) + first
        found = np.concatenate([holders[begin[run] : end[run]] for run in mine])
        names, counts = np.unique(found[is_other[found] & (found != text)], return_counts=True)
        sources.append(tuple(names[np.argsort(-counts, kind="stable")].tolist()))
    return SharedPassages(share, tuple(sources))


def _sums(is_marked: np.ndarray, words: WordTable, texts: np.ndarray) -> np.ndarray:
    """How many words of each text are marked. Shape [texts], int64."""
    before = np.concatenate([[0], np.cumsum(is_marked)])
    return np.asarray(before[words.offsets[texts + 1]] - before[words.offsets[texts]])


def _places(owners: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Where the runs of these texts are, in order."""
    wanted = np.zeros(int(owners[-1]) + 1 if len(owners) else 0, dtype=bool)
    wanted[texts[texts < len(wanted)]] = True
    return np.flatnonzero(wanted[owners])


def _covered(num_words: int, starts: np.ndarray) -> np.ndarray:
    """Which words lie inside a run that begins at one of these places. bool."""
    steps = np.zeros(num_words + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + RUN, -1)
    return np.asarray(np.cumsum(steps)[:-1] > 0)
