"""The choice after a race: the model to hand over with the folder that holds it, and the setting to train again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftsweep.analysis.answers import as_model, as_setting
from ftsweep.analysis.contenders import share_of_search, train_seconds
from ftsweep.analysis.seed_spread import ScoredRun
from ftsweep.analysis.two_answers import choose_model, choose_setting
from ftsweep.control.race import Race
from ftsweep.domain.answers import Model, Setting
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.folders import TrialFolder


@dataclass(frozen=True)
class Choice:
    """Both answers. `setting` is None where nothing was run again, or nothing was sound with all of its seeds."""

    model: Model
    folder: TrialFolder
    """Where the model's weights lie."""
    record: TrialRecord
    """The model's run, under the number of the trial whose setting it has."""
    setting: Setting | None

    def standing_for(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """All trials, that of the model's setting by the model's run."""
        return [self.record if each.number == self.record.number else each for each in records]


def choose(race: Race) -> Choice | None:
    """What a race came to; None when no trial of the search can be chosen."""
    if not race.contenders:
        return None
    keys, facts = race.in_hand, race.facts()
    runs = race.scored(keys)
    answer = choose_model(runs, facts, race.sign)
    assert answer is not None
    if not _has_weights(race, answer.setting, answer.seed):  # let go by an earlier choice
        there = [run for run in runs if _has_weights(race, run.setting, run.seed)]
        answer = choose_model(there, facts, race.sign)
        assert answer is not None
    key = (answer.setting, answer.seed)
    best = race.best_rung(key)
    assert best is not None
    model = as_model(answer, best, race.objective, tells_rows=race.tells_rows(keys))
    return Choice(model, race.place(key), race.record(key), _setting(race, runs))


def _setting(race: Race, runs: Sequence[ScoredRun]) -> Setting | None:
    """A setting of which a fresh run scored nothing works with some seeds only: it is not chosen."""
    failed = {number for number, _ in race.failed}
    own = [run for run in runs if run.setting in race.numbers and run.setting not in failed]
    answer = choose_setting(own, race.facts(), race.sign)
    if answer is None:
        return None
    fresh = race.fresh
    searched = {number: value for number in race.numbers if (value := race.value((number, 0))) is not None}
    seeds = {number: [race.value(key) for key in fresh if key[0] == number] for number in race.numbers}
    made = [race.record(key) for key in fresh]
    return as_setting(
        answer,
        race.objective,
        searched=searched,
        seeds=seeds,
        default=race.default,
        ended=race.next().reason,
        train_seconds=train_seconds(made),
        share=share_of_search(made, race.records, race.contenders),
    )


def _has_weights(race: Race, number: int, seed: int) -> bool:
    """The best trials' own are kept as long as the study is there; what is kept of others the choice before this one
    decided.
    """
    is_among_best = seed == 0 and number in race.numbers[: race.selection.top]
    return is_among_best or race.place((number, seed)).best.is_dir()
