"""What ties rows together in a split that ftsweep makes: groups, copies, near-duplicates, shared passages."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ftsweep.data.base import Row
from ftsweep.data.likeness.alike import Likeness, Overlap, group_key
from ftsweep.data.likeness.near_duplicates import connected
from ftsweep.data.likeness.passages import shared_passages
from ftsweep.data.likeness.texts import Texts
from ftsweep.data.splitting.own_split import link_rows
from ftsweep.domain.finding import Finding, Severity

Link = Sequence[Hashable | None]
"""One key per row: rows with an equal one are tied; None ties to nothing."""


class Ties:
    """The ties between rows of one split that is to be divided."""

    def __init__(
        self,
        rows: Sequence[Row],
        numbers: np.ndarray,
        texts: Texts,
        group: str | None,
        *,
        likeness: Likeness | None,
        overlap: Overlap | None,
    ) -> None:
        """`numbers` are what the rows are called in `texts`."""
        self._rows = rows
        self._numbers = numbers
        self._texts = texts
        self._group = group
        self._likeness = likeness
        self._overlap = overlap
        self.notes: list[Finding] = []
        """What a person should know of the ties."""

    def links(self, train_share: float) -> list[Link]:
        """Groups and copies always; the others unless they tie more rows into one cluster than train may have."""
        keys = self._texts.keys
        if keys.num_templated:
            self.notes.append(_templated(len(self._texts), keys.num_templated))
        links: list[Link] = [[keys.normalised[number] for number in self._numbers]]
        links.append([group_key(row, self._group) for row in self._rows])
        for name, more in (("near-duplicates", self._near()), ("shared passages", self._passages())):
            if not more:
                continue
            largest = max(map(len, link_rows(len(self._rows), [*links, *more])))
            if largest <= train_share * len(self._rows):
                links += more
            else:
                self.notes.append(_loose(name, largest, len(self._rows)))
        return links

    def _near(self) -> list[Link]:
        if self._likeness is None:
            return []
        clusters = self._texts.near.clusters()
        return [[clusters[number] for number in self._numbers]]

    def _passages(self) -> list[Link]:
        if self._overlap is None:
            return []
        shared = shared_passages(self._texts.words, self._numbers, self._numbers, self._overlap)
        place = {int(number): row for row, number in enumerate(self._numbers)}
        pairs = [(row, place[other]) for row, others in enumerate(shared.sources) for other in others]
        left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return [connected(len(self._rows), left, right)] if pairs else []


def _loose(name: str, largest: int, num_rows: int) -> Finding:
    return Finding(
        check="split",
        severity=Severity.NOTE,
        message=f"{name} tie {largest} of {num_rows} rows together, too many to keep on one side: they were divided",
        count=largest,
        rate=largest / num_rows,
    )


def _templated(num_rows: int, num_templated: int) -> Finding:
    return Finding(
        check="split",
        severity=Severity.NOTE,
        message=f"{num_templated} of {num_rows} rows differ from very many others only in case, digits, punctuation, "
        "users or links; they count as a template, not as copies, and only equal inputs are kept together",
        count=num_templated,
        rate=num_templated / num_rows,
    )
