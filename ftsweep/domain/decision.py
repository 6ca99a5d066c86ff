"""What becomes of a trial at a rung, and what a free lane does next."""

from __future__ import annotations

from dataclasses import dataclass

from ftsweep.domain.trial import Proposal


@dataclass(frozen=True)
class GoOn:
    """The trial trains on to its next rung."""


@dataclass(frozen=True)
class Prune:
    """The trial ends here, because of `reason`, a sentence."""

    reason: str


@dataclass(frozen=True)
class Pause:
    """The trial checkpoints and gives its lane away until it is resumed; `reason` is a sentence."""

    reason: str


Decision = GoOn | Prune | Pause

GO_ON = GoOn()


@dataclass(frozen=True)
class New:
    """A trial that was never begun."""

    proposal: Proposal


@dataclass(frozen=True)
class Resume:
    """A paused trial goes on where it stood."""

    proposal: Proposal


Next = New | Resume
