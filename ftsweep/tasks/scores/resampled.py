"""Metrics of rows that count more than once or not at all, from the few numbers that were kept of each. No torch."""

from __future__ import annotations

import numpy as np

Resampled = dict[str, np.ndarray]
"""Metric name to values, one per resample."""


def class_metrics(
    weights: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    probabilities: np.ndarray,
    *,
    sizes: tuple[int, int],
) -> Resampled:
    """Accuracy, macro-F1 and calibration error as `ClassTally` has them.

    weights [resamples, rows]: how often a row counts. labels and predictions [rows] are indices, probabilities [rows]
    those of the predictions; sizes: how many labels there are, and how many reliability bins.
    """
    num_labels, num_bins = sizes
    is_right = predictions == labels
    real, given = _one_hot(labels, num_labels), _one_hot(predictions, num_labels)
    bins = np.clip(np.ceil(probabilities * num_bins) - 1, 0, num_bins - 1)
    gaps = weights @ (_one_hot(bins, num_bins) * (is_right - probabilities)[:, None])
    totals = weights.sum(axis=1)
    return {
        "accuracy": weights @ is_right.astype(np.float32) / totals,
        "macro_f1": f1(weights @ (real * given), weights @ given, weights @ real).mean(axis=1),
        "calibration_error": np.abs(gaps).sum(axis=1) / totals,
    }


def multi_label_metrics(weights: np.ndarray, real: np.ndarray, given: np.ndarray) -> Resampled:
    """Micro-F1, macro-F1 and subset accuracy; real and given [rows, labels] are true where a label is."""
    hits, predicted, supports = (weights @ part.astype(np.float32) for part in (real & given, given, real))
    is_equal = (real == given).all(axis=1).astype(np.float32)
    return {
        "micro_f1": f1(hits.sum(axis=1), predicted.sum(axis=1), supports.sum(axis=1)),
        "macro_f1": f1(hits, predicted, supports).mean(axis=1),
        "subset_accuracy": weights @ is_equal / weights.sum(axis=1),
    }


def number_metrics(weights: np.ndarray, predictions: np.ndarray, labels: np.ndarray) -> Resampled:
    """Root of the mean squared error, mean absolute error, r2 and both correlations, 0 where they are not defined.

    predictions and labels [rows] in the labels' own unit.
    """
    shares = weights.astype(np.float64) / weights.sum(axis=1, keepdims=True)
    predictions, labels = predictions.astype(np.float64), labels.astype(np.float64)
    error = shares @ (predictions - labels) ** 2
    variance = shares @ labels**2 - (shares @ labels) ** 2
    return {
        "rmse": np.sqrt(error),
        "mae": shares @ np.abs(predictions - labels),
        "r2": 1 - _ratio(error, variance, otherwise=1.0),
        "pearson": _correlations(shares, predictions, labels),
        "spearman": _correlations(shares, _ranks(weights, predictions), _ranks(weights, labels)),
    }


def _correlations(shares: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Pearson's correlation in every resample. shares [resamples, rows] sum to 1; the sides may differ by resample."""
    left = left - (shares * left).sum(axis=1, keepdims=True)
    right = right - (shares * right).sum(axis=1, keepdims=True)
    spread = np.sqrt((shares * left**2).sum(axis=1) * (shares * right**2).sum(axis=1))
    return _ratio((shares * left * right).sum(axis=1), spread, otherwise=0.0)


def _ranks(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The rank that each row has in each resample, as if it were there as often as it counts; ties share their mean."""
    distinct, group = np.unique(values, return_inverse=True)
    counts = np.zeros((len(weights), len(distinct)))
    np.add.at(counts.T, group, weights.T)
    below = np.cumsum(counts, axis=1) - counts
    ranks: np.ndarray = (below + (counts + 1) / 2)[:, group]
    return ranks


def f1(hits: np.ndarray, predicted: np.ndarray, supports: np.ndarray) -> np.ndarray:
    """2 tp / (2 tp + fp + fn), 0 where that is 0 / 0."""
    return _ratio(2 * hits, predicted + supports, otherwise=0.0)


def _ratio(part: np.ndarray, whole: np.ndarray, *, otherwise: float) -> np.ndarray:
    found: np.ndarray = np.divide(part, whole, out=np.full_like(part, otherwise), where=whole > 1e-12)
    return found


def _one_hot(indices: np.ndarray, size: int) -> np.ndarray:
    found: np.ndarray = np.equal(indices[:, None], np.arange(size)).astype(np.float32)
    return found
