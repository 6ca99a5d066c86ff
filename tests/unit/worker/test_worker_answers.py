"""Generated answers through a worker's engine: at their rungs, on the same rows, of trials, bases and chosen models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_steps import finish
from training_rows import write_rows

from ftsweep.errors import DataError
from ftsweep.evaluation import answers as answers_module
from ftsweep.store.row_scores import read_losses
from ftsweep.store.samples import TEST, TEST_BASE, read_samples, rung_name, sampled_rungs
from ftsweep.worker.engine import Engine

MakeJob = Callable[..., dict[str, Any]]


def rows(count: int, offset: int = 0) -> list[dict[str, str]]:
    return [
        {"prompt": f"number {n}", "completion": "it is " + " ".join(["odd" if n % 2 else "even"] * (1 + n % 4))}
        for n in range(offset, offset + count)
    ]


@pytest.fixture
def config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    for split, (count, offset) in {"train": (48, 0), "validation": (24, 1000), "test": (12, 2000)}.items():
        config["data"][split] = write_rows(tmp_path / f"{split}.jsonl", rows(count, offset))
    config["task"] = {
        "_target_": "ftsweep.tasks.Instruction",
        "max_length": 32,
        "max_new_tokens": 10,
        "generation": {"rows": 8, "final_rows": 10, "scores": ["exact_match", "token_f1"]},
    }
    config["objective"] = {"metric": "token_f1", "split": "validation", "direction": "maximize"}
    return config


def test_answers_of_a_trial_its_base_and_its_test_are_scored_and_kept(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "trials" / "trial-0000"
    measured, ended = finish(engine, make_job())
    assert ended["outcome"]["kind"] == "complete"
    with_answers = [each.rung for each in measured if "validation/token_f1" in each.values]
    assert with_answers == sampled_rungs(folder) == [2, 4]
    assert all(("validation/rouge_l" in each.values) is False for each in measured), "nobody asked for it"

    early, late = (read_samples(folder, rung_name(rung)) for rung in (2, 4))
    assert len(early) == 8
    assert [each.row for each in early] == [each.row for each in late]
    assert late[0].prompt == f"number {1000 + late[0].row}"
    assert late[0].expected == rows(1, 1000 + late[0].row)[0]["completion"]
    mean = sum(each.scores["token_f1"] for each in late) / len(late)
    assert measured[-1].values["validation/token_f1"] == pytest.approx(mean)
    losses = read_losses(folder, 4)
    assert losses is not None
    answered = losses.scores[:, :-1]  # the last column: bytes
    assert (answered.shape[0], int((~(answered != answered).all(axis=1)).sum())) == (24, 8)
    assert ended["outcome"]["best_rung"] in (2, 4)

    _, base = finish(engine, make_job("baseline", "baseline-main"))
    of_base = read_samples(tmp_path / "trials" / "baseline-main", rung_name(0))
    assert [each.row for each in of_base] == [each.row for each in late]
    assert base["result"]["validation"]["token_f1"] < measured[-1].values["validation/token_f1"]

    _, tested = finish(engine, make_job("test"))
    result = tested["result"]
    assert len(read_samples(folder, TEST)) == 10
    assert set(result["test"]) == {
        "loss", "perplexity", "token_accuracy", "bits_per_byte", "exact_match", "token_f1"
    }  # fmt: skip
    assert result["intervals"]["bits_per_byte"]["low"] < result["test"]["bits_per_byte"]
    assert result["test"]["bits_per_byte"] < result["intervals"]["bits_per_byte"]["high"]
    assert 0 <= result["intervals"]["token_f1"]["low"] <= result["test"]["token_f1"]
    on_validation = result["details"]["answers"]
    assert on_validation["num_rows"] == 10
    assert set(on_validation["values"]) == {"exact_match", "token_f1"}
    job = make_job("test")
    _, untouched = finish(engine, {**job, "spec": {**job["spec"], "untouched": True}})
    assert "token_f1" in untouched["result"]["test"]
    assert len(read_samples(folder, TEST_BASE)) == 10

    runs = [[str(folder), 4]]
    _, compared = finish(engine, make_job("compare", left=runs, right=[[str(folder), 2]], metric="token_f1"))
    assert compared["result"]["difference"] == pytest.approx(
        measured[-1].values["validation/token_f1"] - measured[2].values["validation/token_f1"], abs=0.1
    )


def test_a_plan_tells_when_and_how_long_answers_are_generated(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    _, planned = finish(engine, make_job("estimate", "estimate-main"))
    result = planned["result"]
    assert result["answer_rungs"] == [2, 4]
    assert result["num_answered"] == 8
    assert result["trial_seconds"] > 2 * result["answer_seconds"] > 0


def test_training_goes_on_as_if_nothing_had_been_generated(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    config["strategy"]["dropout"] = 0.2
    config["task"]["generation"] |= {"do_sample": True, "temperature": 2.0}
    asked, _ = finish(engine, make_job())
    config["objective"] = {"metric": "loss", "split": "validation", "direction": "minimize"}
    plain, _ = finish(engine, make_job(name="trial-0001"))
    assert all("validation/token_f1" not in each.values for each in plain)
    for with_answers, without in zip(asked, plain, strict=True):
        assert with_answers.values["train/loss"] == without.values["train/loss"]


def test_fewer_rows_are_asked_at_once_where_memory_ends(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sizes: list[int] = []
    real = answers_module.AnswerMeter._ask_as_strategy

    def short_of_memory(self: Any, model: Any, task: Any, rows: Any, batch_size: int) -> Any:
        sizes.append(batch_size)
        if batch_size > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, model, task, rows, batch_size)

    monkeypatch.setattr(answers_module.AnswerMeter, "_ask_as_strategy", short_of_memory)
    config["rungs"]["count"] = 2
    finish(engine, make_job())
    assert sizes == [64, 32, 16, 16], "for good"
    assert sampled_rungs(tmp_path / "trials" / "trial-0000") == [1, 2]


def test_few_shot_is_asked_with_its_prompts(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path
) -> None:
    config["strategy"] = {"_target_": "ftsweep.strategies.FewShot", "k": 2, "draws": 2}
    measured, _ = finish(engine, make_job())
    (only,) = measured
    assert "validation/token_f1_spread" in only.values
    assert len(read_samples(tmp_path / "trials" / "trial-0000", rung_name(4))) == 8
    _, tested = finish(engine, make_job("test"))
    assert "token_f1" in tested["result"]["intervals"]


JUDGE = """
from ftsweep.domain.metric import Metric
from ftsweep.tasks import Judge


class Odd(Judge):
    metrics = {"oddness": Metric("maximize", 0, 1)}

    def __init__(self, *, bonus: float = 0.0):
        self.bonus = bonus

    def score(self, rows):
        return [
            {"oddness": ("odd" in row.answer) + self.bonus} if row.values["completion"] == row.expected else {}
            for row in rows
        ]
"""


def test_a_judge_of_ones_own_scores_what_is_answered(
    make_job: MakeJob, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_judges.py").write_text(JUDGE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    config["task"]["judge"] = {"_target_": "my_judges.Odd", "bonus": 0.5}
    config["objective"]["metric"] = "oddness"
    config["rungs"]["count"] = 2
    engine = Engine(threads=1, allowed_packages=["my_judges"])
    measured, ended = finish(engine, make_job())
    kept = read_samples(tmp_path / "trials" / "trial-0000", rung_name(2))
    told = [each.scores["oddness"] for each in kept]
    assert told == [("odd" in each.answer) + 0.5 for each in kept]
    assert measured[-1].values["validation/oddness"] == pytest.approx(sum(told) / len(told))
    assert ended["outcome"]["best_rung"] in (1, 2)
    _, tested = finish(engine, make_job("test"))
    assert "oddness" in tested["result"]["intervals"]
    assert ended["outcome"]["reason"] == "trained to the end"


def test_a_trial_goes_on_without_its_judge_and_says_so(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = "http://127.0.0.1:9"  # the port of `discard`, which nothing listens on
    judge = {"_target_": "ftsweep.tasks.HttpJudge", "base_url": nowhere, "model": "m", "rubric": "r", "attempts": 1}
    config["task"]["judge"] = judge
    config["rungs"]["count"] = 1
    measured, ended = finish(engine, make_job())
    assert ended["outcome"]["kind"] == "complete"
    assert "validation/token_f1" in measured[-1].values
    assert "validation/judge" not in measured[-1].values
    why = f"{nowhere} does not answer (ConnectionError)"
    assert ended["outcome"]["reason"] == (f"trained to the end; the judge left 8 of 8 answers without a score: {why}")
    assert 3 <= ended["outcome"]["extra"]["metrics"]["judge/calls"] < 8, "the others are not asked"
    assert f"8 of 8 rows have no score: {nowhere} does not answer (ConnectionError)" in caplog.text
    config["objective"]["metric"] = "judge"
    with pytest.raises(DataError, match=rf"judge tells nothing: .*, for {nowhere} does not answer"):
        finish(engine, make_job("baseline", "baseline-main"))


def test_an_objective_that_no_row_tells_is_refused_before_the_first_trial(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    config["objective"]["metric"] = "json_match"
    with pytest.raises(DataError, match="json_match tells nothing"):
        finish(engine, make_job("baseline", "baseline-main"))
