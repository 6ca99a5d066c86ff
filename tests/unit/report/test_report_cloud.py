"""The picture with a dot for every trial, read back as a browser reads it."""

from __future__ import annotations

import base64
import io

import numpy as np
import plotly.graph_objects as go
import pytest

from ftsweep.report.figures import theme
from ftsweep.report.figures.cloud import Dot, add_cloud

ENDS = (0.0, 10.0), (-1.0, 1.0)


def picture(dots: list[Dot], selected: list[bool]) -> np.ndarray:
    """[height, width, 4], as colours with their opacity."""
    image = pytest.importorskip("PIL.Image", reason="reads the picture back; comes with mlflow")
    figure = go.Figure()
    add_cloud(figure, dots, selected, ENDS, (100, 40), xref="x", yref="y")
    (drawn,) = figure.layout.images
    assert (drawn.x, drawn.y, drawn.sizex, drawn.sizey, drawn.layer) == (0.0, 1.0, 10.0, 2.0, "below")
    content = base64.b64decode(drawn.source.removeprefix("data:image/png;base64,"))
    return np.array(image.open(io.BytesIO(content)).convert("RGBA"))


def colour(kind: str) -> list[int]:
    return list(bytes.fromhex(theme.COLOURS[kind].lstrip("#")))


def test_dots_stand_at_their_place_in_the_colour_of_their_outcome_and_outside_ones_are_left_out() -> None:
    found = picture([(5.0, 0.5, "complete"), (2.5, -0.5, "failed"), (11.0, 0.0, "pruned")], [])

    assert found.shape == (40, 100, 4)
    assert found[10, 50, :3].tolist() == colour("complete")
    assert found[30, 25, :3].tolist() == colour("failed")
    assert np.count_nonzero(found[:, :, 3]) == 2 * 9, "three pixels wide and high each"


def test_what_is_selected_is_bright_and_on_top_and_the_rest_faint() -> None:
    dots: list[Dot] = [(5.0, 0.0, "complete"), (5.0, 0.0, "pruned"), (9.0, 0.0, "pruned")]
    found = picture(dots, [True, False, False])

    assert found[20, 50, :3].tolist() == colour("complete")
    assert found[20, 50, 3] > 200
    assert 0 < found[20, 90, 3] < 40


def test_dots_at_the_edges_are_drawn_as_far_as_they_fit() -> None:
    found = picture([(0.0, 1.0, "complete"), (9.99, -0.99, "complete")], [])

    assert found[0, 0, 3] > 0
    assert found[39, 99, 3] > 0
