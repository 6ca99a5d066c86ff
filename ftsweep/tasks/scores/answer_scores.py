"""How good a generated answer is, beside the one that was expected. One number per row; a metric is their mean.

`rouge-score` and `sacrebleu` are imported when a score of theirs is asked for.
"""

from __future__ import annotations

import json
import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from ftsweep.domain.metric import Metric, Metrics

Score = Callable[[str, str], float]
"""Of the expected text and the answer; NaN where the row does not tell."""


def _between_0_and(high: float) -> Metric:
    return Metric("maximize", 0, high, is_readable=True, is_generated=True)


ANSWER_METRICS: Metrics = {
    "rouge_l": _between_0_and(1),
    "token_f1": _between_0_and(1),
    "exact_match": _between_0_and(1),
    "chrf": _between_0_and(100),
    "contains": _between_0_and(1),
    "json_match": _between_0_and(1),
    "json_valid": _between_0_and(1),
}
"""The best known first; none but chrF in other units than shares."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = frozenset(string.punctuation)


def score_answers(names: Sequence[str], expected: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """Each of these scores of each row, float64 [rows, names]."""
    scores = [_SCORES[name] for name in names]
    rows = [[score(*pair) for score in scores] for pair in zip(expected, answers, strict=True)]
    return np.array(rows, np.float64).reshape(len(answers), len(names))


def resampled_answers(names: Sequence[str], scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Means of scores [rows, names] in resamples, as `Task.resampled_scores`; NaN where a row was not answered.

    A metric of which some resample has no answered row is left out.
    """
    found = {}
    for name, column in zip(names, scores.T, strict=False):
        is_known = np.isfinite(column)
        counts = weights[:, is_known].sum(axis=1, dtype=np.float64)
        if is_known.any() and counts.all():
            found[name] = weights[:, is_known].astype(np.float64) @ column[is_known] / counts
    return found


def normalised(text: str) -> str:
    """As the evaluation of SQuAD compares texts: lower case, without punctuation, articles and double spaces."""
    bare = "".join(character for character in text.lower() if character not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(expected: str, answer: str) -> float:
    """1 when both are the same text, normalised as in SQuAD (Rajpurkar 2016)."""
    return float(normalised(expected) == normalised(answer))


def token_f1(expected: str, answer: str) -> float:
    """F1 of the words that both have, normalised and counted as in SQuAD."""
    ours, theirs = normalised(answer).split(), normalised(expected).split()
    if not ours or not theirs:
        return float(ours == theirs)
    num_same = (Counter(ours) & Counter(theirs)).total()
    return 2 * num_same / (len(ours) + len(theirs))


def contains(expected: str, answer: str) -> float:
    """1 when the expected text stands in the answer, whole words of both normalised as in SQuAD."""
    wanted = normalised(expected)
    if not wanted:  # nothing but articles or punctuation
        return float(expected.strip() in answer)
    return float(f" {wanted} " in f" {normalised(answer)} ")


def rouge_l(expected: str, answer: str) -> float:
    """F-measure of the longest common subsequence of words (Lin 2004), without stemming."""
    return float(_rouge().score(expected, answer)["rougeL"].fmeasure)


def chrf(expected: str, answer: str) -> float:
    """chrF2 of character n-grams (Popovic 2015) of this row, from 0 to 100."""
    return float(_chrf().sentence_score(answer, [expected]).score)


def json_valid(expected: str, answer: str) -> float:
    """1 when the answer as a whole is JSON; a fence of Markdown around it is none."""
    return float(_parsed(answer) is not _NO_JSON)


def json_match(expected: str, answer: str) -> float:
    """Of all fields that either has, the share that both have with one value; 0 for an answer that is no JSON.

    A field is a value that is neither a filled object nor a filled list, with the keys and places that lead to it. NaN
    where the expected text is no JSON.
    """
    wanted, given = _parsed(expected), _parsed(answer)
    if wanted is _NO_JSON:
        return math.nan
    if given is _NO_JSON:
        return 0.0
    ours, theirs = dict(_fields(given)), dict(_fields(wanted))
    num_same = sum(path in ours and ours[path] == value for path, value in theirs.items())
    return float(num_same / len(ours.keys() | theirs.keys()))


_SCORES: dict[str, Score] = {
    "rouge_l": rouge_l,
    "token_f1": token_f1,
    "exact_match": exact_match,
    "chrf": chrf,
    "contains": contains,
    "json_match": json_match,
    "json_valid": json_valid,
}

_NO_JSON = object()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _NO_JSON


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _fields(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every field's path and its value, with which `true` is not 1."""
    if isinstance(value, dict) and value:
        for key, inside in value.items():
            yield from _fields(inside, (*path, key))
    elif isinstance(value, list) and value:
        for place, inside in enumerate(value):
            yield from _fields(inside, (*path, place))
    else:
        yield path, (isinstance(value, bool), value)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False)


@cache
def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()
