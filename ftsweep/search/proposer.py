"""What to try next: the plan first, then the sampler, never a setting twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from ftsweep.domain.points import num_points, point
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Proposal
from ftsweep.errors import StudyError
from ftsweep.search.encoding import BranchEncoding
from ftsweep.search.planned import Plan, PlannedSetting
from ftsweep.search.samplers.base import Ask, Sampler
from ftsweep.search.storage.extend import ORIGIN
from ftsweep.search.study_view import BRANCH, Draft, StudyView
from ftsweep.search.trial_window import SeenTrials


class Proposer:
    """Decides each trial's branch and setting from what was asked and told so far, and the seed: nothing else."""

    def __init__(
        self,
        study: optuna.Study,
        branches: Sequence[Branch],
        sampler: Sampler,
        *,
        seed: int,
        plan: Sequence[PlannedSetting],
        startup_per_branch: int,
    ) -> None:
        self._encodings = {branch.name: BranchEncoding(branch) for branch in branches}
        self._study = study
        self._sampler = sampler
        self._seed = seed
        self._startup_per_branch = startup_per_branch
        self.plan = Plan(plan)
        self._num_asked: Counter[str] = Counter()
        self._sizes = {name: num_points(encoding.branch.space) for name, encoding in self._encodings.items()}
        self.avoid: frozenset[str] = frozenset()  # branches that are not proposed now
        self._branch_distribution = CategoricalDistribution(tuple(self._encodings))
        random = RandomSampler(seed=seed)
        study.sampler = random  # told of every ending, which is nothing to it
        self._draft = Draft(study._storage)
        self._seen_all = SeenTrials(study.direction)
        self._seen = {name: SeenTrials(study.direction) for name in self._encodings}
        self._all = StudyView(study, self._draft, random, self._seen_all)
        self._views = {
            name: StudyView(study, self._draft, random, seen, needs_values=sampler.needs_values)
            for name, seen in self._seen.items()
        }

    def note(self, branch: str, params: Mapping[str, Any], trial: FrozenTrial) -> None:
        """A trial with this setting is stored."""
        self.plan.note(self._encodings[branch].branch, params, trial.number)
        self._num_asked[branch] += 1
        self._seen[branch].begin(trial)
        self._seen_all.begin(trial)

    def note_pause(self, proposal: Proposal, *, is_over: bool = False) -> None:
        """A trial that was noted waits at a rung, or goes on."""
        for seen in (self._seen[proposal.branch], self._seen_all):
            seen.pause(proposal.number, is_over=is_over)

    def note_end(self, branch: str, number: int) -> None:
        """A trial that was noted has ended."""
        self._seen[branch].end(number)
        self._seen_all.end(number)

    def exhausted(self, avoid: Collection[str] = ()) -> str | None:
        """Why there is nothing left to propose, of branches other than these; None while there is."""
        if any(self._has_room(name) for name in self._encodings if name not in avoid):
            return None
        return f"All {self.plan.num_asked} settings of the space have been tried."

    def propose(self, number: int) -> tuple[Proposal, FrozenTrial]:
        """The next trial, and how it is to be stored; nothing is stored here."""
        self._draft.forget()
        branch, params, origin = self._propose(create_trial(state=TrialState.RUNNING), number)
        return self._as_stored(number, branch.name, params, origin, dict(self._draft.of_trial))

    def again(self, proposal: Proposal) -> tuple[Proposal, FrozenTrial]:
        """As `propose`, of a trial whose proposal nobody remembers."""
        origin = "default" if proposal.is_default else "proposed"
        return self._as_stored(proposal.number, proposal.branch, proposal.params, origin, {})

    def _as_stored(
        self, number: int, branch: str, params: Mapping[str, Any], origin: str, attributes: dict[str, Any]
    ) -> tuple[Proposal, FrozenTrial]:
        encoding = self._encodings[branch]
        stored: dict[str, Any] = encoding.encode(params)
        proposal = Proposal(number, branch, encoding.decode(stored), origin == "default")
        distributions = {name: one.distribution for name, one in encoding.by_name.items()}
        if len(self._encodings) > 1:
            stored = {BRANCH: branch, **stored}
            distributions = {BRANCH: self._branch_distribution, **distributions}
        return proposal, create_trial(
            state=TrialState.RUNNING,
            params=stored,
            distributions=distributions,
            system_attrs=attributes,
            user_attrs={ORIGIN: origin},
        )

    def note_stored(self) -> None:
        """What was proposed last is stored: keep what the sampler counts over the study (a place in a sequence)."""
        for key, value in self._draft.of_study.items():
            self._study._storage.set_study_system_attr(self._study._study_id, key, value)

    def read(self, stored: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The branch and the setting of a stored trial."""
        branch = str(stored[BRANCH]) if len(self._encodings) > 1 else next(iter(self._encodings))
        return branch, self._encodings[branch].decode(stored)

    def _propose(self, trial: FrozenTrial, number: int) -> tuple[Branch, dict[str, Any], str]:
        """The branch, the setting by parameter name, and where it comes from: `default`, `enqueued`, `proposed`."""
        trial.number = number
        if (item := self.plan.first(self.avoid)) is not None:
            return item.branch, dict(item.params), "default" if item.is_default else "enqueued"
        self._all.forget()
        for view in self._views.values():
            view.forget()
        for attempt in range(self._sampler.attempts):
            name = self._choose_branch(trial, attempt)
            sampler = self._make(self._ask(trial.number, attempt))
            params = self._draw(sampler, name, trial)
            if self.plan.number_of(self._encodings[name].branch, params) is None:
                break
        else:
            params = self._draw_new(name, trial)
        return self._encodings[name].branch, params, "proposed"

    def _choose_branch(self, trial: FrozenTrial, attempt: int) -> str:
        """In turn until every branch has had its start-up trials, then as the sampler prefers."""
        names = [name for name in self._encodings if self._has_room(name) and name not in self.avoid]
        least = min(names, key=lambda name: self._num_asked[name])  # the first of equals
        if len(names) == 1 or not self._sampler.prefers_branches or self._num_asked[least] < self._startup_per_branch:
            return least
        sampler = self._make(Ask(self._seed_of(trial.number, attempt), self._seed, num_branches=1))
        space: dict[str, BaseDistribution] = {BRANCH: self._branch_distribution}
        chosen = sampler.sample_relative(self._all, trial, space).get(BRANCH)
        if chosen is None:
            chosen = sampler.sample_independent(self._all, trial, BRANCH, self._branch_distribution)
        return chosen if chosen in names else least

    def _make(self, ask: Ask) -> BaseSampler:
        sampler = self._sampler.make(ask)
        if not isinstance(sampler, BaseSampler):
            raise _faulty(f"{type(self._sampler).__name__} makes {sampler!r}", "It must make a sampler of Optuna's.")
        return sampler

    def _draw(self, sampler: BaseSampler, name: str, trial: FrozenTrial) -> dict[str, Any]:
        view, encoding = self._views[name], self._encodings[name]
        drawn = dict(sampler.sample_relative(view, trial, encoding.varying)) if encoding.varying else {}
        params = {}
        for param, one in encoding.by_name.items():
            if param in encoding.varying and param not in drawn:
                drawn[param] = sampler.sample_independent(view, trial, param, one.distribution)
            if param in drawn and not _lies_in(one.distribution, drawn[param]):
                raise _faulty(
                    f"{type(self._sampler).__name__} proposes {param}={drawn[param]!r}, which is not in the space",
                    f"The space has {one.dimension}.",
                )
            params[param] = one.decode(drawn[param]) if param in drawn else _only_value(one.distribution, one.decode)
        return params

    def _draw_new(self, name: str, trial: FrozenTrial) -> dict[str, Any]:
        """A setting that was not tried, by chance; where the space is continuous, at worst one that was."""
        encoding, total = self._encodings[name], self._sizes[name]
        if total is None:
            return self._draw(RandomSampler(seed=self._seed_of(trial.number, self._sampler.attempts)), name, trial)
        start = int(np.random.default_rng([self._seed, trial.number]).integers(total))
        for index in range(start, start + total):
            by_path = point(encoding.branch.space, index % total)
            params = {encoding.branch.param_name(path): value for path, value in by_path.items()}
            if self.plan.number_of(encoding.branch, params) is None:
                return params
        raise AssertionError(f"branch {name!r} has no setting left")

    def _has_room(self, name: str) -> bool:
        size = self._sizes[name]
        return size is None or self._num_asked[name] < size

    def _ask(self, number: int, attempt: int) -> Ask:
        return Ask(self._seed_of(number, attempt), self._seed, num_branches=len(self._encodings))

    def _seed_of(self, number: int, attempt: int) -> int:
        return int(np.random.SeedSequence([self._seed, number, attempt]).generate_state(1)[0])


def _lies_in(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (TypeError, ValueError):
        return False


def _faulty(what: str, why: str) -> StudyError:
    return StudyError(what, where="sampler", remedy=f"{why} Mend it and run the same command again.")


def _only_value(distribution: BaseDistribution, decode: Any) -> Any:
    stored = distribution.choices[0] if isinstance(distribution, CategoricalDistribution) else distribution.low  # type: ignore[attr-defined]
    return decode(stored)
