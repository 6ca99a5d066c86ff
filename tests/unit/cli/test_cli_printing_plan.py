from __future__ import annotations

import io

import pytest
from rich.console import Console

from ftsweep.cli.plan_view import compiling_text, print_plan
from ftsweep.domain.finding import Finding, Severity


def branch(name: str, *findings: Finding) -> dict[str, object]:
    return {
        "branch": name,
        "space": {},
        "default_in_space": True,
        "data": {"num_rows": {"train": 10}, "findings": [finding.to_dict() for finding in findings]},
        "estimate": {
            "num_steps": 1,
            "step_seconds": 0.1,
            "measure_seconds": 0.1,
            "trial_seconds": 1.0,
            "peak_memory_gib": 0.0,
        },
        "measuring": {"share": 0.512, "fewer": 4, "share_of_fewer": 0.296},
    }


def test_what_branches_share_is_said_once_and_what_is_one_branchs_own_under_it() -> None:
    shared = Finding("small_data", Severity.WARN, "validation has 60 rows", 60)
    own = Finding("cut_inputs", Severity.WARN, "7 inputs are cut", 7)
    rated = {"lanes": 2, "rates": {"1": 1.0, "2": 1.3, "4": 1.35}, "reason": ""}
    facts = {
        "study": "s",
        "objective": {"key": "validation/loss", "direction": "minimize"},
        "num_trials": 2,
        "num_rungs": 4,
        "num_workers": 1,
        "lanes": {"lanes": 2, "branches": {"lora": rated, "full": {**rated, "lanes": 1, "reason": "its own way"}}},
        "sharing": {"workers": 1, "threads": 2, "step_seconds": {"1": 0.4, "2": 0.25}, "cores": 2},
        "branches": [branch("lora", shared), branch("full", shared, own)],
        "study_seconds": 1.0,
    }
    console = Console(file=io.StringIO(), width=160, highlight=False)
    print_plan(console, facts)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("validation has 60 rows") == 1
    assert text.index("full") < text.index("7 inputs are cut") < text.index("data of lora, full")
    assert text.index("data of lora, full") < text.index("validation has 60 rows")
    assert "1 worker with 2 threads: a step takes 0.4 s with 1, 0.25 s with 2" in text
    assert "1 worker of 2 lanes" in text
    assert "Measuring at its rungs is 51 % of a trial, 30 % with fewer: rungs.count=4" in text
    assert "Lanes of lora: 2; measured: 2 train 1.30 times as much, 4 train 1.35 times as much" in text
    assert "Lanes of full: 1, because its own way;" in text


@pytest.mark.parametrize(
    ("step_seconds", "num_steps", "told"),
    [
        (0.03, 4000, "a step takes 0.03 s in the place of 0.05 s, which pays from 2,400 steps on."),
        (0.03, 40, "which pays from 2,400 steps on, and a trial as written has 40: training.compile=false"),
        (0.05, 4000, "a step is no quicker for it (0.05 s without): training.compile=false"),
    ],
)
def test_a_plan_says_whether_compiling_pays(step_seconds: float, num_steps: int, told: str) -> None:
    estimate = {
        "num_steps": num_steps,
        "step_seconds": step_seconds,
        "plain_step_seconds": 0.05,
        "compile_seconds": 48.0,
    }
    text = compiling_text(estimate)
    assert text.startswith("Compiling takes 48 s before the first step")
    assert text.endswith(told)
