"""What a trial's record is judged by."""

from __future__ import annotations

import pytest

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Proposal, TrialRecord

MEASURED = tuple(
    Measurement(rung, rung / 3, rung, rung, 1.0, 1.0, {"validation/loss": loss, "validation/accuracy": loss / 4})
    for rung, loss in enumerate((3.0, 2.0, 1.5, 1.7))
)


def test_best_rung_is_looked_for_once_and_anew_for_another_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    record, loss = TrialRecord(Proposal(0, "", {}), MEASURED), Objective()
    looked, real = [], Objective.best
    monkeypatch.setattr(Objective, "best", lambda self, found: (looked.append(self.key), real(self, found))[1])

    assert record.best(loss) is record.best(loss) is MEASURED[2]
    assert record.best(Objective(metric="accuracy", direction="maximize")) is MEASURED[1]
    assert looked == ["validation/loss", "validation/accuracy"]
    assert record == TrialRecord(Proposal(0, "", {}), MEASURED), "what was found is no part of it"
    assert TrialRecord(Proposal(0, "", {})).best(loss) is None
