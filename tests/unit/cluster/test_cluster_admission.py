"""A slot is refused where anybody could run code, and where it would run other code than this machine."""

from __future__ import annotations

from typing import Any

import pytest

from ftsweep.cluster.admission import NotStartedError, RefusedClusterError, check_admission, death_reason

HERE = {"ftsweep": "0.1.0", "torch": "2.13.0"}


def facts(**changes: Any) -> dict[str, Any]:
    return {"host": "two", "auth_mode": "token", "versions": dict(HERE), **changes}


def test_a_slot_behind_a_token_with_the_same_versions_is_taken() -> None:
    check_admission(facts(), versions_here=HERE, insecure=False)


@pytest.mark.parametrize("auth_mode", ["disabled", "", "none"])
def test_a_cluster_that_asks_for_no_token_is_refused_unless_that_is_wanted(auth_mode: str) -> None:
    with pytest.raises(RefusedClusterError, match="node two of the Ray cluster can run code") as refused:
        check_admission(facts(auth_mode=auth_mode), versions_here=HERE, insecure=False)
    assert "executor.insecure=true" in refused.value.remedy
    check_admission(facts(auth_mode=auth_mode), versions_here=HERE, insecure=True)


def test_other_versions_are_named_on_both_sides() -> None:
    with pytest.raises(NotStartedError, match=r"torch 2\.12\.0 \(here 2\.13\.0\)"):
        check_admission(facts(versions={**HERE, "torch": "2.12.0"}), versions_here=HERE, insecure=True)


def test_slot_that_never_ran_is_told_with_what_may_be_the_reason() -> None:
    error = RuntimeError("The actor died.\nThe actor never ran - it was cancelled before it started running.")
    assert death_reason(error).startswith("RuntimeError: The actor never ran - it was cancelled before it")
    assert "RAY_AUTH_MODE=disabled and executor.insecure=true" in death_reason(error)
    assert death_reason(ValueError()) == "ValueError: "
