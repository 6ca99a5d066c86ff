"""All trials of a large study as one picture behind the marks of some, a dot each: a browser draws it in no time.

Plotly draws a mark of SVG for each point, or takes WebGL, which not every screen has. So the dots are set here, in a
PNG with a palette (ISO/IEC 15948).
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ftsweep.report.figures import theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

Dot = tuple[float, float, str]
"""x and y on the figure's axes (logarithms on a logarithmic one), and the outcome."""
Ends = tuple[float, float]

WORDS = "a dot for every trial"
_KINDS = tuple(theme.COLOURS)
_PLAIN, _FAINT, _BRIGHT = 115, 26, 215
"""Opacity of dots, of 255: where nothing is selected, and of what is not and what is."""


def add_cloud(
    figure: go.Figure,
    dots: Sequence[Dot],
    selected: Sequence[bool],
    ends: tuple[Ends, Ends],
    size: tuple[int, int],
    **place: Any,
) -> None:
    """Draw dots behind the marks of a figure.

    selected: of each dot; [] where nothing is. ends: of the picture on x and y; dots outside are left out. size: its
    width and height in pixels. place: the axes.
    """
    (left, right), (low, high) = ends
    figure.add_layout_image(
        source=_address(_pixels(dots, selected, ends, size), is_faint=len(selected) > 0),
        x=left,
        y=high,
        sizex=right - left,
        sizey=high - low,
        xanchor="left",
        yanchor="top",
        sizing="stretch",
        layer="below",
        **place,
    )


def _pixels(
    dots: Sequence[Dot], selected: Sequence[bool], ends: tuple[Ends, Ends], size: tuple[int, int]
) -> np.ndarray:
    """[height, width] of indices into the palette, 0: nothing. Each dot is three pixels wide and high."""
    (left, right), (low, high) = ends
    (width, height), index_of = size, {kind: index for index, kind in enumerate(_KINDS)}
    bright = np.array(selected or [False] * len(dots), dtype=bool)
    order = np.argsort(bright, kind="stable")  # what is selected lies on top
    columns = (np.array([x for x, _, _ in dots])[order] - left) / (right - left) * width
    rows = (high - np.array([y for _, y, _ in dots])[order]) / (high - low) * height
    colours = 1 + np.array([index_of[kind] for _, _, kind in dots])[order] + len(_KINDS) * bright[order]
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    canvas = np.zeros((height + 2, width + 2), dtype=np.uint8)
    columns, rows, colours = columns[inside].astype(int), rows[inside].astype(int), colours[inside]
    for right_by in range(3):
        for down_by in range(3):
            canvas[rows + down_by, columns + right_by] = colours
    return canvas[1:-1, 1:-1]


def _address(pixels: np.ndarray, *, is_faint: bool) -> str:
    """The picture as a data address."""
    height, width = pixels.shape
    colours = bytes.fromhex("ffffff" + 2 * "".join(theme.COLOURS[kind].lstrip("#") for kind in _KINDS))
    opacity = bytes([0, *[_FAINT if is_faint else _PLAIN] * len(_KINDS), *[_BRIGHT] * len(_KINDS)])
    lines = np.hstack([np.zeros((height, 1), dtype=np.uint8), pixels])  # a byte before each: it is stored as it is
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", colours),
        (b"tRNS", opacity),
        (b"IDAT", zlib.compress(lines.tobytes(), 6)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()
