"""A study as a report and the commands show it: its state with what follows from it. No plotting here, no database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ftsweep.analysis.answers import model_words
from ftsweep.analysis.comparison import compare
from ftsweep.domain.answers import Model, model_name
from ftsweep.domain.approach import Approach
from ftsweep.domain.commands import DEFAULT_STORE, store_command
from ftsweep.domain.database_use import DatabaseUse
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.space import Dimension
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import TrialRecord
from ftsweep.domain.verdict import Verdict
from ftsweep.errors import UsageError
from ftsweep.report.answers import ModelAnswers, base_answers, model_answers, trial_answers
from ftsweep.report.data_facts import DataFacts, data_facts
from ftsweep.report.settings import Settings, read_settings
from ftsweep.report.study_fit import judged_study
from ftsweep.report.trial_summary import TrialSummary, summarise
from ftsweep.store.database_use import read_database_use
from ftsweep.store.folders import StudyFolder
from ftsweep.store.phases import read_phases
from ftsweep.store.study_state import read_state

_OF_SETTINGS = ("dimensions", "param_names", "_paths", "text_paths")
"""What is computed of trials' settings alone."""


@dataclass(frozen=True)
class TestedModel:
    """What was measured once on the test split, by `test/<metric>`. `number` is that of the trial whose setting it has;
    None for an untouched base.
    """

    __test__ = False  # pytest would collect it by its name

    label: str
    number: int | None
    values: Mapping[str, float]
    seed: int = 0
    """0: the trial itself; else its fresh seed."""


@dataclass(frozen=True)
class StudyOverview:
    """A study, running or done, with its sweep's settings and the verdicts on its search."""

    state: StudyState
    settings: Settings = field(default_factory=Settings)
    verdicts: tuple[Verdict, ...] = ()
    folder: StudyFolder | None = field(default=None, compare=False)
    """Where the study lies, for what is read only when it is shown; None where it is not known."""
    fresh: tuple[TrialRecord, ...] = ()
    """Runs with fresh seeds, under the numbers of the trials whose settings they have."""
    phases: tuple[tuple[str, float, float], ...] = ()
    """What went on from when to when, in seconds since 1970."""
    known: Mapping[int, TrialSummary] = field(default_factory=dict, compare=False, repr=False)
    """Summaries that were made before, by number: those of trials that are the same since are taken."""
    shown: frozenset[int] | None = None
    """The numbers of the trials that there are for this view; None: all."""
    looked_at: frozenset[int] = field(default=frozenset(), compare=False)
    """The numbers of trials that are selected: of many they are drawn first."""

    @property
    def name(self) -> str:
        return self.state.study

    @property
    def store(self) -> Path | str:
        """What a command about the study takes as --store."""
        return Path(DEFAULT_STORE).absolute() if self.folder is None else self.folder.store.name

    @property
    def objective(self) -> Objective:
        return self.state.objective

    @property
    def is_final(self) -> bool:
        """Whether the study has come to its end, so that the best is the winner and not only the best so far."""
        return self.state.is_concluded

    @property
    def result(self) -> StudyResult:
        """What was measured when the study came to its end, though it may have gone on since; empty before."""
        return self.state.result or StudyResult("")

    @property
    def conclusion(self) -> StudyResult:
        """The result as long as it holds: empty once the study has gone on."""
        return self.result if self.is_final else StudyResult("")

    @property
    def model(self) -> Model | None:
        """The weights that were handed over, as long as that holds."""
        return self.conclusion.model

    def name_on_test(self, number: int) -> str:
        """A trial among what was measured on test: the chosen model's own name where it has the trial's setting."""
        chosen = self.result.model
        return chosen.name if chosen is not None and chosen.number == number else model_name(number)

    def values_of(self, trial: TrialSummary) -> Mapping[str, float]:
        """All metrics of a trial at its best rung, by `<split>/<metric>`; of the best one those of the chosen model."""
        is_model = self.model is not None and trial.is_best and bool(self.model.values)
        return self.model.values if self.model is not None and is_model else trial.best_values()

    @cached_property
    def trials(self) -> tuple[TrialSummary, ...]:
        best, verdicts = self.state.best, self.state.verdicts
        return tuple(
            summarise(
                record,
                self.objective,
                is_best=record is best,
                verdicts=verdicts.get(record.number, ()),
                is_at_rest=self.state.is_at_rest,
                known=self.known.get(record.number),
            )
            for record in self.state.trials
            if self.shown is None or record.number in self.shown
        )

    def only(self, numbers: Iterable[int]) -> StudyOverview:
        """The same study with a look at these trials alone; its best stays what it is."""
        return replace(self, shown=frozenset(numbers))

    def looking_at(self, numbers: Iterable[int]) -> StudyOverview:
        """The same study with these trials selected; what was computed of its trials is not computed again."""
        return self._told(replace(self, looked_at=frozenset(numbers)), ("trials", "metrics", *_OF_SETTINGS))

    def with_settings_of(self, earlier: StudyOverview) -> StudyOverview:
        """This study; where trials have the settings that they had earlier, nothing about those is computed again."""
        ours, theirs = ([trial.proposal for trial in study.state.trials] for study in (self, earlier))
        return earlier._told(self, _OF_SETTINGS) if (ours, self.settings) == (theirs, earlier.settings) else self

    def _told(self, other: StudyOverview, names: Iterable[str]) -> StudyOverview:
        """The other one, which takes over what of these names was computed here."""
        other.__dict__.update({name: self.__dict__[name] for name in names if name in self.__dict__})
        return other

    @cached_property
    def best(self) -> TrialSummary | None:
        return next((trial for trial in self.trials if trial.is_best), None)

    @cached_property
    def default(self) -> TrialSummary | None:
        """The default setting; with branches, that of the best trial's branch."""
        defaults = [trial for trial in self.trials if trial.is_default]
        branch = self.best.branch if self.best else None
        return next((trial for trial in defaults if trial.branch == branch), defaults[0] if defaults else None)

    @cached_property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The space by parameter name, as the sweep file declares it or else as the trials' values suggest."""
        return self.settings.dimensions_of((trial.branch, trial.params) for trial in self.trials)

    @cached_property
    def param_names(self) -> tuple[str, ...]:
        """Parameters in the order of the sweep file."""
        return tuple(dict.fromkeys([*self.dimensions, *(name for trial in self.trials for name in trial.params)]))

    def params_of(self, trial: TrialSummary) -> dict[str, Any]:
        """A trial's parameters in the order of the sweep file."""
        return {name: trial.params[name] for name in self.param_names if name in trial.params}

    def param_path(self, name: str) -> str:
        """A parameter's dotted config path: its name without the branch's prefix."""
        return self._paths.get(name, name)

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for trial in self.trials:
            for name in trial.params:
                found.setdefault(name, name.removeprefix(f"{trial.branch}.") if trial.branch else name)
        return found

    @cached_property
    def text_paths(self) -> frozenset[str]:
        """Config paths of parameters whose values are not all numbers."""
        return frozenset(
            self.param_path(name)
            for trial in self.trials
            for name, value in trial.params.items()
            if isinstance(value, bool) or not isinstance(value, int | float)
        )

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """What any trial measured at its best rung, by `<split>/<metric>`."""
        return tuple({key: None for trial in self.trials for key in trial.best_values()})

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        """Metrics of the untouched bases by branch label, under the keys that measurements have."""
        return {label: _with_split("validation", values) for label, values in self.state.baseline.items()}

    def baseline_value(self, branch: str) -> float | None:
        """The objective of the untouched base in a branch, None when it was not measured."""
        value = self.baselines.get(branch or "main", {}).get(self.objective.key)
        return value if value is not None and math.isfinite(value) else None

    @property
    def tests(self) -> tuple[TestedModel, ...]:
        return tuple(_tested_model(label, values) for label, values in self.result.test.items())

    @cached_property
    def approaches(self) -> tuple[Approach, ...]:
        """Whole approaches, the cheapest first: from the result, before there is one from the trials so far.

        None in a study without branches.
        """
        if self.conclusion.approaches or not self.settings.branches:
            return self.conclusion.approaches
        labels, records = self.settings.branches, self.state.trials
        bases = {label: values for label, values in self.state.baseline.items() if label in labels}
        found = compare(records, self.objective, labels, baseline=bases, test=self.conclusion.test, data={})
        return tuple(found)

    @cached_property
    def answers(self) -> tuple[ModelAnswers, ...]:
        """What the untouched base, the default setting and the chosen model (before there is one the best trial)
        answered; empty where nothing was asked.
        """
        best, folder = self.best, self.folder
        if folder is None or best is None:
            return ()
        seed = self.model.seed if self.model is not None else 0
        default = [self.default.number] if self.default and (seed or self.default is not best) else []
        found = (
            base_answers(folder, best.branch, self.objective),
            *trial_answers(folder, default, self.objective),
            model_answers(folder.run(best.number, seed), model_words(best.number, seed), self.objective),
        )
        return tuple(each for each in found if each is not None)

    @cached_property
    def database(self) -> DatabaseUse | None:
        """What the study's database on a server costs; None of the store's own file."""
        return None if self.folder is None else read_database_use(self.folder)

    @property
    def data(self) -> tuple[DataFacts, ...]:
        """One for all branches, or more where their data differ."""
        found: dict[tuple[Any, ...], DataFacts] = {}
        for branch, answer in self.result.data.items():
            facts = data_facts(answer)
            key = (tuple(facts.num_rows.items()), facts.fingerprint, facts.findings)
            found[key] = replace(facts, branches=(*found.get(key, facts).branches, branch))
        return tuple(found.values())


def read_overview(folder: StudyFolder, state: StudyState | None = None) -> StudyOverview:
    """A study from its files alone, running or done. Who has its `state` already gives it: nothing is read twice.

    Raises:
        UsageError: the folder holds no study.
    """
    if not folder.sweep_file.exists():
        see = store_command("status", store=folder.store.name)
        raise UsageError(f"there is no study {folder.name!r}", where=str(folder.path), remedy=f"See: {see}")
    settings = read_settings(folder)
    state = read_state(folder) if state is None else state
    return StudyOverview(
        state,
        settings,
        tuple(judged_study(state, settings)),
        folder=folder,
        fresh=tuple(folder.confirmed()),
        phases=read_phases(folder),
    )


def _tested_model(label: str, values: Mapping[str, float]) -> TestedModel:
    number, _, seed = label.removeprefix("trial-").partition("-")
    is_trial = label.startswith("trial-") and number.isdigit()
    values = _with_split("test", values)
    return TestedModel(label, int(number) if is_trial else None, values, int(seed) if is_trial and seed else 0)


def _with_split(split: str, values: Mapping[str, float]) -> dict[str, float]:
    """Metrics under the keys that measurements have: `<split>/<metric>`."""
    return {f"{split}/{metric}": value for metric, value in values.items()}
