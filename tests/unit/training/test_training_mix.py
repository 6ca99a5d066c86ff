"""Replay: how much general text is mixed in, which, and that all else stays with the trial's own data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_steps import step
from training_rows import write_rows

from ftsweep.errors import ConfigError
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.general_text import held_out_text
from ftsweep.store.folders import TrialFolder
from ftsweep.tasks.text import Text
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.training.mix import Mix, with_replay
from ftsweep.worker.components import Components
from ftsweep.worker.engine import Engine


class Numbered:
    """Examples whose ids say which they are."""

    def __init__(self, count: int, first: int) -> None:
        self.ids = [np.full(2 + number % 3, first + number, dtype=np.int32) for number in range(count)]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        return np.array([len(ids) for ids in self.ids], dtype=np.int32)

    def input_ids(self, index: int) -> np.ndarray:
        return self.ids[index]

    def labels(self, index: int) -> np.ndarray:
        return -self.ids[index]


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, 90), (0.1, 10), (0.25, 30), (0.001, 0)])
def test_replay_is_a_fraction_of_the_final_mix(fraction: float, expected: int) -> None:
    mix = with_replay(Numbered(90, 0), Numbered(1000, 500), fraction, seed=0)
    assert len(mix) == 90 + expected
    if expected:
        assert expected / len(mix) == pytest.approx(fraction)


def test_a_mix_has_every_own_example_and_then_general_ones() -> None:
    own, general = Numbered(30, 0), Numbered(20, 500)
    mix = with_replay(own, general, 0.5, seed=3)
    assert [int(mix.input_ids(index)[0]) for index in range(30)] == list(range(30))
    drawn = [int(mix.input_ids(index)[0]) for index in range(30, 60)]
    assert len(set(drawn[:20])) == 20, "each once before any again"
    assert set(drawn) <= set(range(500, 520))
    assert all(len(mix.input_ids(index)) == mix.lengths[index] for index in range(60))
    assert all((mix.labels(index) == -mix.input_ids(index)).all() for index in range(60))


def test_the_seed_alone_decides_what_is_drawn() -> None:
    def drawn(seed: int) -> list[int]:
        mix = with_replay(Numbered(30, 0), Numbered(200, 500), 0.5, seed=seed)
        return [int(mix.input_ids(index)[0]) for index in range(30, 60)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_without_a_fraction_the_split_stays_itself() -> None:
    own = Numbered(5, 0)
    assert with_replay(own, Numbered(5, 100), 0.0, seed=0) is own
    assert with_replay(own, None, 0.5, seed=0) is own


@pytest.fixture
def text_config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Plain text, with general text of which forty rows can be replayed."""
    words = ["tide", "barn", "cloud", "stone"]
    rows = [{"text": f"{words[n % 4]} {words[n // 4 % 4]} {words[n // 16 % 4]} {chr(97 + n % 26)}"} for n in range(50)]
    config["general"] = {
        "_target_": "ftsweep.data.Files",
        "train": write_rows(tmp_path / "general.jsonl", rows),
        "validation_fraction": 0.2,
        "test_fraction": 0.0,
    }
    config["task"] = {"_target_": "ftsweep.tasks.Text", "max_length": 24, "packed": False}
    config["training"]["replay"] = 0.25
    return config


def test_a_trial_trains_on_the_mix_and_is_judged_by_its_own_data(
    text_config: dict[str, Any], make_job: Callable[..., dict[str, Any]]
) -> None:
    job, components = make_job(), Components()
    parts = components.parts_of(text_config, Path(job["cache"]))
    run: Any = components.begin_run(parts, components.lend_base(parts), TrialFolder(Path(job["folder"])))
    stepper = run.stepper
    assert isinstance(stepper.examples, Mix)
    assert len(parts.prepared.split("train")) == 60
    assert len(stepper.examples) == 80
    assert stepper.plan.num_examples == 160, "two epochs of the mix"
    assert run.scorer.probe.max() < 60
    taken = np.concatenate([stepper.plan.indices(number) for number in range(stepper.plan.num_steps)])
    assert sorted(taken.tolist()) == sorted([*range(80), *range(80)])


def test_a_task_that_learns_no_text_cannot_replay(
    text_config: dict[str, Any], make_job: Callable[..., dict[str, Any]]
) -> None:
    text_config["task"] = {"_target_": "ftsweep.tasks.Classification", "max_length": 24}
    engine = Engine(threads=1)
    engine.admit(make_job("prepare"))
    with pytest.raises(ConfigError, match="cannot be mixed into this task"):
        step(engine)


def test_general_loss_is_that_of_transformers_on_held_out_documents(
    text_config: dict[str, Any], tmp_path: Path
) -> None:
    from ftsweep.models.local import LocalModel

    random_llama().save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    source = LocalModel(path=str(tmp_path / "model"))
    tokenizer, model = source.tokenizer(), random_llama()
    text = held_out_text(text_config, source, tokenizer, tmp_path / "cache")
    assert text is not None
    evaluator = Evaluator(task=Text(), schema={}, pad_token_id=0, device=torch.device("cpu"))
    total, count = 0.0, 0
    for row in text.prepared.rows("validation"):
        ids = torch.tensor([[*tokenizer(row.values["text"])["input_ids"], tokenizer.eos_token_id]])
        total += model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    assert text.score(model, evaluator).values["loss"] == pytest.approx(total / count, abs=1e-4)


def test_general_text_is_measured_up_to_a_number_of_tokens(text_config: dict[str, Any], tmp_path: Path) -> None:
    from ftsweep.models.local import LocalModel

    random_llama().save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    source = LocalModel(path=str(tmp_path / "model"))
    text = held_out_text(text_config, source, source.tokenizer(), tmp_path / "cache")
    assert text is not None
    lengths = text.prepared.split("validation").lengths
    assert len(text.probe) == len(lengths)
    fewer = replace(text, num_tokens=60)
    assert 60 <= lengths[fewer.probe].sum() < 60 + lengths.max()
