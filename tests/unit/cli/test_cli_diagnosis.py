"""`ftsweep doctor` says of every extra whether what it brings is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ftsweep.cli.diagnosis import OPTIONAL

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_extra_is_asked_for_by_a_package_that_it_brings() -> None:
    extras = {name: needs for name, needs in PROJECT["optional-dependencies"].items() if name != "dev"}
    assert {extra for extra, _ in OPTIONAL.values()} == set(extras)
    for package, (extra, _) in OPTIONAL.items():
        assert any(need.startswith(package) for need in extras[extra])
