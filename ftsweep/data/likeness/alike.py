"""When two rows tell of each other: the rules, without the arrays that apply them."""

from __future__ import annotations

from dataclasses import dataclass

from ftsweep.data.base import Row

RUN = 13
"""Words of a run that counts as a copied passage (the n of GPT-3's decontamination and of most since)."""


@dataclass(frozen=True)
class Likeness:
    """When two texts are nearly the same."""

    similarity: float = 0.75
    """Least Jaccard similarity: shared shingles over all shingles of the two."""
    shingle_words: int = 1
    """Words of a shingle."""
    common_share: float = 0.2
    """Words that stand in a larger share of the texts do not count."""


@dataclass(frozen=True)
class Overlap:
    """When a text consists largely of others."""

    coverage: float = 0.5
    """Least share of its words that lie in their runs."""
    template_share: float = 0.05
    """Runs that a larger share of all texts hold are a template and do not count."""


def group_key(row: Row, group: str | None) -> str | None:
    """The row's group; None when it has none, so that it is tied to no other row."""
    value = row.values.get(group) if group is not None else None
    return None if value is None or value == "" else str(value)
