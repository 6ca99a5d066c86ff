"""The dashboard over 10,000 trials x 10 rungs that were never trained, in headless Chromium: every promised figure.

`make bench-dashboard`, or `python benchmarks/dashboard/run.py [--trials N] [--only PART ...] [--write FILE]`. Prints
Markdown as it goes. The browser draws without a GPU where there is none, so that its GPU process costs CPU, too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from machine import Watch, hardware
from made_store import make_study, measure
from measured import Result, result
from served import Served, served
from tab import Tab, chromium, cost_of, cpu_of
from watched import watched

NUM_SELECTED = 700
NUM_LOOKS = 20
NUM_NEWS = 60
NUM_PAGES = 10
TICK_SECONDS = 1.0


def first_read(server: Served) -> Iterator[Result]:
    """Of a store that the server has not looked at yet; pages ask how far it has come."""
    seen, before, began = set(), server.cpu_seconds(), time.perf_counter()
    while True:
        mark = server.ask("/news")["mark"]
        if "reading its trials" in mark:
            seen.add(mark)
        elif "waiting" not in mark:
            break
        time.sleep(0.25)
    yield result("first read of the store: CPU of the server", server.cpu_seconds() - before, "s", below=5)
    yield result("first read: wall", time.perf_counter() - began, "s")
    yield result("first read: different progress shown", len(seen), "", at_least=2)


def first_view(server: Served, browser: Any, study: str) -> Iterator[Result]:
    """With a warm browser cache: the page was open before."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    Tab(page).open(server.address(f"/study/{study}"))
    Tab(page).rest()
    costs, spent = [], []
    for _ in range(3):
        page.goto("about:blank")
        page.close()
        page = context.new_page()
        before = server.cpu_seconds()
        costs.append(cost_of(lambda page=page: Tab(page).open(server.address(f"/study/{study}"))))  # type: ignore[misc]
        spent.append(server.cpu_seconds() - before)
        Tab(page).rest()
    yield result("first view: wall", [cost.wall for cost in costs], "s", below=3)
    yield result("first view: CPU of the renderer", [cost.renderer for cost in costs], "s", below=4)
    yield result("first view: CPU of the GPU process", [cost.gpu for cost in costs], "s")
    yield result("first view: CPU of the server", spent, "s")
    context.close()


def acts(server: Served, browser: Any, study: str, num_trials: int) -> Iterator[Result]:
    """A selection, a sort, looks without news."""
    tab = Tab(browser.new_page(viewport={"width": 1400, "height": 1000}))
    tab.open(server.address(f"/study/{study}"))
    tab.rest()
    costs, counts, spent = [], [], []
    for extra in (0.0, 0.003, 0.006):
        before = server.cpu_seconds()
        costs.append(cost_of(lambda extra=extra: tab.draw_box(NUM_SELECTED / num_trials + extra)))  # type: ignore[misc]
        spent.append(server.cpu_seconds() - before)
        counts.append(tab.num_selected)
        tab.page.click("#clear")
        tab.until("document.getElementById('selected').innerText === 'no trial selected'")
        tab.page.wait_for_timeout(1500)
    yield result("selection: trials", counts, "")
    yield result("selection seen everywhere: wall", [cost.wall for cost in costs], "s", below=1)
    yield result("selection: CPU of the renderer", [cost.renderer for cost in costs], "s")
    yield result("selection: CPU of the server", spent, "s")
    sorts = [cost_of(lambda: tab.sort("validation/loss")) for _ in range(3)]
    yield result("sort: wall", [cost.wall for cost in sorts], "s", below=0.5)
    yield result("sort: CPU of the renderer", [cost.renderer for cost in sorts], "s")
    tab.page.wait_for_timeout(3000)
    before, renderer = server.cpu_seconds(), cpu_of("--type=renderer")
    tab.page.wait_for_timeout(NUM_LOOKS * TICK_SECONDS * 1000)
    looked = 1000 * (server.cpu_seconds() - before) / NUM_LOOKS
    yield result("a look without news: CPU of the server", looked, "ms", below=10)
    shown = 1000 * (cpu_of("--type=renderer") - renderer) / NUM_LOOKS
    yield result("a look without news: CPU of the renderer", shown, "ms")
    tab.page.close()


def live(server: Served, browser: Any, folder: Any, number: int) -> Iterator[Result]:
    """A measurement on disk, until the page's table has it; then an open page with news at every look."""
    tab = Tab(browser.new_page(viewport={"width": 1400, "height": 1000}))
    tab.open(server.address(f"/study/{folder.name}"))
    tab.rest()
    trial, waits = folder.trial(number), []
    row = f"dash_ag_grid.getApi('grid').getRowNode('{number}').data.value"
    for index in range(3):
        measure(trial, 4 + index, 0.5 - 0.01 * index)
        began = time.perf_counter()
        tab.until(f"{row} === {0.5 - 0.01 * index:.5g}")
        waits.append(time.perf_counter() - began)
    yield result("a measurement on disk, until the page shows it: wall", waits, "s", below=3)
    trial = folder.trial(number + 1)
    heaps, nodes, cpu = [tab.heap_mb()], [tab.num_nodes()], server.cpu_seconds()
    began = time.perf_counter()
    for index in range(NUM_NEWS):
        measure(trial, 4 + index, 2.0 + index)
        tab.page.wait_for_timeout(TICK_SECONDS * 1000)
        if index in (NUM_NEWS // 2, NUM_NEWS - 1):
            heaps.append(tab.heap_mb())
            nodes.append(tab.num_nodes())
    share = 100 * (server.cpu_seconds() - cpu) / (time.perf_counter() - began)
    yield result(f"page's heap after {NUM_NEWS // 2} news", heaps[1], "MB")
    yield result(f"page's heap after {NUM_NEWS} news", heaps[2], "MB", below=1.1 * heaps[1] + 1)
    yield result("page's nodes grown meanwhile", nodes[2] - nodes[1], "", below=50)
    yield result("server's CPU with news at every look, of one core", share, "%")
    tab.page.close()


def pages(server: Served, browser: Any, folder: Any, number: int) -> Iterator[Result]:
    """Ten pages of one study at once, each with a figure of its own beside the history."""
    tabs = [Tab(browser.new_page(viewport={"width": 1000, "height": 800})) for _ in range(NUM_PAGES)]
    began = time.perf_counter()
    for tab in tabs:
        tab.page.goto(server.address(f"/study/{folder.name}"), wait_until="commit")
    for tab in tabs:
        tab.until("document.querySelector('.tiles strong') && document.querySelector('.ag-row')")
    yield result(f"{NUM_PAGES} pages open: wall until all show counts and rows", time.perf_counter() - began, "s")
    tabs[-1].rest()
    measure(folder.trial(number), 4, 0.25)
    began, before = time.perf_counter(), server.cpu_seconds()
    for tab in tabs:
        tab.until(f"dash_ag_grid.getApi('grid').getRowNode('{number}').data.value === 0.25")
    yield result(f"{NUM_PAGES} pages: a measurement, until all show it", time.perf_counter() - began, "s")
    tabs[-1].page.wait_for_timeout(5000)
    yield result(f"{NUM_PAGES} pages: CPU of the server for that", server.cpu_seconds() - before, "s")
    for tab in tabs:
        tab.page.close()


def measured(num_trials: int, only: set[str]) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as place:
        store = Path(place)
        folder = make_study(store, "made-up", num_trials, num_running=8)
        time.sleep(62)  # verdicts of trials are looked for that long after their end
        parts: dict[str, Callable[[Served, Any], Iterator[Result]]] = {
            "view": lambda server, browser: first_view(server, browser, folder.name),
            "acts": lambda server, browser: acts(server, browser, folder.name, num_trials),
            "live": lambda server, browser: live(server, browser, folder, num_trials - 8),
            "pages": lambda server, browser: pages(server, browser, folder, num_trials - 2),
        }
        with served(store) as server, folder.locked(), chromium() as browser:
            yield result("the command, until it prints its link: wall", server.start_seconds, "s")
            yield from first_read(server)
            for name, part in parts.items():
                if not only or name in only:
                    yield from part(server, browser)
                    yield result(f"server's memory, the most until here ({name})", server.peak_mb(), "MB", below=400)
    if not only or "watched" in only:
        yield from watched() if num_trials >= 10_000 else watched(num_trials // 10, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--only", action="append", default=[], choices=("view", "acts", "live", "pages", "watched"))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    watch, lines = Watch(), []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    say(f"# The dashboard at {options.trials:,} trials x 10 rungs, {time.strftime('%Y-%m-%d')}\n")
    say(", ".join(f"{name}: {value}" for name, value in hardware().items()) + "\n")
    say("| | median | range | promised | |\n|---|---|---|---|---|")
    for each in measured(options.trials, set(options.only)):
        kept = {None: "", True: "kept", False: "MISSED"}[each.ok]
        say(f"| {each.name} | {each.value:.4g} {each.unit} | {each.spread} | {each.target} | {kept} |")
    say(f"\nMeanwhile: {watch.read()}.")
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
