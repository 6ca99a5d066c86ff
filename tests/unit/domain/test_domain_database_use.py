"""What a database on a server costs, in a sentence."""

from __future__ import annotations

import pytest

from ftsweep.domain.database_use import DatabaseUse, Latency


@pytest.mark.parametrize(
    ("ask", "tell", "said"),
    [
        (
            [0.031, 0.08, 0.02],
            [0.029],
            "ask 31 ms (median of 3; longest 80 ms), tell 29 ms (median of 1; longest 29 ms)",
        ),
        ([], [], "ask never, tell never"),
    ],
)
def test_calls_are_told_with_how_many_there_were(ask: list[float], tell: list[float], said: str) -> None:
    assert str(DatabaseUse("postgresql://db/x", Latency.of(ask), Latency.of(tell))) == f"postgresql://db/x: {said}"
