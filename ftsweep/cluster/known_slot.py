"""A slot as the control process knows it: its last word, and what was given to it since."""

from __future__ import annotations

from dataclasses import dataclass, field

from ftsweep.executors.base import Message


@dataclass
class KnownSlot:
    """`free`, `lanes` and `applied` (how many of the jobs submitted to it have arrived) as it said them together."""

    free: int = 0
    lanes: int = 0
    applied: int = 0
    submitted: int = 0
    is_leaving: bool = False  # its node is being drained
    jobs: set[str] = field(default_factory=set)
    turn: list[Message] = field(default_factory=list)
    """What it said together, until all of it is here."""
    awaits_go: bool = False

    @property
    def num_free(self) -> int:
        return 0 if self.is_leaving else max(0, self.free - (self.submitted - self.applied))

    def hear(self, said: Message) -> list[Message]:
        """What is to be handed on now: nothing, or all that it said together."""
        if said["message"] is not None:
            self.turn.append({**said["message"], "worker": said["slot"]})
        if not said["is_last"]:
            return []
        if said["lanes"]:
            self.free, self.lanes, self.applied = said["free"], said["lanes"], said["applied"]
        heard, self.turn = self.turn, []
        return heard
