"""Whether train gives held-out rows away: copies, near-copies, long passages, shared groups, answers in the question.

Each level leaves out what a stricter one has counted. Rate: held-out rows that match train / held-out rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

from ftsweep.data.likeness.alike import RUN, Likeness, Overlap, group_key
from ftsweep.errors import ConfigError
from ftsweep.guards.base import NUM_EXAMPLES, DataGuard, Mode, Sighting, of_rows

if TYPE_CHECKING:
    from ftsweep.data.inspection import DataView

_REMEDY = "What is measured on {split} is too good. Leave the rows of train out"


class ExactCopies(DataGuard):
    """Held-out rows whose input stands in train, letter by letter.

    Args:
        mode: refuse, fix, allow or off.
        warn_above: share of a split's rows.
        refuse_above: share of a split's rows.
    """

    can_fix = True
    finds_leaks = True
    least_to_refuse = 2

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.0, refuse_above: float | None = 0.005
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        for split in data.held_out:
            sources = _equal(data, split, data.texts.keys.exact)
            if sources:
                yield _leak(data, split, sources, "stand in train too")


class NormalisedCopies(ExactCopies):
    """Held-out rows whose input stands in train but for case, digits, punctuation, users or links.

    Args:
        mode: refuse, fix, allow or off.
        warn_above: share of a split's rows.
        refuse_above: share of a split's rows.
    """

    def look(self, data: DataView) -> Iterator[Sighting]:
        for split in data.held_out:
            exact = _equal(data, split, data.texts.keys.exact)
            sources = _equal(data, split, data.texts.keys.normalised)
            sources = {row: found for row, found in sources.items() if row not in exact}
            if sources:
                yield _leak(data, split, sources, "stand in train but for case, digits, punctuation, users or links")


class NearDuplicates(DataGuard):
    """Held-out rows that nearly repeat a row of train: their sets of shingles have a large Jaccard similarity.

    A split that ftsweep makes keeps such rows on one side, unless the guard is off.

    Args:
        mode: refuse, fix, allow or off.
        warn_above: share of a split's rows.
        refuse_above: share of a split's rows.
        similarity: least Jaccard similarity of two near-duplicates.
        shingle_words: words of a shingle.
        common_share: words in a larger share of the texts do not count.
    """

    can_fix = True
    finds_leaks = True
    least_to_refuse = 2

    def __init__(
        self,
        *,
        mode: Mode = "refuse",
        warn_above: float | None = 0.005,
        refuse_above: float | None = 0.02,
        similarity: float = 0.75,
        shingle_words: int = 1,
        common_share: float = 0.2,
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)
        for name, share, least in (("similarity", similarity, 0.5), ("common_share", common_share, 0.0)):
            if not least <= share <= 1:
                remedy = f"Use {least:g} to 1." + (" Less is not found reliably." if least else "")
                raise ConfigError(f"{share!r} is not possible", where=name, remedy=remedy)
        if not 1 <= shingle_words <= RUN:
            raise ConfigError(f"{shingle_words!r} is not possible", where="shingle_words", remedy=f"Use 1 to {RUN}.")
        self.likeness = Likeness(similarity, shingle_words, common_share)

    def look(self, data: DataView) -> Iterator[Sighting]:
        for split in data.held_out:
            copies = _equal(data, split, data.texts.keys.normalised)
            sources = {row: found for row, found in near_rows(data, split).items() if row not in copies}
            if sources:
                yield _leak(data, split, sources, "nearly repeat a row of train")


class SharedPassages(DataGuard):
    """Held-out rows of which a large part stands in train in runs of 13 words.

    A split that ftsweep makes keeps such rows on one side, unless the guard is off.

    Args:
        mode: refuse, fix, allow or off.
        warn_above: share of a split's rows.
        refuse_above: share of a split's rows.
        coverage: least share of a row's words that lie in such runs.
        template_share: runs in a larger share of the texts are a template and do not count.
    """

    can_fix = True
    finds_leaks = True
    least_to_refuse = 2

    def __init__(
        self,
        *,
        mode: Mode = "refuse",
        warn_above: float | None = 0.01,
        refuse_above: float | None = 0.05,
        coverage: float = 0.5,
        template_share: float = 0.05,
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)
        for name, share in (("coverage", coverage), ("template_share", template_share)):
            if not 0 < share <= 1:
                raise ConfigError(f"{share!r} is not a share", where=name, remedy="Use more than 0, up to 1.")
        self.overlap = Overlap(coverage, template_share)

    def look(self, data: DataView) -> Iterator[Sighting]:
        from ftsweep.data.likeness.passages import shared_passages

        for split in data.held_out:
            known = set(_equal(data, split, data.texts.keys.normalised)) | set(near_rows(data, split))
            texts, train = data.ids[split], data.ids["train"]
            shared = shared_passages(data.texts.words, texts, train, self.overlap)
            place = {int(number): row for row, number in enumerate(train)}
            sources = {
                row: [place[text] for text in shared.sources[row]]
                for row in (shared.share >= self.overlap.coverage).nonzero()[0].tolist()
                if row not in known
            }
            if sources:
                what = f"consist to {self.overlap.coverage:.0%} or more of passages of train"
                yield _leak(data, split, sources, what)


class SharedGroups(DataGuard):
    """Held-out rows whose declared group (`data.group`: a user, a document, a patient) has rows in train.

    Args:
        mode: refuse, fix, allow or off.
        refuse_above: share of a split's rows.
    """

    can_fix = True
    finds_leaks = True

    def __init__(self, *, mode: Mode = "refuse", refuse_above: float | None = 0.0) -> None:
        super().__init__(mode=mode, warn_above=0.0, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        group = data.source.group
        if group is None:
            return
        train = [group_key(row, group) for row in data.rows["train"]]
        for split in data.held_out:
            sources = _shared([group_key(row, group) for row in data.rows[split]], train)
            if sources:
                yield _leak(data, split, sources, f"have a {group} that has rows in train")


def near_rows(data: DataView, split: str) -> dict[int, list[int]]:
    """Rows of a held-out split with the rows of train that they nearly repeat, the most similar one first."""
    import numpy as np

    memo = data.memo.setdefault("near_rows", {})
    if split not in memo:
        found = data.texts.near.matches(data.ids[split], data.ids["train"])
        place = {int(number): row for name in (split, "train") for row, number in enumerate(data.ids[name])}
        rows: dict[int, list[int]] = {}
        for pair in np.lexsort((found.right, -found.similarity, found.left)):
            rows.setdefault(place[int(found.left[pair])], []).append(place[int(found.right[pair])])
        memo[split] = rows
    return dict(memo[split])


def _equal(data: DataView, split: str, keys: Sequence[Hashable]) -> dict[int, list[int]]:
    """Rows of a split with the rows of train that have the same key."""
    own, train = ([keys[number] for number in data.ids[name]] for name in (split, "train"))
    return _shared(own, train)


def _shared(own: Sequence[Hashable], train: Sequence[Hashable]) -> dict[int, list[int]]:
    wanted = set(own) - {None}
    holders: dict[Hashable, list[int]] = {}
    for row, key in enumerate(train):
        if key in wanted:
            holders.setdefault(key, []).append(row)
    return {row: holders[key] for row, key in enumerate(own) if key in holders}


def _leak(data: DataView, split: str, sources: dict[int, list[int]], what: str) -> Sighting:
    rows, train = data.rows[split], data.rows["train"]
    shown = list(sources.items())[:NUM_EXAMPLES]
    return Sighting(
        what=f"{of_rows(len(sources), len(rows), split)} {what}",
        count=len(sources),
        num_rows=len(rows),
        examples=tuple(f"{rows[row].place} = {train[found[0]].place}" for row, found in shown),
        remedy=_REMEDY.format(split=split),
        flagged={split: sorted(sources)},
        train_rows=sorted({row for found in sources.values() for row in found}),
    )
