"""Any space is refused with its key, or everything that is proposed lies inside it and reads the same from its YAML."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from fuzzing import fuzz
from hypothesis import strategies as st

from ftsweep.config.nodes.space import as_tree, parse_space
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import ConfigError
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Qmc, Random, Tpe
from ftsweep.search.study import Study

numbers = (
    st.integers(-5, 40)
    | st.sampled_from(
        [0, 1e-5, 1e-300, 5e-324, 1e308, 1 / 3, 0.1, 0.3, 2**53, 2**53 + 1, 2**63 - 1, float("inf"), float("nan")]
    )
    | st.floats()
)
intervals = st.fixed_dictionaries(
    {"low": numbers, "high": numbers}, optional={"log": st.booleans() | st.none(), "step": numbers | st.none()}
)
values = st.none() | st.booleans() | numbers | st.text(max_size=5) | st.lists(st.integers(0, 3), max_size=2)
dimensions = intervals | st.lists(values, max_size=5) | values
spaces = st.fixed_dictionaries(
    {"training": st.dictionaries(st.sampled_from(["learning_rate", "epochs", "batch_size"]), dimensions, max_size=3)},
    optional={"strategy": st.dictionaries(st.sampled_from(["rank", "targets"]), dimensions, max_size=2)},
)
NODES = {"learning_rate": 1e-3, "epochs": 3, "batch_size": 8}
CONFIG = {"training": NODES, "strategy": {"rank": 8, "targets": "all-linear"}}


@fuzz(25, tree=spaces, kind=st.sampled_from([Random, Tpe, Qmc]), seed=st.integers(0, 2**32 - 1))
def test_what_is_proposed_lies_inside_the_space(tree: dict[str, Any], kind: type, seed: int) -> None:
    refused = None
    try:
        space = parse_space(tree)
    except ConfigError as error:
        refused = error
    if refused is not None:
        assert (refused.where or "").startswith("space")
        return
    assert parse_space(as_tree(space)) == space
    branch = Branch("", CONFIG, space)
    objective = Objective("loss", "validation", "minimize")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optuna.db"
        try:
            study = Study.open(path, "s", objective, [branch], kind(), NoPruner(), seed=seed, num_rungs=2)
        except ConfigError:
            return
        with closing(study):
            for _ in range(4):
                proposal = study.ask()
                if proposal is None:
                    break
                assert space.contains(proposal.params), proposal.params
                assert branch.config_with(proposal.params)["training"].keys() == NODES.keys()
                study.tell(proposal.number, Outcome(OutcomeKind.DIVERGED), [])
