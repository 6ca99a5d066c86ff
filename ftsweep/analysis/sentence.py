"""The winner in one sentence, with what it is held against. A pure function of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ftsweep.analysis.advice import shown_metric
from ftsweep.analysis.selection import Selection
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import BASELINE, model_name
from ftsweep.domain.trial import TrialRecord


def winner_sentence(
    selection: Selection,
    records: Sequence[TrialRecord],
    objective: Objective,
    *,
    num_rungs: int,
    baseline: Mapping[str, Mapping[str, float]],
    test: Mapping[str, Mapping[str, float]],
) -> str:
    """Its value on validation against its untouched base, and on test against its branch's default setting too."""
    winner = next(record for record in records if record.number == selection.number)
    where = f" of branch {winner.proposal.branch}" if winner.proposal.branch else ""
    rung = f"rung {selection.rung} of {num_rungs}"
    text = f"Trial {selection.number}{where} is best: {objective.key} {selection.value:.4g} at {rung}"
    base = baseline.get(winner.proposal.branch or "main", {}).get(objective.metric)
    if base is not None:
        is_gain = objective.is_better(selection.value, base)
        text += f" ({'' if is_gain else 'no better than the '}untouched base {base:.4g})"
    scores = test.get(model_name(selection.number), {})
    if scores:
        shown = shown_metric(scores, objective)
        peers = [record for record in records if record.proposal.branch == winner.proposal.branch]  # its own branch's
        defaults = [model_name(record.number) for record in peers if record.proposal.is_default]
        default = next((name for name in defaults if name in test and not winner.proposal.is_default), None)
        against = [f"default setting {test[default][shown]:.4g}"] if default else []
        if shown in test.get(BASELINE, {}):
            against.append(f"untouched base {test[BASELINE][shown]:.4g}")
        text += f"; on test {shown} {scores[shown]:.4g}" + (f" ({', '.join(against)})" if against else "")
    return text + "."
