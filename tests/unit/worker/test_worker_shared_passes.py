"""Trials that share passes: bit for bit what each comes to alone, whatever its neighbours are and become."""

from __future__ import annotations

import json
import math
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from training_rows import sentences, write_rows

from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.lean import LeanLinear
from ftsweep.tasks.classification import Classification
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama
from ftsweep.training import checkpoint
from ftsweep.training.lanes import turns
from ftsweep.training.lanes.conductor import Conductor, SharedPass
from ftsweep.training.lanes.packed import PackedConductor
from ftsweep.training.lanes.padded import PaddedConductor
from ftsweep.training.lanes.stack import FlatAdapter
from ftsweep.worker import shared_passes
from ftsweep.worker.engine import Engine

Job = dict[str, Any]
Config = dict[str, Any]
MakeJob = Callable[..., Job]

OTHERS = (
    {"rank": 2, "batch_size": 8, "learning_rate": 5e-3, "seed": 0},
    {"rank": 4, "batch_size": 16, "learning_rate": 1e-2, "seed": 1, "dropout": 0.1},
    {"rank": 3, "batch_size": 12, "learning_rate": 2e-3, "seed": 2, "weight_decay": 0.1, "micro_batch_size": 6},
    {"rank": 8, "batch_size": 10, "learning_rate": 3e-2, "seed": 3, "max_length": 20, "l2_sp": 0.1},
)
"""Settings of trials that are under way at once; what is no setting of the strategy and no seed is one of training."""


EMBEDDED = {"_target_": "ftsweep.models.TinyModel", "dtype": "auto"}


def use_model(config: Config, model: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    config["model"] = {"_target_": "ftsweep.models.local.LocalModel", "path": str(folder), "dtype": "auto"}


@pytest.fixture
def make_trial(config: Config, make_job: MakeJob, tmp_path: Path) -> MakeJob:
    """A trial of such settings, of a name of its own, on a small decoder unless the test takes another model."""
    use_model(config, random_llama("sequence_classification"), tmp_path / "llama")
    config["rungs"]["count"] = 2
    config["data"]["train"] = write_rows(tmp_path / "train.jsonl", sentences(40))
    config["training"]["epochs"] = 1.5

    def make(name: str, *, rank: int, seed: int = 0, dropout: float = 0.0, **more: Any) -> Job:
        own = json.loads(json.dumps(config))
        own["strategy"] |= {"rank": rank, "dropout": dropout}
        own["seed"]["model"] = own["seed"]["data"] = seed
        own["task"]["max_length"] = more.pop("max_length", own["task"]["max_length"])
        own["training"] |= more
        job = make_job(name=name)
        return {**job, "spec": {**job["spec"], "config": own}}

    return make


def messages_of(engine: Engine, *jobs: Job, prune: str = "") -> Iterator[Job]:
    """All that is said while these jobs run to their ends, the trial named `prune` to its first rung."""
    for job in jobs:
        engine.admit(job)
    while engine.is_busy:
        for message in engine.step():
            yield message
            if message["type"] == "measured":
                stop = message["job"] == prune and message["measurement"]["rung"] == 1
                answer = {"type": "stop", "kind": "pruned", "reason": "a test"} if stop else {"type": "continue"}
                engine.answer({**answer, "job": message["job"]})


def run(engine: Engine, *jobs: Job, prune: str = "") -> dict[str, Job]:
    """The last message of each of these jobs."""
    return {message["job"]: message for message in messages_of(engine, *jobs, prune=prune)}


def bits(job: Job) -> tuple[list[dict[str, float]], bytes]:
    """What a trial measured, and the weights that it kept."""
    folder = TrialFolder(Path(job["folder"]))
    (weights,) = folder.best.glob("*.safetensors")
    return [dict(each.values) for each in folder.measurements()], weights.read_bytes()


def shared_steps(ended: Job) -> int:
    return int(ended["outcome"]["extra"]["shared_steps"])


def both_ways(
    make_trial: MakeJob, settings: tuple[Config, ...] = OTHERS
) -> tuple[list[Job], list[Job], dict[str, Job]]:
    """Trials of these settings, each in a worker of its own, and all at once; the last messages of the latter."""
    alone = [make_trial(f"trial-00{number}", **each) for number, each in enumerate(settings)]
    by_itself = Engine(threads=1)
    for job in alone:
        run(by_itself, job)
    beside = [make_trial(f"trial-01{number}", **each) for number, each in enumerate(settings)]
    return alone, beside, run(Engine(threads=1, lanes=len(settings)), *beside)


def test_classification_comes_to_the_same_bits_and_shares_its_steps(make_trial: MakeJob, config: Config) -> None:
    config["model"] = EMBEDDED
    alone, beside, last = both_ways(make_trial)
    assert [bits(job) for job in beside] == [bits(job) for job in alone]
    assert [last[job["job"]]["outcome"]["extra"].get("alone") for job in beside] == [None] * 4
    assert min(shared_steps(last[job["job"]]) for job in beside) >= 5
    sums = [last[job["job"]]["outcome"]["extra"]["train_seconds"] for job in beside]
    assert all(seconds > 0 for seconds in sums)


def as_entities(row: Config) -> Config:
    words = row["text"].split()
    return {"tokens": words, "tags": ["O", *["B-thing"] * (len(words) - 1)]}


def as_labels(row: Config) -> Config:
    return {"text": row["text"], "labels": [row["label"], *(["long"] if len(row["text"]) > 20 else [])]}


TASKS: dict[str, tuple[str, Callable[[Config], Config]]] = {
    "token_classification": ("token_classification.TokenClassification", as_entities),
    "multi_label": ("multi_label.MultiLabel", as_labels),
    "regression": ("regression.Regression", lambda row: {"text": row["text"], "label": float(len(row["text"]))}),
    "instruction": (
        "instruction.Instruction",
        lambda row: {"prompt": row["text"], "completion": f"of the {row['label']}"},
    ),
}


def put_rows(config: Config, tmp_path: Path, make: Callable[[Config], Config], *, count: int = 32) -> None:
    for split, (rows, offset) in {"train": (count, 0), "validation": (12, 1000)}.items():
        config["data"][split] = write_rows(tmp_path / f"{split}.jsonl", [make(row) for row in sentences(rows, offset)])
    config["data"]["test"] = config["data"]["validation"]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_comes_to_the_same_bits(make_trial: MakeJob, config: Config, tmp_path: Path, task: str) -> None:
    target, make = TASKS[task]
    put_rows(config, tmp_path, make)
    config["model"] = EMBEDDED if task == "instruction" else config["model"]
    config["task"] = {"_target_": f"ftsweep.tasks.{target}", "max_length": 48}
    config["rungs"]["count"] = 1
    alone, beside, last = both_ways(make_trial, (OTHERS[0], {**OTHERS[1], "epochs": 1}))
    assert [bits(job) for job in beside] == [bits(job) for job in alone]
    assert min(shared_steps(last[job["job"]]) for job in beside) >= 2, last


def test_an_encoder_with_dropout_comes_to_the_same_bits(make_trial: MakeJob, config: Config, tmp_path: Path) -> None:
    model = random_bert("sequence_classification")  # it tells two texts apart, too
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.1  # drawn in every step
    use_model(config, model, tmp_path / "bert")
    alone, beside, last = both_ways(make_trial, OTHERS[:3])
    assert [bits(job) for job in beside] == [bits(job) for job in alone]
    assert min(shared_steps(last[job["job"]]) for job in beside) >= 5, last


# -- neighbours that end, come and go -------------------------------------------------------------------------------


def poisoned_steps(monkeypatch: pytest.MonkeyPatch, how: Callable[[], Any], *, batch_size: int = 16, at: int) -> None:
    """From their training step number `at` on, trials of this batch size meet what `how` does with a loss."""
    real, calls = Classification.losses, []

    def poisoned(self: Any, model: Any, batch: Any) -> Any:
        losses, outputs = real(self, model, batch)
        if model.training and len(batch["labels"]) == batch_size:
            calls.append(batch)
            if len(calls) >= at:
                return losses * how(), outputs
        return losses, outputs

    monkeypatch.setattr(Classification, "losses", poisoned)


def fail() -> float:
    raise ValueError("no such column")


@pytest.mark.parametrize(("how", "fate"), [(lambda: math.nan, "diverged"), (fail, "no such column")])
def test_a_lane_that_ends_badly_ends_alone(
    make_trial: MakeJob, monkeypatch: pytest.MonkeyPatch, how: Callable[[], Any], fate: str
) -> None:
    alone = make_trial("trial-0000", **OTHERS[0])
    run(Engine(threads=1), alone)
    poisoned_steps(monkeypatch, how, at=5)
    sound, failing = make_trial("trial-0010", **OTHERS[0]), make_trial("trial-0011", **OTHERS[1])
    engine = Engine(threads=1, lanes=2)
    last = run(engine, sound, failing)
    ended = last["trial-0011"]
    assert fate in (ended["outcome"]["kind"] if ended["type"] == "ended" else ended["message"])
    assert last["trial-0010"]["outcome"]["kind"] == "complete"
    assert shared_steps(last["trial-0010"]) >= 2
    assert bits(sound) == bits(alone)


def test_a_lane_is_refilled_and_the_newcomer_comes_to_what_it_comes_to_in_a_fresh_worker(make_trial: MakeJob) -> None:
    settings = {"old": OTHERS[0], "pruned": OTHERS[1], "new": OTHERS[2]}
    alone = {name: make_trial(f"alone-{name}", **each) for name, each in settings.items()}
    by_itself = Engine(threads=1)
    for job in alone.values():
        run(by_itself, job)
    jobs = {name: make_trial(f"trial-{name}", **each) for name, each in settings.items()}
    engine, last = Engine(threads=1, lanes=2), {}
    for message in messages_of(engine, jobs["old"], jobs["pruned"], prune="trial-pruned"):
        last[message["job"]] = message
        if message["type"] == "ended" and message["job"] == "trial-pruned":
            engine.admit(jobs["new"])
    assert last["trial-pruned"]["outcome"]["kind"] == "pruned"
    assert shared_steps(last["trial-new"]) >= 2
    for name in ("old", "new"):
        assert bits(jobs[name]) == bits(alone[name])


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_killed_worker_s_lanes_go_on_alone_or_with_others(
    make_trial: MakeJob, monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", math.inf)  # a checkpoint at every rung
    alone = [make_trial(f"alone-{number}", **each) for number, each in enumerate(OTHERS[:3])]
    by_itself = Engine(threads=1)
    for job in alone:
        run(by_itself, job)
    jobs = [make_trial(f"trial-{number}", **each) for number, each in enumerate(OTHERS[:3])]
    killed = Engine(threads=1, lanes=3)
    messages = messages_of(killed, *jobs)
    while [message["measurement"]["rung"] for message in [next(messages)] if "measurement" in message] != [1]:
        pass
    del killed, messages  # nothing is written any more, as after kill -9
    again = Engine(threads=1, lanes=lanes)
    for group in [jobs[::-1]] if lanes == 3 else [[job] for job in jobs]:  # in other slots
        last = run(again, *group)
    assert [bits(job) for job in jobs] == [bits(job) for job in alone]
    if lanes == 3:
        extras = [message["outcome"]["extra"] for message in last.values()]
        assert all(each["shared_steps"] > each["num_steps"] / 2 for each in extras), "those before rung 1 count"


def test_a_pass_without_memory_is_shared_by_fewer_and_changes_no_bit(
    make_trial: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sizes = PackedConductor.forward, []

    def limited(self: PackedConductor, lanes: Any, batches: Any) -> Any:
        sizes.append(sum(each.input_ids.numel() for each in batches))
        if sizes[-1] > 150:
            raise torch.OutOfMemoryError("tried to allocate 20.00 GiB")
        return real(self, lanes, batches)

    monkeypatch.setattr(PackedConductor, "forward", limited)
    alone, beside, last = both_ways(make_trial, OTHERS[:2])
    assert max(sizes) > 150
    assert [bits(job) for job in beside] == [bits(job) for job in alone]
    assert {message["type"] for message in last.values()} == {"ended"}


# -- what does not share ----------------------------------------------------------------------------------------------


def test_a_machine_on_which_a_shared_pass_gives_other_bits_shares_none(
    make_trial: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PackedConductor.forward

    def other(self: PackedConductor, *given: Any) -> SharedPass:
        """As with a product that adds in another order."""
        shared = real(self, *given)
        return SharedPass([each * (1 + 1e-6) for each in shared.hidden], shared.backward)

    monkeypatch.setattr(PackedConductor, "forward", other)
    alone, beside, last = both_ways(make_trial, OTHERS[:2])
    assert [bits(job) for job in beside] == [bits(job) for job in alone]
    for message in last.values():
        assert "other last digits" in message["outcome"]["extra"]["alone"]
        assert shared_steps(message) == 0


@pytest.mark.parametrize(
    ("node", "settings", "reason"),
    [
        ("strategy", {"_target_": "ftsweep.strategies.ia3.Ia3"}, "not for"),
        ("strategy", {"dora": True}, "dora"),
        ("strategy", {"init": "pissa"}, "pissa"),
        ("training", {"gradient_checkpointing": True}, "gradient_checkpointing"),
        ("training", {"precision": "bfloat16"}, "bfloat16"),
    ],
)
@pytest.mark.usefixtures("make_trial")
def test_what_cannot_be_a_lane_runs_alone_and_says_why(
    make_job: MakeJob, config: Config, node: str, settings: Config, reason: str
) -> None:
    config["rungs"]["count"] = 1
    config["training"]["epochs"] = 1
    config[node] = settings if "_target_" in settings else config[node] | settings
    last = run(Engine(threads=1, lanes=2), make_job(name="trial-0000"), make_job(name="trial-0001"))
    for message in last.values():
        assert message["outcome"]["kind"] == "complete"
        assert reason in message["outcome"]["extra"]["alone"]
        assert shared_steps(message) == 0


def test_adapters_outside_of_the_body_s_layers_share_nothing(
    make_trial: MakeJob, config: Config, tmp_path: Path
) -> None:
    use_model(config, random_bert("sequence_classification"), tmp_path / "bert")
    config["strategy"]["targets"] = ["bert.pooler.dense"]
    jobs = [make_trial(f"trial-{number}", rank=2, batch_size=16, epochs=0.5, seed=number) for number in range(2)]
    for message in run(Engine(threads=1, lanes=2), *jobs).values():
        assert message["outcome"]["kind"] == "complete"
        assert "none of the layers that it adapts" in message["outcome"]["extra"]["alone"]


def test_a_worker_with_one_lane_says_nothing_of_lanes(make_trial: MakeJob) -> None:
    job = make_trial("trial-0000", **OTHERS[0])
    extra = run(Engine(threads=1), job)["trial-0000"]["outcome"]["extra"]
    assert not {"alone", "shared_steps"} & set(extra)


def test_batches_too_small_to_give_the_same_bits_are_not_shared(make_trial: MakeJob) -> None:
    settings = ({**OTHERS[0], "batch_size": 1, "epochs": 0.2}, {**OTHERS[1], "batch_size": 1, "epochs": 0.1})
    alone, beside, last = both_ways(make_trial, settings)
    assert [bits(job) for job in beside] == [bits(job) for job in alone]
    assert [shared_steps(message) for message in last.values()] == [0, 0]


def test_lanes_that_are_large_enough_by_themselves_do_not_meet(make_trial: MakeJob) -> None:
    packed = PackedConductor(random_llama("sequence_classification"))
    made: Any = [SimpleNamespace(shape=(1, length)) for length in (300, 500, 400, 1024, 2000, 10, 20)]
    sizes = [[each.shape[1] for each in group] for group in turns.groups(made, packed)]
    assert sizes == [[10, 20, 300, 400]]


# -- the passes of a GPU, on a CPU ----------------------------------------------------------------------------------


@pytest.fixture
def padded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have workers share passes as they do on a GPU."""
    monkeypatch.setattr(shared_passes, "conductor_kind", lambda device: PaddedConductor)


def losses(jobs: list[Job]) -> list[list[float]]:
    return [[each["validation/loss"] for each in bits(job)[0]] for job in jobs]


def near(expected: list[list[float]], tolerance: float) -> list[Any]:
    return [pytest.approx(each, abs=tolerance) for each in expected]


@pytest.mark.usefixtures("padded")
@pytest.mark.parametrize("task", ["classification", *TASKS])
def test_in_padded_passes_every_task_comes_to_the_same_curves(
    make_trial: MakeJob, config: Config, tmp_path: Path, task: str
) -> None:
    if task != "classification":
        target, make = TASKS[task]
        put_rows(config, tmp_path, make)
        config["model"] = EMBEDDED if task == "instruction" else config["model"]
        config["task"] = {"_target_": f"ftsweep.tasks.{target}", "max_length": 48}
    alone, beside, last = both_ways(make_trial, (OTHERS[0], {**OTHERS[1], "micro_batch_size": 6}))
    assert losses(beside) == near(losses(alone), 1e-4)
    assert [last[job["job"]]["outcome"]["extra"].get("alone") for job in beside] == [None] * 2
    assert min(shared_steps(last[job["job"]]) for job in beside) >= 2, last


@pytest.mark.usefixtures("padded")
def test_padded_passes_are_in_mixed_precision_where_the_trials_are(make_trial: MakeJob, config: Config) -> None:
    config["training"]["precision"] = config["model"]["dtype"] = "bfloat16"
    alone, beside, last = both_ways(make_trial, OTHERS[:2])
    assert losses(beside) == near(losses(alone), 0.05)
    assert [last[job["job"]]["outcome"]["extra"].get("alone") for job in beside] == [None] * 2
    assert min(shared_steps(last[job["job"]]) for job in beside) >= 5


@pytest.mark.usefixtures("padded")
@pytest.mark.parametrize(("how", "fate"), [(lambda: math.nan, "diverged"), (fail, "no such column")])
def test_in_padded_passes_too_a_lane_that_ends_badly_ends_alone(
    make_trial: MakeJob, monkeypatch: pytest.MonkeyPatch, how: Callable[[], Any], fate: str
) -> None:
    alone = make_trial("trial-0000", **OTHERS[0])
    run(Engine(threads=1), alone)
    poisoned_steps(monkeypatch, how, at=5)
    sound, failing = make_trial("trial-0010", **OTHERS[0]), make_trial("trial-0011", **OTHERS[1])
    engine = Engine(threads=1, lanes=2)
    last = run(engine, sound, failing)
    ended = last["trial-0011"]
    assert fate in (ended["outcome"]["kind"] if ended["type"] == "ended" else ended["message"])
    assert shared_steps(last["trial-0010"]) >= 2
    assert losses([sound]) == near(losses([alone]), 1e-4)


# -- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PackedConductor, PaddedConductor])
def test_lanes_leave_no_module_and_no_weight_behind(
    make_trial: MakeJob, monkeypatch: pytest.MonkeyPatch, kind: type[Conductor]
) -> None:
    monkeypatch.setattr(shared_passes, "conductor_kind", lambda device: kind)
    flat: weakref.WeakSet[Any] = weakref.WeakSet()
    made = FlatAdapter.__init__

    def noted(self: FlatAdapter, adapters: Any) -> None:
        made(self, adapters)
        flat.add(self)

    monkeypatch.setattr(FlatAdapter, "__init__", noted)
    engine = Engine(threads=1, lanes=2)
    run(engine, *(make_trial(f"trial-{number}", **OTHERS[number]) for number in range(2)))
    (base,) = engine.components.bases._bases
    assert base.num_twins == 0
    assert not flat, "rows of numbers of trials that have ended"
    assert not any(isinstance(module, LeanLinear) for module in base.model.modules())
    assert not engine.is_spent
