"""What a study's data and models were when it began, for workers on several machines, of which one may find others.

A data set is told by its node, as the study's own machine spells it, and by the fingerprint that it had where it was
prepared first. A prepared set of that fingerprint is opened wherever it came from; to make one anew the machine's own
rows must be the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ftsweep.config.build import build
from ftsweep.data.base import DataSource, Row
from ftsweep.errors import OtherSourceError

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


class _Model(Protocol):
    def reference(self) -> Mapping[str, Any]: ...


class KnownSources:
    """Of one worker. `found`: fingerprints of data by their nodes, and commits of models by theirs."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self.allowed = allowed
        self.found: dict[str, str] = {}
        self._root = ""

    def learn(self, job: Mapping[str, Any]) -> None:
        """Take up what a job tells: `root`, below which this machine has the study's paths, and `sources`."""
        self._root = job.get("root", "")
        self.found.update(job.get("sources", {}))

    def named(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The node with the paths of the study's own machine."""
        text = json.dumps(node, ensure_ascii=False)
        named: dict[str, Any] = json.loads(text.replace(self._root, "") if self._root else text)
        return named

    def data(self, node: Mapping[str, Any]) -> DataSource:
        """The data of a node, held to what the study knows of them."""
        source: DataSource = build(node, allowed=self.allowed)
        key = self._key(node)
        if key not in self.found:
            self.found[key] = source.fingerprint()
            return source
        return HeldToStudy(source, self.found[key])

    def check_model(self, node: Mapping[str, Any], source: _Model) -> None:
        """Note which commit a model of a hub is, once it is known.

        Raises:
            OtherSourceError: the study has another one.
        """
        commit = str(source.reference().get("revision", ""))
        if not _COMMIT.fullmatch(commit):
            return
        known = self.found.setdefault(self._key(node), commit)
        if known != commit:
            raise OtherSourceError(
                f"this machine has commit {commit[:12]} of the model, and the study began with {known[:12]}",
                where="model.revision",
                remedy="Name the commit as model.revision, and all machines take that one.",
            )

    def _key(self, node: Mapping[str, Any]) -> str:
        return json.dumps(self.named(node), sort_keys=True)


class HeldToStudy(DataSource):
    """A source that must give the rows of this fingerprint where it is read."""

    def __init__(self, source: DataSource, fingerprint: str) -> None:
        self._source, self._fingerprint = source, fingerprint
        self.group = source.group
        self.validation_fraction = source.validation_fraction
        self.test_fraction = source.test_fraction

    def fingerprint(self) -> str:
        return self._fingerprint

    def load(self, columns: Iterable[str]) -> Mapping[str, Sequence[Row]]:
        own = self._source.fingerprint()
        if own != self._fingerprint:
            raise OtherSourceError(
                f"{type(self._source).__name__} gives other rows on this machine ({own[:12]}) than where the study "
                f"began ({self._fingerprint[:12]})",
                where="data",
                remedy="Install the same packages there, or name a revision; or write the rows to a file (data=files), "
                "which travels.",
            )
        loaded = self._source.load(columns)
        self.findings = self._source.findings
        return loaded
