from __future__ import annotations

import numpy as np
import pytest
from training_rows import sentences, write_rows

from ftsweep.data.prepared import prepare
from ftsweep.evaluation.flagged_rows import by_flags
from ftsweep.guards.gate import DataGate
from ftsweep.guards.leakage import ExactCopies, NormalisedCopies
from ftsweep.store.row_scores import RowEvidence
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.text import Text
from ftsweep.testing.guard import GivenRows, WordTask
from ftsweep.testing.rows import labelled
from ftsweep.worker.engine import Engine

HELD_OUT = labelled(40, seed=1)
COPIES = [*HELD_OUT[:12], *({**row, "text": row["text"].upper()} for row in HELD_OUT[12:18])]


@pytest.fixture
def leaky(tmp_path):
    guards = {"exact": ExactCopies(mode="allow"), "normalised": NormalisedCopies(mode="allow")}
    rows = GivenRows(splits={"train": [*labelled(100), *COPIES], "validation": HELD_OUT})
    config = {"data": {}, "task": {}, "seed": {"data": 0}}
    return prepare(config, rows, WordTask(), None, "tokenizer", tmp_path, DataGate(guards, {"guards": 2}))


def evidence(losses):
    return RowEvidence(np.array(losses, np.float32), np.ones(40, np.int32), np.empty((40, 0), np.float32))


def test_flagged_rows_clean_rows_and_each_guards_rows_are_scored_apart(leaky):
    losses = [0.1] * 12 + [0.4] * 6 + [1.0] * 22
    parts = by_flags(WordLoss(), leaky, "validation", [evidence(losses)])
    assert {name: part["num_rows"] for name, part in parts.items()} == {
        "clean": 22,
        "flagged": 18,
        "exact": 12,
        "normalised": 6,
    }
    assert parts["clean"]["values"]["loss"] == pytest.approx(1.0)
    assert parts["flagged"]["values"]["loss"] == pytest.approx(0.2)
    assert parts["flagged"]["intervals"]["loss"]["standard_error"] > 0
    assert parts["normalised"]["intervals"] == {}, "a handful of rows tells no noise"


def test_of_several_runs_the_mean_counts(leaky):
    parts = by_flags(WordLoss(), leaky, "validation", [evidence([1.0] * 40), evidence([2.0] * 40)])
    assert parts["clean"]["values"]["loss"] == pytest.approx(1.5)


def test_nothing_is_told_where_rows_cannot_be_told_apart_or_nothing_is_known(leaky):
    assert by_flags(Text(), leaky, "validation", [evidence([1.0] * 40)]) == {}
    assert by_flags(WordLoss(), leaky, "validation", []) == {}
    other = RowEvidence(np.ones(39, np.float32), np.ones(39, np.int32), np.empty((39, 0), np.float32))
    assert by_flags(WordLoss(), leaky, "validation", [other]) == {}


def test_a_worker_tells_flagged_rows_of_validation_and_of_test_apart(make_job, config, tmp_path):
    leaked = sentences(60)[:5]
    for name, offset in (("validation", 1000), ("test", 2000)):
        config["data"][name] = write_rows(tmp_path / f"leaky_{name}.jsonl", [*leaked, *sentences(15, offset=offset)])
    config["guards"] = {"exact": {"_target_": "ftsweep.guards.ExactCopies", "mode": "allow"}}
    config["training"]["epochs"] = 1
    engine, job = Engine(), make_job()
    done(engine, job)
    rung = 4
    told = {
        "validation": done(engine, {**make_job("flagged", "flagged-0000", folder=job["folder"]), "rung": rung}),
        "test": done(engine, make_job("test", "test-0000", folder=job["folder"]))["flagged"],
    }
    for split, parts in told.items():
        assert {name: part["num_rows"] for name, part in parts.items()} == {"clean": 15, "flagged": 5, "exact": 5}, (
            split
        )
        assert parts["exact"] == parts["flagged"]
        assert set(parts["clean"]["intervals"]) == set(parts["clean"]["values"]) > {"loss", "accuracy"}


def done(engine, job):
    engine.admit(job)
    messages = []
    while engine.is_busy or engine.is_waiting:
        engine.answer({"type": "continue", "job": job["job"]})
        messages += engine.step()
    return messages[-1].get("result")


class WordLoss(Classification):
    """Its loss alone: the rows of these tests have no scores."""

    def resampled_scores(self, losses, units, scores, weights):
        return {"loss": weights @ losses.astype(np.float64) / (weights @ units.astype(np.float64))}
