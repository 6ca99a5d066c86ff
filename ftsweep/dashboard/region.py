"""The trials that lie in a box or lasso of a figure, drawn or not: of thousands a figure draws some."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from ftsweep.dashboard.against import chosen_axes, is_log, place_on, places
from ftsweep.dashboard.views import CURVES, SLICES, XY
from ftsweep.report.figures import slices
from ftsweep.report.overview import StudyOverview

Point = tuple[float, float]


def trials_in(
    study: StudyOverview, view: str, axes: tuple[str, str], panel: int, xs: Sequence[float], ys: Sequence[float]
) -> list[int]:
    """Numbers of the trials whose marks, or points of their curves, lie in a region, ascending.

    axes: of `xy`. panel: of slices, counted from 1. xs, ys: [num_corners] of a polygon, of a box its two ends; on a
    logarithmic axis the values themselves, of categories their places.
    """
    x_log, y_log = (view == XY and is_log(study, axis) for axis in chosen_axes(study, *axes))
    corners = list(zip(_scaled(xs, x_log), _scaled(ys, y_log), strict=True))
    is_inside = _in_box(corners) if len(corners) == 2 else _in_polygon(corners)
    marks = _marks(study, view, axes, panel)
    return sorted({number for number, x, y in marks if is_inside((x, y))})


def _marks(study: StudyOverview, view: str, axes: tuple[str, str], panel: int) -> Iterator[tuple[int, float, float]]:
    """Number, x and y of every trial that the view could draw, on the axes' own scales."""
    if view == XY:
        x, y = chosen_axes(study, *axes)
        x_of, y_of = place_on(study, x), place_on(study, y)
        yield from ((each.trial.number, x_of(each.x), y_of(each.y)) for each in places(study, x, y))
        return
    measured = [trial for trial in study.trials if trial.value is not None]
    if view == CURVES:
        key = study.objective.key
        for trial in study.trials:
            yield from ((trial.number, point.progress, point.values.get(key, math.nan)) for point in trial.curve)
        return
    if view == SLICES:
        names = [each.name for each in slices.info(study).panels]  # a parameter of one trial alone has none
        name = names[panel - 1] if 0 < panel <= len(names) else ""
        having = [trial for trial in measured if name in trial.params]
        axis = (
            slices.axis_of(name, study.dimensions[name], [trial.params[name] for trial in having]) if having else None
        )
        for trial in having:
            place = None if axis is None else axis.position(trial.params[name])
            if place is not None:
                yield trial.number, place, trial.value or 0.0
        return
    yield from ((trial.number, float(trial.number), trial.value or 0.0) for trial in measured)


def _scaled(values: Sequence[float], is_logarithmic: bool) -> list[float]:
    return [_at(value, is_logarithmic) for value in values]


def _at(value: float, is_logarithmic: bool) -> float:
    if not is_logarithmic:
        return value
    return math.log10(value) if value > 0 else math.nan


def _in_box(corners: Sequence[Point]) -> Callable[[Point], bool]:
    (x1, y1), (x2, y2) = corners
    left, right, low, high = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
    return lambda point: left <= point[0] <= right and low <= point[1] <= high


def _in_polygon(corners: Sequence[Point]) -> Callable[[Point], bool]:
    """By the number of edges that a ray to the right crosses."""
    edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))

    def is_inside(point: Point) -> bool:
        x, y = point
        crossed = [x < (x2 - x1) * (y - y1) / (y2 - y1) + x1 for (x1, y1), (x2, y2) in edges if (y1 > y) != (y2 > y)]
        return sum(crossed) % 2 == 1

    return is_inside
