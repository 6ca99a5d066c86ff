"""Trials of any settings that share passes, join late and leave early: each comes to its bits alone."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import fuzz
from hypothesis import strategies as st

from ftsweep.config.compose import compose_sweep
from ftsweep.store.folders import TrialFolder
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.training.trial import TrialRun
from ftsweep.worker.components import Components
from ftsweep.worker.job_generators import JobGenerators
from ftsweep.worker.shared_passes import SharedPasses

Drawn = dict[str, Any]
Weights = dict[str, torch.Tensor]

DRAWN = st.lists(
    st.fixed_dictionaries(
        {
            "rank": st.integers(1, 9),
            "dropout": st.sampled_from([0.0, 0.2]),
            "learning_rate": st.floats(1e-4, 3e-2),
            "batch_size": st.integers(1, 9),
            "micro_batch_size": st.none() | st.integers(1, 9),
            "weight_decay": st.sampled_from([0.0, 0.1]),
            "max_length": st.integers(20, 48),
            "seed": st.integers(0, 3),
            "joins": st.integers(0, 4),
            "steps": st.integers(1, 5),
        }
    ),
    min_size=2,
    max_size=4,
)
"""Trials: their settings, the turn in which each is seated and the number of steps after which it leaves."""


@cache
def base_config() -> tuple[dict[str, Any], Path]:
    """The configuration of a trial on a small decoder with dropout, and a folder for caches."""
    folder = Path(tempfile.mkdtemp(prefix="ftsweep-lanes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    random_llama("sequence_classification", attention_dropout=0.1).save_pretrained(folder / "llama")
    byte_tokenizer().save_pretrained(folder / "llama")
    for split, count in (("train", 40), ("validation", 8), ("test", 8)):
        texts = (f"{split} {number} " + "word " * (number % 9) for number in range(count))
        rows = [{"text": text, "label": "ab"[number % 2]} for number, text in enumerate(texts)]
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    words = [f"data.{split}={folder / split}.jsonl" for split in ("train", "validation", "test")]
    given = ["model=local", f"model.path={folder / 'llama'}", "data=files", *words, "training.precision=float32"]
    (branch,) = compose_sweep("quickstart", given).branches
    return dict(branch.config), folder


class Crew:
    """Trials on one base, a step of each in a turn."""

    def __init__(self) -> None:
        self.components = Components()
        self.generators = JobGenerators(self.components.device)
        self.passes = SharedPasses(self.components, self.generators)
        self.seats: dict[int, Any] = {}
        self.runs: dict[int, TrialRun] = {}

    def seat(self, number: int, drawn: Drawn) -> None:
        config, folder = base_config()
        config = json.loads(json.dumps(config))
        config["strategy"] |= {"rank": drawn["rank"], "dropout": drawn["dropout"]}
        config["task"]["max_length"] = drawn["max_length"]
        config["seed"] |= {"model": drawn["seed"], "data": drawn["seed"]}
        config["training"] |= {name: drawn[name] for name in config["training"].keys() & drawn.keys()}
        parts = self.components.parts_of(config, folder / "cache")
        self.generators.give_to(str(number))
        base = self.components.lend_base(parts, as_twin=True)
        run = self.components.begin_run(parts, base, TrialFolder(folder / "none"))
        assert isinstance(run, TrialRun)
        lane = self.passes.seat(str(number), run, base)
        assert not isinstance(lane, str), lane
        self.seats[number], self.runs[number] = (lane, base), run

    def turn(self) -> None:
        self.passes.share(list(self.seats.values()))
        for number, run in self.runs.items():
            self.generators.give_to(str(number))
            run.stepper.take()

    def leave(self, number: int) -> Weights:
        lane, base = self.seats.pop(number)
        assert lane.refusal is None
        run = self.runs.pop(number)
        weights = {name: each.detach().clone() for name, each in run.model.named_parameters() if each.requires_grad}
        self.components.bases.put_back(base, run.stepper.strategy, run.model)
        self.generators.forget(str(number))
        return weights


def alone(drawn: Drawn) -> Weights:
    crew = Crew()
    crew.seat(0, drawn)
    for _ in range(drawn["steps"]):
        crew.turn()
    return crew.leave(0)


def together(drawn: list[Drawn]) -> list[Weights]:
    crew, left = Crew(), {}
    for turn in range(10):
        for number, each in enumerate(drawn):
            if each["joins"] == turn:
                crew.seat(number, each)
        crew.turn()
        for number, each in enumerate(drawn):
            if turn + 1 == each["joins"] + each["steps"]:
                left[number] = crew.leave(number)
    return [left[number] for number in range(len(drawn))]


def come_to_the_same(drawn: list[Drawn]) -> None:
    for each, beside in zip(drawn, together(drawn), strict=True):
        by_itself = alone(each)
        assert by_itself.keys() == beside.keys()
        different = [name for name, weight in by_itself.items() if not torch.equal(weight, beside[name])]
        assert not different, f"{each}: {different}"


@fuzz(5, drawn=DRAWN)
def test_lanes_come_to_the_bits_that_they_come_to_alone(drawn: list[Drawn]) -> None:
    come_to_the_same(drawn)


@pytest.mark.slow
@fuzz(120, drawn=DRAWN)
def test_many_more_lanes_come_to_the_bits_that_they_come_to_alone(drawn: list[Drawn]) -> None:
    come_to_the_same(drawn)
