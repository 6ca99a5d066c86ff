"""Named entities from file to answer: the embedded decoder learns them, is measured, exported, and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftsweep.serving.model import load_predictor
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

NAMES = ["Ada", "Grace Hopper", "Emmy", "Sofya", "Mary Lou"]
PLACES = ["Paris", "New York", "Rome"]


def sentences(count: int, offset: int = 0) -> list[dict[str, list[str]]]:
    rows = []
    for number in range(offset, offset + count):
        name, place = NAMES[number % 5].split(), PLACES[number % 3].split()
        tokens = [*name, "was", "in", *place, str(number), "times"]
        tags = ["B-per", *["I-per"] * (len(name) - 1), "O", "O", "B-loc", *["I-loc"] * (len(place) - 1), "O", "O"]
        rows.append({"tokens": tokens, "tags": tags})
    return rows


def finish(engine: Engine, job: dict[str, Any]) -> dict[str, Any]:
    engine.admit(job)
    while True:
        for message in engine.step():
            if message["type"] == "ended":
                return message
            engine.answer({"type": "continue", "job": job["job"]})


@pytest.fixture
def entity_config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    for split, count, offset in (("train", 60, 0), ("validation", 20, 1000), ("test", 20, 2000)):
        path = tmp_path / f"{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in sentences(count, offset)))
        config["data"][split] = str(path)
    config["task"] = {"_target_": "ftsweep.tasks.TokenClassification", "max_length": 24}
    config["objective"] = {"metric": "f1", "split": "validation", "direction": "maximize"}
    return config


@pytest.mark.parametrize(
    ("strategy", "rate"),
    [
        ({"_target_": "ftsweep.strategies.Lora", "rank": 4}, 2e-2),
        ({"_target_": "ftsweep.strategies.Full"}, 3e-3),
    ],
    ids=["lora", "full"],
)
def test_entities_are_learned_measured_exported_and_answered(
    entity_config: dict[str, Any],
    make_job: Callable[..., dict[str, Any]],
    tmp_path: Path,
    strategy: dict[str, Any],
    rate: float,
) -> None:
    engine = Engine(threads=1)
    entity_config["strategy"] = strategy
    entity_config["training"] |= {"learning_rate": rate, "epochs": 4}
    baseline = finish(engine, make_job("baseline", "baseline-main"))["result"]["validation"]
    assert (baseline["f1"], baseline["token_accuracy"]) == (0.0, pytest.approx(0.55, abs=0.1))
    job = make_job()
    assert finish(engine, job)["outcome"]["kind"] == "complete"
    tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))["result"]
    assert tested["test"]["f1"] > 0.95
    assert set(tested["details"]["report"]) == {"loc", "per", "micro avg", "macro avg", "weighted avg"}
    assert tested["details"]["report"]["per"]["support"] == 20

    destination = tmp_path / "exported"
    exported = finish(engine, make_job("export", "export-0000", folder=job["folder"], destination=str(destination)))
    rows, answers = exported["result"]["rows"], exported["result"]["answers"]
    assert rows == [{"tokens": row["tokens"]} for row in sentences(3, 1000)]
    predictor = load_predictor(destination)
    assert predictor.predict(rows) == answers
    assert [answer["tags"] for answer in answers] == [row["tags"] for row in sentences(3, 1000)]
    (answer,) = predictor.predict([{"text": "Grace Hopper was in New York 7 times"}])
    found = [(entity["type"], entity["text"], entity["start"], entity["end"]) for entity in answer["entities"]]
    assert found == [("per", "Grace Hopper", 0, 2), ("loc", "New York", 4, 6)]
