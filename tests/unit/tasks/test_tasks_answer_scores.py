from __future__ import annotations

import math
import random

import numpy as np
import pytest

from ftsweep.tasks.scores.answer_scores import ANSWER_METRICS, normalised, resampled_answers, score_answers

WORDS = ["The", "cat", "sat", "on", "a", "mat,", "quickly.", "Ünder", "42", "it's", "cat", "x_y"]


def score(name, expected, answer):
    return float(score_answers([name], [expected], [answer])[0, 0])


def pairs(count=60):
    generator = random.Random(7)
    texts = [" ".join(generator.choices(WORDS, k=generator.randint(1, 9))) for _ in range(2 * count)]
    return [*zip(texts[:count], texts[count:], strict=True), ("same words here", "same words here"), ("word", "")]


def test_rouge_l_is_that_of_rouge_score():
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    for expected, answer in pairs():
        reference = scorer.score(target=expected, prediction=answer)["rougeL"].fmeasure
        assert score("rouge_l", expected, answer) == pytest.approx(reference, abs=1e-9)
    assert len({round(score("rouge_l", *pair), 6) for pair in pairs()}) > 10


def test_chrf_is_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    for expected, answer in pairs():
        reference = sacrebleu.sentence_chrf(answer, [expected]).score
        assert score("chrf", expected, answer) == pytest.approx(reference, abs=1e-9)
    assert score("chrf", "same words", "same words") == pytest.approx(100)


@pytest.mark.parametrize(
    ("expected", "answer", "is_match", "f1"),
    [
        ("The Eiffel Tower", "eiffel tower.", 1, 1),
        ("a cat", "the cat", 1, 1),
        ("in 1990", "1990", 0, 2 / 3),
        ("red and blue", "blue, blue and green", 0, 2 * 2 / (3 + 4)),
        ("the", "an", 1, 1),  # nothing is left of either
        ("the", "cat", 0, 0),
        ("cat", "", 0, 0),
    ],
)
def test_exact_match_and_token_f1_are_those_of_squad(expected, answer, is_match, f1):
    assert score("exact_match", expected, answer) == is_match
    assert score("token_f1", expected, answer) == pytest.approx(f1, abs=1e-9)


def test_texts_are_normalised_as_squad_does_it():
    assert normalised("  The\tanswer: an  apple-pie, THE end! ") == "answer applepie end"


@pytest.mark.parametrize(
    ("expected", "answer", "found"),
    [
        ("New York", "It is in new york, USA.", 1),
        ("York", "Yorkshire", 0),
        ("cat", "concatenate", 0),
        ("?", "why?", 1),
        ("?", "why", 0),
    ],
)
def test_contains_looks_for_whole_words(expected, answer, found):
    assert score("contains", expected, answer) == found


@pytest.mark.parametrize(
    ("answer", "valid"),
    [
        ('{"a": 1}', 1),
        (" [1, 2]\n", 1),
        ('"text"', 1),
        ('```json\n{"a": 1}\n```', 0),
        ('{"a": 1} and more', 0),
        ("{'a': 1}", 0),
        ('{"a": NaN}', 0),
        ("", 0),
        ("[" * 100_000, 0),
    ],
)
def test_json_is_valid_as_a_whole_or_not_at_all(answer, valid):
    assert score("json_valid", "{}", answer) == valid


@pytest.mark.parametrize(
    ("expected", "answer", "share"),
    [
        ('{"a": 1, "b": [1, 2]}', '{"b": [1, 2], "a": 1.0}', 1),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 1 / 2),
        ('{"a": 1}', '{"a": 1, "b": 3}', 1 / 2),  # a field too many
        ('{"a": {"b": 1, "c": 2}}', '{"a": {"b": 1}}', 1 / 2),
        ('{"a": true}', '{"a": 1}', 0),
        ('{"a": []}', '{"a": []}', 1),
        ("[1, 2]", "[2, 1]", 0),
        ('{"a": 1}', "no JSON", 0),
    ],
)
def test_json_is_compared_field_by_field(expected, answer, share):
    assert score("json_match", expected, answer) == pytest.approx(share)


def test_a_row_whose_expected_answer_is_no_json_tells_nothing_of_json_match():
    assert math.isnan(score("json_match", "plain words", '{"a": 1}'))


def test_scores_stand_in_the_order_in_which_they_are_asked_for():
    found = score_answers(["chrf", "exact_match"], ["one", "two"], ["one", "three"])
    assert found.shape == (2, 2)
    assert found[:, 1].tolist() == [1, 0]
    assert found[0, 0] == pytest.approx(100)
    assert score_answers(["chrf"], [], []).shape == (0, 1)


def test_means_of_resamples_are_those_of_the_rows_that_were_answered():
    names = list(ANSWER_METRICS)
    scores = np.full((4, len(names)), np.nan, np.float32)
    scores[[0, 2], names.index("rouge_l")] = [0.25, 0.75]
    weights = np.array([[1, 1, 1, 1], [3, 0, 1, 0]], np.float32)
    assert {name: each.tolist() for name, each in resampled_answers(names, scores, weights).items()} == {
        "rouge_l": [0.5, (3 * 0.25 + 0.75) / 4]
    }
    assert resampled_answers(names, scores, np.array([[0, 2, 0, 2]], np.float32)) == {}, "no answered row was drawn"
    assert resampled_answers(names, np.empty((4, 0), np.float32), weights) == {}
