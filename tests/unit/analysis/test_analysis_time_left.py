"""What comes after a search, as far as it can be guessed."""

from __future__ import annotations

import pytest

from ftsweep.analysis.time_left import ending_seconds, trials_after

PHASES = (("preparing data of main", 0.0, 9.0), ("measuring the untouched base of main", 9.0, 13.0))


@pytest.mark.parametrize(
    ("selection", "trials"),
    [
        ({}, 0),
        ({"top": 3, "seeds": 0, "budget": 0.5}, 0),
        ({"top": 3, "seeds": 2, "budget": 0.5}, 6),
        ({"top": 1, "seeds": 2, "budget": 0.5}, 4),
        ({"top": 1, "seeds": 2, "budget": 0.5, "quantity": True}, 4 + 2 * 0.75),
        ({"top": 1, "seeds": 0, "budget": 0.5, "quantity": True}, 1.75),
    ],
)
def test_the_race_and_the_probe_of_quantity_count_in_trials(selection: dict[str, float], trials: float) -> None:
    assert trials_after(selection, 12) == trials


def test_test_and_export_take_as_often_as_long_as_a_base_did() -> None:
    assert ending_seconds(PHASES, 1) == 5 * 4.0
    other = (*PHASES, ("measuring the untouched base of full", 13.0, 19.0))
    assert ending_seconds(other, 2) == 8 * 5.0
    assert ending_seconds(PHASES[:1], 1) == 0.0, "nothing is known yet"
