"""What becomes dearer with a study is done less often, and what is cheap every time."""

from __future__ import annotations

import pytest

from ftsweep.control import throttle
from ftsweep.control.throttle import Pace


@pytest.mark.parametrize(("cost", "wait"), [(0.0005, 0.0), (0.5, 50.0)])
def test_an_action_is_held_to_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch, cost: float, wait: float) -> None:
    now = 1000.0
    monkeypatch.setattr(throttle.time, "perf_counter", lambda: now)
    pace = Pace()
    assert pace.is_due()
    with pace.measured():
        now += cost
    assert pace.is_due() is (wait == 0)
    now += wait * 0.99
    assert pace.is_due() is (wait == 0)
    now += wait * 0.02
    assert pace.is_due()
