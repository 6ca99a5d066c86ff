"""A page of the dashboard in headless Chromium: what a person does to it, until all is seen, and what it costs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-precise-memory-info",
]  # fmt: skip
_DRAWN = "document.querySelector('#{side} .js-plotly-plot')"


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def cpu_of(kind: str) -> float:
    """CPU seconds of this process's children whose command has the word."""
    found = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            if kind in " ".join(child.cmdline()):
                found += sum(child.cpu_times()[:2])
        except psutil.Error:
            continue
    return found


@dataclass(frozen=True)
class Cost:
    """`renderer` and `gpu` are CPU seconds of the browser; without a GPU the second draws in software."""

    wall: float
    renderer: float
    gpu: float


def cost_of(work: Callable[[], object]) -> Cost:
    kinds = ("--type=renderer", "--type=gpu-process")
    before, began = [cpu_of(kind) for kind in kinds], time.perf_counter()
    work()
    wall = time.perf_counter() - began
    return Cost(wall, *(cpu_of(kind) - then for kind, then in zip(kinds, before, strict=True)))


@dataclass(frozen=True)
class Tab:
    """A study's page."""

    page: Any

    def until(self, condition: str) -> None:
        """As a function, which is evaluated once: a bare expression is evaluated in the page, which forbids that."""
        self.page.wait_for_function(f"() => {condition}", timeout=300_000, polling=20)

    def open(self, address: str) -> None:
        """Until counts, the first figure and the first rows are there."""
        self.page.goto(address, wait_until="commit", timeout=300_000)
        self.page.wait_for_selector(".tiles strong", timeout=300_000)
        self.until(f"{_DRAWN.format(side='left')}?.data?.length && document.querySelector('.ag-row')")

    def rest(self) -> None:
        """Until the second figure is there and nothing is asked any more."""
        self.until(f"{_DRAWN.format(side='right')}?.data?.length")
        self.page.wait_for_timeout(3000)

    def draw_box(self, share: float) -> None:
        """Select the left share of the history by hand, until figures, table and words show the same trials."""
        plot = self.page.locator("#left .nsewdrag").first.bounding_box()
        left, top, high = plot["x"] + 2, plot["y"] + 2, plot["height"] - 4
        self.page.mouse.move(left, top)
        self.page.mouse.down()
        self.page.mouse.move(left + plot["width"] * share / 2, top + high / 2)
        self.page.mouse.move(left + plot["width"] * share, top + high)
        self.page.mouse.up()
        self.until(
            "(count => count > 0 && dash_ag_grid.getApi('grid').getSelectedRows().length === count"
            f" && {_DRAWN.format(side='left')}.data.some(trace => (trace.selectedpoints || []).length)"
            f" && {_DRAWN.format(side='right')}.data.some(trace => trace.mode === 'lines' && trace.opacity === 0.1)"
            ")(parseInt(document.getElementById('selected').innerText.replace(',', '')))"
        )

    @property
    def num_selected(self) -> int:
        return int(self.page.inner_text("#selected").split()[0].replace(",", ""))

    def sort(self, column: str) -> None:
        """By a click on the column's head, until another row is the first."""
        first = "document.querySelector('.ag-center-cols-container [row-index=\"0\"]').getAttribute('row-id')"
        before = self.page.evaluate(first)
        self.page.locator(".ag-header-cell", has_text=column).first.locator(".ag-header-cell-label").click()
        self.until(f"{first} !== '{before}'")

    def heap_mb(self) -> float:
        """What the page's scripts hold after a collection, in 10^6 bytes."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        found = {each["name"]: each["value"] for each in self._metrics(session)}
        session.detach()
        return float(found["JSHeapUsedSize"]) / 1e6

    def num_nodes(self) -> int:
        return int(self.page.evaluate("document.getElementsByTagName('*').length"))

    @staticmethod
    def _metrics(session: Any) -> list[dict[str, Any]]:
        session.send("Performance.enable")
        found: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
        return found
