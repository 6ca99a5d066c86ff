"""What a judge of one's own answers is numbers by row, or told by its name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from ftsweep.domain.metric import Metric, Metrics
from ftsweep.errors import ConfigError
from ftsweep.tasks.judging import Judge, JudgedRow, scores_told


class Brevity(Judge):
    metrics: ClassVar[Metrics] = {"brevity": Metric("maximize", 0, 1), "wit": Metric("maximize", 0, 1)}

    def score(self, rows: Sequence[JudgedRow]) -> Sequence[Mapping[str, float]]:
        raise NotImplementedError


def told(answer: Any) -> list[list[float]]:
    return scores_told(Brevity(), answer, 2, list(Brevity.metrics))


def test_numbers_of_any_library_count_and_what_is_left_out_is_nan() -> None:
    first, second = told({"brevity": value} for value in (np.float32(0.5), True))
    assert (first[0], second[0]) == (0.5, 1.0)
    assert math.isnan(first[1])
    assert all(math.isnan(row[0]) for row in told([{}, {"brevity": float("nan")}]))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "Brevity gave None for 2 rows. It must give a mapping for each row."),
        ([{}], "Brevity gave 1 scores for 2 rows."),
        ({"brevity": 1.0}, "Brevity gave {'brevity': 1.0} for 2 rows."),
        ([{}, 0.5], "Brevity gave 0.5 for row 1."),
        ([{"brevty": 1.0}, {}], "Brevity scores row 0 by 'brevty'. Its `metrics` has brevity, wit."),
        ([{}, {"wit": None}], "Brevity scores row 1 by wit as None, which is no number. What cannot be told is float"),
        ([{}, {"wit": 1.5}], "Brevity scores row 1 by wit as 1.5, above the 1 that its Metric has as `high`. Mend"),
        ([{}, {"wit": "0.5"}], "Brevity scores row 1 by wit as '0.5', which is no number."),
    ],
)
def test_what_is_no_number_by_row_is_refused_by_the_judges_name(answer: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        told(answer)
    assert str(refused.value).startswith(f"task.judge: {said}")
