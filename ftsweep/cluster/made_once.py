"""What a study's first jobs have made and found, which all others go by wherever they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MadeOnce:
    """`sources`: what data and models were, by their nodes. Prepared sets by the branch that they are of."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self._made: dict[str, list[str]] = {}
        self._branches: dict[str, str] = {}  # of jobs

    def note(self, job: Mapping[str, Any]) -> list[str]:
        """A job is submitted: the folders of prepared sets that it may need."""
        branch = str(job.get("spec", {}).get("branch", ""))
        self._branches[job["job"]] = branch
        return self._made.get(branch, [])

    def hear(self, message: Mapping[str, Any]) -> None:
        """A job has ended: what it tells of itself."""
        branch = self._branches.pop(message["job"], "")
        result = message.get("result") or {}
        self.sources.update(result.get("sources", {}))
        if "made" in result:
            self._made[branch] = list(result["made"])
