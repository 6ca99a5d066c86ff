"""Metrics of resampled rows are those of a split in which the rows stand as often."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ftsweep.tasks.classification import Classification
from ftsweep.tasks.multi_label import MultiLabel
from ftsweep.tasks.regression import Regression

NUM_ROWS = 40
COUNTS = np.stack(
    [np.ones(NUM_ROWS), *np.random.default_rng(0).multinomial(NUM_ROWS, [1 / NUM_ROWS] * NUM_ROWS, size=5)]
).astype(np.float32)


def classified():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(NUM_ROWS, 5, generator=generator), torch.randint(4, (NUM_ROWS,), generator=generator)
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return Classification(), {"labels": list("abcde"), "counts": [1] * 5}, losses, logits, labels


def labelled():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(NUM_ROWS, 4, generator=generator), torch.randint(2, (NUM_ROWS, 4), generator=generator)
    labels[:, 3] = 0
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none").mean(-1)
    return MultiLabel(threshold=0.4), {"labels": list("abcd")}, losses, logits, labels


def estimated():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randn(NUM_ROWS, generator=generator)
    outputs = labels + torch.randn(NUM_ROWS, generator=generator)
    return Regression(), {"labels": ["value"], "mean": 3.0, "sd": 2.0}, (outputs - labels) ** 2, outputs, labels


@pytest.mark.parametrize("case", [classified, labelled, estimated], ids=lambda case: case.__name__)
def test_counting_a_row_twice_equals_having_it_twice(case):
    task, schema, losses, outputs, labels = case()
    scores = task.row_scores(outputs, {"labels": labels}, schema).float().numpy()
    units = task.row_units(labels).numpy()
    found = task.resampled_scores(losses.numpy(), units, scores, COUNTS)
    assert set(found) >= {"loss"}
    for index, counts in enumerate(COUNTS):
        rows = torch.from_numpy(np.repeat(np.arange(NUM_ROWS), counts.astype(int)))
        tally = task.tally(schema)
        tally.add(losses[rows], outputs[rows], {"labels": labels[rows]})
        values = tally.values()
        for name, each in found.items():
            assert each.shape == (len(COUNTS),)
            assert each[index] == pytest.approx(values[name], abs=1e-5), name


@pytest.mark.parametrize("case", [classified, labelled, estimated], ids=lambda case: case.__name__)
def test_every_metric_can_be_resampled(case):
    task, schema, losses, outputs, labels = case()
    scores = task.row_scores(outputs, {"labels": labels}, schema).float().numpy()
    found = task.resampled_scores(losses.numpy(), task.row_units(labels).numpy(), scores, COUNTS)
    assert set(found) == set(task.metrics)


@pytest.mark.parametrize("case", [classified, labelled, estimated], ids=lambda case: case.__name__)
def test_rows_of_which_nothing_was_kept_tell_the_loss_alone(case):
    task, _, losses, _, labels = case()
    nothing = np.empty((NUM_ROWS, 0), np.float32)
    assert set(task.resampled_scores(losses.numpy(), task.row_units(labels).numpy(), nothing, COUNTS)) == {"loss"}


def test_labels_that_are_all_equal_correlate_with_nothing():
    scores = np.stack([np.arange(3.0), np.ones(3)], axis=1).astype(np.float32)
    found = Regression().resampled_scores(np.ones(3, np.float32), np.ones(3), scores, np.ones((1, 3), np.float32))
    assert found["pearson"].tolist() == found["spearman"].tolist() == found["r2"].tolist() == [0.0]
