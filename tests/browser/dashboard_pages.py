"""What tests do on the dashboard's pages, and what they wait for."""

from __future__ import annotations

import pytest

PATIENCE_MS = 180_000  # a shared machine with little left takes long to draw


def wait_until(page, condition):
    """As a function, which is evaluated once: a bare expression is evaluated in the page, which forbids that. Where
    something that it looks at is not there yet, it does not hold.
    """
    page.wait_for_function(f"() => {{ try {{ return {condition} }} catch (error) {{ return false }} }}")


def wait_for_study(page):
    """Until both figures are drawn: they are empty at first."""
    drawn = "[...document.querySelectorAll('.panel .js-plotly-plot')].filter(plot => plot.data && plot.data.length)"
    wait_until(page, f"{drawn}.length === 2")
    page.wait_for_selector(".ag-row")


_LINKED = "(document.getElementById('csv').getAttribute('href').split('?trials=')[1] || '').split(',').filter(Boolean)"


def selection_of(page):
    """The selected trials, by the link to their file, which follows the words a moment later."""
    wait_until(page, f"{_LINKED}.length === (parseInt(document.getElementById('selected').innerText) || 0)")
    return [int(number) for number in page.get_attribute("#csv", "href").partition("?trials=")[2].split(",") if number]


def wait_for_rows(page, numbers):
    """Until exactly these rows are ticked: the table follows a moment after the figures."""
    rows = "[...document.querySelectorAll('.ag-row-selected')].map(row => Number(row.getAttribute('row-id')))"
    wait_until(page, f"[...new Set({rows})].sort((a, b) => a - b).join() === '{','.join(map(str, numbers))}'")


def wait_for_cell(page, number, text):
    """Until the row of the trial has the text; a row lies in several parts of the table."""
    wait_until(
        page,
        f"[...document.querySelectorAll('.ag-row[row-id=\"{number}\"]')].some(r => r.innerText.includes('{text}'))",
    )


def draw_box(page, side, width):
    """Select from the left edge by hand. On a busy machine the page may still move beneath it: then once more."""
    late = pytest.importorskip("playwright.sync_api").TimeoutError
    for _ in range(5):
        plot = page.locator(f"#{side} .nsewdrag").first.bounding_box()
        left, top = plot["x"] + 3, plot["y"] + 3
        page.mouse.move(left, top)
        page.mouse.down()
        page.mouse.move(left + plot["width"] * width / 2, top + plot["height"] / 2, steps=4)
        page.mouse.move(left + plot["width"] * width, top + plot["height"] - 8, steps=4)
        page.mouse.up()
        try:
            selected = "/^[1-9]\\d* of/.test(document.getElementById('selected').innerText)"
            page.wait_for_function(f"() => {selected}", timeout=PATIENCE_MS / 6)
        except late:
            continue
        return
    raise AssertionError("no box selects anything")


def resize(page, side, width):
    """Give the window another width, until the figure has it, and the page has heard what the figure says of that."""
    drawn = f"document.querySelector('#{side} .js-plotly-plot')"
    page.evaluate(f"() => {drawn}.on('plotly_relayout', told => {{ window.isResized |= told.autosize; }})")
    page.set_viewport_size({**page.viewport_size, "width": width})
    wait_until(page, "window.isResized")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def faint_lines(page, side):
    """Trials whose line is faint."""
    script = "document.querySelector('#%s .js-plotly-plot').data.filter(t => t.opacity < 0.2).map(t => t.meta[0])"
    return sorted(page.evaluate(script % side))
