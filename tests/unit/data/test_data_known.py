"""A worker on another machine: the rows and the models of the study, or a refusal in words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ftsweep.data.base import Row
from ftsweep.data.sources.files import Files
from ftsweep.data.sources.known import HeldToStudy, KnownSources
from ftsweep.data.sources.topics import Topics
from ftsweep.errors import OtherSourceError

TOPICS = {"_target_": "ftsweep.data.Topics", "limit": 5}
HUB = {"_target_": "ftsweep.models.HubModel", "name": "a/b", "revision": "main"}


def elsewhere(known: KnownSources, **job: Any) -> KnownSources:
    """The sources of a worker on another machine."""
    other = KnownSources()
    other.learn({"sources": known.found, **job})
    return other


def test_rows_of_another_installation_are_refused_when_they_would_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    known = KnownSources()
    fingerprint = known.data(TOPICS).fingerprint()
    monkeypatch.setattr(Topics, "fingerprint", lambda self: "f" * 32)
    data = elsewhere(known).data(TOPICS)
    assert data.fingerprint() == fingerprint  # so a prepared set that was brought is found
    with pytest.raises(OtherSourceError, match=r"Topics gives other rows on this machine \(ffffffffffff\)") as caught:
        data.load(["text"])
    assert "data=files" in str(caught.value)


def test_rows_of_the_same_installation_are_given_with_what_reading_them_showed() -> None:
    known = KnownSources()
    plain = known.data(TOPICS)
    data = elsewhere(known).data(TOPICS)
    assert isinstance(data, HeldToStudy)
    assert data.load(["text"]) == plain.load(["text"])
    assert (data.group, data.test_fraction, data.findings) == (plain.group, plain.test_fraction, plain.findings)


def test_files_are_known_by_the_paths_of_the_studys_machine(tmp_path: Path) -> None:
    root = f"{tmp_path}/stores/abc"
    for place in (tmp_path, Path(f"{root}{tmp_path}")):
        place.mkdir(parents=True, exist_ok=True)
        (place / "rows.jsonl").write_text('{"text": "a"}\n')
    node = {"_target_": "ftsweep.data.Files", "train": f"{tmp_path}/rows.jsonl"}
    known = KnownSources()
    known.data(node)
    there = {**node, "train": f"{root}{tmp_path}/rows.jsonl"}
    other = elsewhere(known, root=root)
    assert other.named(there) == node
    assert isinstance(other.data(there), HeldToStudy)
    Path(there["train"]).write_text('{"text": "b"}\n')
    with pytest.raises(OtherSourceError, match="Files gives other rows"):
        other.data(there).load(["text"])


class Model:
    """Of a hub, at a revision."""

    def __init__(self, revision: str) -> None:
        self._revision = revision

    def reference(self) -> dict[str, Any]:
        return {"revision": self._revision} if self._revision else {"path": "/base"}


def test_a_model_at_another_commit_is_refused_once_both_are_known() -> None:
    known = KnownSources()
    for revision in ("", "main", "a" * 40, "a" * 40, "main"):
        known.check_model(HUB, Model(revision))
    assert list(known.found.values()) == ["a" * 40]
    other = elsewhere(known)
    other.check_model(HUB, Model("main"))  # not here yet
    with pytest.raises(OtherSourceError, match=r"model\.revision: this machine has commit bbbbbbbbbbbb of the model"):
        other.check_model(HUB, Model("b" * 40))


def test_what_is_known_can_be_told() -> None:
    known = KnownSources()
    known.data(TOPICS)
    assert json.loads(json.dumps(known.found)) == known.found


def test_components_of_ones_own_are_built_where_they_are_allowed() -> None:
    node = {"_target_": f"{__name__}.Own"}
    assert KnownSources([__name__.partition(".")[0]]).data(node).fingerprint() == "own"


class Own(Files):
    """Rows of one's own."""

    def __init__(self) -> None:
        return

    def fingerprint(self) -> str:
        return "own"

    def load(self, columns: Iterable[str]) -> dict[str, list[Row]]:
        return {"train": []}
