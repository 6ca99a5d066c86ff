"""Any value of any setting of every shipped component is taken or refused with its key."""

from __future__ import annotations

from typing import Any

import yaml
from fuzzing import fuzz
from hypothesis import strategies as st

from ftsweep.config.build import locate
from ftsweep.config.checks.components import Request, check_component
from ftsweep.config.checks.values import parameters
from ftsweep.config.folders import shipped_folder
from ftsweep.errors import FtsweepError, UsageError

FILES = sorted(shipped_folder("conf").glob("*/*.yaml"))
NODES = [(file.parent.name, file.stem, yaml.safe_load(file.read_text())) for file in FILES]
SETTINGS = [
    (f"guards.{name}" if group == "guards" else group, node, key)
    for group, name, node in NODES
    for key in parameters(locate(node["_target_"]))
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 2**63 - 1, 1e-300, 1e308, "", "..", "all", "auto", "off", "refuse"])
    | st.floats()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["train", "text", "a", "", "_target_"]) | st.text(max_size=3), inner, max_size=3
        )
        | st.just({"_target_": "ftsweep.strategies.Lora"})
    ),
    max_leaves=6,
)


@fuzz(300, setting=st.sampled_from(SETTINGS), value=values)
def test_any_value_of_a_component_is_taken_or_refused_with_its_key(setting: Any, value: Any) -> None:
    group, node, key = setting
    filled = {name: "x" if given == "???" else given for name, given in node.items()}
    refused: FtsweepError | None = None
    try:
        check_component(Request(group, {**filled, key: value}))
    except FtsweepError as error:
        refused = error
    if refused is not None:
        assert isinstance(refused, UsageError)
        assert group.rpartition(".")[2] in (refused.where or "")
        assert "object has no attribute" not in str(refused)
        assert "not supported between" not in str(refused)
