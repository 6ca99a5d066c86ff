"""What every sampler promises, over every kind of dimension and both directions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.metric import Direction
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, Choice, FloatInterval, IntInterval, Space
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import CmaEs, Gp, Grid, Qmc, Random, Sampler, Tpe, gp_fit
from ftsweep.search.samplers.gp_process import GpProcess
from ftsweep.search.study import Study

pytestmark = pytest.mark.usefixtures("copied_tables")

CONFIG = {
    "training": {"learning_rate": 1e-3, "batch_size": 16, "epochs": 3, "decay": 0.1, "only": 3},
    "strategy": {"rank": 8, "targets": "all-linear"},
}
MIXED = Space(
    {
        "training.learning_rate": FloatInterval(1e-5, 1e-1, log=True),
        "training.decay": FloatInterval(0.0, 0.3, step=0.1),
        "training.epochs": IntInterval(1, 6, step=2),
        "training.batch_size": Choice((8, 16, 32)),
        "training.only": Choice((3,)),
        "strategy.rank": IntInterval(2, 64, log=True),
        "strategy.targets": Choice(("all-linear", ["q", "v"], None)),
    }
)
FINITE = Space({path: dimension for path, dimension in MIXED.dimensions.items() if path != "training.learning_rate"})
SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "tpe": lambda: Tpe(startup_trials=4),
    "random": Random,
    "grid": Grid,
    "qmc": Qmc,
    "gp": lambda: Gp(startup_trials=7),  # half a second for each trial after
    "cmaes": lambda: CmaEs(population=4),
}


@pytest.fixture(autouse=True)
def gp_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The helper's pure function without the helper's start; the real helper has a test of its own."""

    def propose(self: GpProcess, request: dict[str, Any]) -> dict[str, Any]:
        return json.loads(json.dumps(gp_fit.propose(json.loads(json.dumps(request)))))

    monkeypatch.setattr(GpProcess, "propose", propose)


@pytest.fixture(params=SAMPLERS)
def make_sampler(request: pytest.FixtureRequest) -> Callable[[], Sampler]:
    return SAMPLERS[request.param]


@pytest.fixture(params=["minimize", "maximize"])
def objective(request: pytest.FixtureRequest) -> Objective:
    direction: Direction = request.param
    return Objective("score", "validation", direction)


def space_for(make_sampler: Callable[[], Sampler]) -> Space:
    return FINITE if isinstance(make_sampler(), Grid) else MIXED


def open_study(path: Path, make_sampler: Callable[[], Sampler], objective: Objective, branches: list[Branch]) -> Study:
    return Study.open(path / "optuna.db", "s", objective, branches, make_sampler(), NoPruner(), seed=7, num_rungs=2)


def value_of(params: Mapping[str, Any]) -> float:
    by_leaf = {name.rsplit(".", 1)[-1]: value for name, value in params.items()}
    rate = by_leaf.get("learning_rate", 1e-3)
    return (math.log10(rate) + 3) ** 2 + by_leaf["rank"] / 64 + by_leaf["epochs"] / 10


def tell(study: Study, proposal: Proposal, kind: OutcomeKind | None = None) -> None:
    """End a trial: every fifth as pruned, every seventh as infeasible, the others complete."""
    number = proposal.number
    if kind is None:
        kind = OutcomeKind.PRUNED if number % 5 == 4 else OutcomeKind.COMPLETE
        kind = OutcomeKind.INFEASIBLE if number % 7 == 6 else kind
    value = value_of(proposal.params)
    measurements = [
        Measurement(rung, rung / 2, 0, 0, 0.0, 0.0, {study.objective.key: value + 1 - rung / 2})
        for rung in range({OutcomeKind.COMPLETE: 3, OutcomeKind.PRUNED: 2}.get(kind, 0))
    ]
    study.tell(number, Outcome(kind), measurements)


def run(study: Study, num_trials: int) -> list[Proposal]:
    proposals = []
    for _ in range(num_trials):
        proposal = study.ask()
        assert proposal is not None
        proposals.append(proposal)
        tell(study, proposal)
    return proposals


def test_proposals_lie_in_the_space_and_have_its_types(
    tmp_path: Path, make_sampler: Callable[[], Sampler], objective: Objective
) -> None:
    space = space_for(make_sampler)
    with closing(open_study(tmp_path, make_sampler, objective, [Branch("", CONFIG, space)])) as study:
        proposals = run(study, 11)
    assert [proposal.number for proposal in proposals] == list(range(11))
    assert len({json.dumps(proposal.params) for proposal in proposals}) == 11
    for proposal in proposals:
        assert list(proposal.params) == list(space.dimensions)
        assert space.contains(proposal.params), proposal
        for name in ("training.epochs", "training.batch_size", "strategy.rank", "training.only"):
            assert type(proposal.params[name]) is int
        assert proposal.params["strategy.targets"] in ("all-linear", ["q", "v"], None)
        Branch("", CONFIG, space).config_with(proposal.params)


def test_same_seed_gives_same_proposals_across_restarts(tmp_path: Path, make_sampler: Callable[[], Sampler]) -> None:
    branches = [Branch("", CONFIG, space_for(make_sampler))]
    with closing(open_study(tmp_path / "whole", make_sampler, Objective(), branches)) as study:
        whole = run(study, 9)
        in_flight = [study.ask(), study.ask()]
    interrupted: list[Proposal] = []
    for part in (1, 5, 3):
        with closing(open_study(tmp_path / "parts", make_sampler, Objective(), branches)) as study:
            interrupted += run(study, part)
    with closing(open_study(tmp_path / "parts", make_sampler, Objective(), branches)) as study:
        first = study.ask()
    with closing(open_study(tmp_path / "parts", make_sampler, Objective(), branches)) as study:
        second = study.ask()
        assert study.running() == [first, second]
    assert interrupted == whole
    assert [first, second] == in_flight


def test_another_seed_gives_other_proposals(tmp_path: Path, make_sampler: Callable[[], Sampler]) -> None:
    branch = Branch("", CONFIG, space_for(make_sampler))
    proposals = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.db"
        with closing(
            Study.open(path, "s", Objective(), [branch], make_sampler(), NoPruner(), seed=seed, num_rungs=2)
        ) as study:
            proposals.append([study.ask() for _ in range(3)])
    assert proposals[0][0] == proposals[1][0]  # the default setting
    assert proposals[0][1:] != proposals[1][1:]


def test_no_setting_is_proposed_twice_even_when_many_are_under_way(
    tmp_path: Path, make_sampler: Callable[[], Sampler]
) -> None:
    space = Space({"training.epochs": IntInterval(1, 5), "strategy.rank": Choice((4, 8, 16))})
    with closing(open_study(tmp_path, make_sampler, Objective(), [Branch("", CONFIG, space)])) as study:
        asked = [study.ask() for _ in range(6)]
        for proposal in asked[:5]:
            assert proposal is not None
            tell(study, proposal, OutcomeKind.COMPLETE)
        while proposal := study.ask():
            asked.append(proposal)
            tell(study, proposal)
        assert study.is_exhausted() == "All 15 settings of the space have been tried."
        assert study.num_asked == 15
    settings = {json.dumps(proposal.params) for proposal in asked if proposal}
    assert len(settings) == 15


def test_branches_have_their_own_parameters_and_share_the_start(
    tmp_path: Path, make_sampler: Callable[[], Sampler]
) -> None:
    space = space_for(make_sampler)
    branches = [Branch("full", CONFIG, Space({k: v for k, v in space.dimensions.items() if "targets" not in k}))]
    branches += [Branch("lora", CONFIG, space), Branch("head", CONFIG, Space())]
    with closing(open_study(tmp_path / "a", make_sampler, Objective(), branches)) as study:
        proposals = []
        for _ in range(12):
            proposal = study.ask()
            assert proposal is not None
            proposals.append(proposal)
            study.tell(
                proposal.number,
                Outcome(OutcomeKind.COMPLETE),
                [
                    Measurement(
                        2, 1.0, 0, 0, 0.0, 0.0, {study.objective.key: len(proposal.branch) + proposal.number / 100}
                    )
                ],
            )
    with closing(open_study(tmp_path / "a", make_sampler, Objective(), branches)) as study:
        assert [trial.proposal for trial in study.records()] == proposals
    assert [(proposal.branch, proposal.is_default) for proposal in proposals[:3]] == [
        ("full", True),
        ("lora", True),
        ("head", True),
    ]
    assert [proposal.branch for proposal in proposals[3:7]] == ["full", "lora"] * 2
    assert sum(proposal.branch == "head" for proposal in proposals) == 1  # it has one setting only
    by_name = {branch.name: branch for branch in branches}
    for proposal in proposals:
        branch = by_name[proposal.branch]
        assert list(proposal.params) == [branch.param_name(path) for path in branch.space.dimensions]
        assert branch.space.contains(
            {path: proposal.params[branch.param_name(path)] for path in branch.space.dimensions}
        )
