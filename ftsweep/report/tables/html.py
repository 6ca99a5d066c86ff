"""A table as HTML, with everything from outside shown as text."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from ftsweep.report.tables.table import Table


def html_table(table: Table, css_class: str, *, is_sortable: bool = False) -> Any:
    """Markup of the table with this class; the first cell of a row is its heading.

    With `is_sortable` a column's heading is a button, by which a page's script sorts the rows.
    """
    from markupsafe import Markup

    text = _template().render(table=table, css_class=css_class, is_sortable=is_sortable)
    return Markup(text)  # noqa: S704 - the template escapes


@cache
def _template() -> Any:
    import jinja2

    text = files("ftsweep.report").joinpath("table.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)
