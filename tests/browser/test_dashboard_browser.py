"""The dashboard in a real browser, served by its command: live, one selection, acting, and what is not allowed."""

from __future__ import annotations

import http.server
import threading
import time

import pytest
import report_studies as studies
from dashboard_pages import (
    draw_box,
    faint_lines,
    resize,
    selection_of,
    wait_for_cell,
    wait_for_rows,
    wait_for_study,
    wait_until,
)

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.request import Answer
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.store.atomic import append_line
from ftsweep.store.inbox import Inbox
from ftsweep.store.requests import STOPPED, Requests

# slow: a real study, a server and a browser, minutes on two cores
pytest.importorskip("dash", reason="the extra ftsweep[dashboard] is not installed")
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:alert(3)'>x</a>%{y}$\\alpha$"


def test_measurement_shows_within_seconds_and_selection_and_zoom_stay(opened, tmp_path):
    builder = studies.StudyBuilder(tmp_path)
    for number in range(4):
        params = {"training.learning_rate": 10.0 ** -(number + 2), "training.batch_size": 8}
        builder.trial(number, studies.falling(1e-3, 8, num=5), "complete" if number < 3 else None, params=params)
    page = opened("/study/demo?sel=1-2")
    wait_for_study(page)
    wait_for_rows(page, [1, 2])
    assert faint_lines(page, "right") == [0, 3]
    plot = page.locator("#right .nsewdrag").first.bounding_box()
    middle = plot["y"] + plot["height"] / 2
    page.mouse.move(plot["x"] + plot["width"] * 0.2, middle)  # by hand: what a script sets is not kept
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.4, middle, steps=4)
    page.mouse.up()
    shown = "document.querySelector('#right .js-plotly-plot')._fullLayout.xaxis.range"
    wait_until(page, f"{shown}[1] < 0.9")
    zoomed = page.evaluate(shown)

    point = Measurement(5, 0.5, 450, 45000, 7.5, time.time(), {"validation/loss": 0.123})
    append_line(builder.folder.trial(3).measurements_file, point.to_dict())
    wait_until(
        page,
        "document.querySelector('#right .js-plotly-plot').data.some(t => t.meta[0] === 3 && [...t.y].includes(0.123))",
    )
    wait_for_cell(page, 3, "0.123")
    wait_for_cell(page, 3, "1e-5")  # its rate, spelled as on every other screen

    wait_for_rows(page, [1, 2])
    assert faint_lines(page, "right") == [0, 3]
    assert page.evaluate(shown) == pytest.approx(zoomed)
    assert page.troubles == []


def test_one_selection_reaches_figures_table_address_and_file(opened, tmp_path):
    studies.write_demo(tmp_path)
    page = opened("/")
    page.locator(".studies a").first.click()
    wait_for_study(page)

    draw_box(page, "left", 0.3)
    boxed = selection_of(page)
    assert boxed
    wait_for_rows(page, boxed)
    assert max(boxed) <= 4, "trials at the left of the history"
    lines = page.evaluate("document.querySelector('#right .js-plotly-plot').data.map(t => t.meta[0])")
    assert faint_lines(page, "right") == sorted(set(lines) - set(boxed))
    assert "sel=" in page.evaluate("location.search")

    page.fill("#top", "2")
    page.keyboard.press("Enter")
    wait_until(page, "document.getElementById('selected').innerText.startsWith('2 of')")
    best = page.evaluate("location.search")
    wait_for_rows(page, selection_of(page))

    other = opened("/study/demo" + best)
    wait_for_study(other)
    wait_for_rows(other, selection_of(page))  # a link shows what I see

    page.click("#clear")
    wait_until(page, "document.getElementById('selected').innerText === 'no trial selected'")
    page.locator("input[aria-label='outcome Filter Input']:not([disabled])").first.fill("pruned")
    wait_until(page, "document.getElementById('selected').innerText.startsWith('4 of')")
    assert faint_lines(page, "right"), "filtered trials are the selection"
    assert page.troubles == []


def test_every_view_trial_page_and_difference_open(opened, tmp_path):
    studies.write_demo(tmp_path, branches=True)
    page = opened("/study/demo?left=xy&right=slices&sel=3")
    wait_for_study(page)
    for title in ("Parallel coordinates", "Importances", "Timeline", "Confusion on test"):
        page.click("#right-view")
        page.get_by_text(title, exact=True).last.click()
        wait_until(page, f"document.getElementById('right-view').innerText.includes('{title}')")
        page.wait_for_selector("#right .main-svg")
        if title == "Parallel coordinates":
            wait_until(page, "document.querySelector('#right .js-plotly-plot').data.length > 10")
            page.click("#clear")
            wait_until(page, "document.getElementById('selected').innerText === 'no trial selected'")
            draw_box(page, "right", 0.6)
            selected = selection_of(page)
            assert selected, "lines that pass through a box over an axis"
            resize(page, "right", 1000)
            assert selection_of(page) == selected
            page.locator("#right .nsewdrag").first.dblclick()
            wait_until(page, "document.getElementById('selected').innerText === 'no trial selected'")
    page.goto(page.url.partition("/study")[0] + "/study/demo/trial/3")
    page.wait_for_selector("#trial-curves .main-svg")
    assert "Trial 3" in page.inner_text("h1")
    page.get_by_text("Differences to").click()
    page.wait_for_selector(".differences")
    assert "learning_rate" in page.inner_text(".differences")
    assert page.troubles == []


def test_stop_of_a_trial_needs_the_token_and_is_seen_to_happen(opened, tmp_path):
    builder = studies.StudyBuilder(tmp_path)
    builder.trial(0, studies.falling(1e-3, 8), "complete")
    builder.trial(1, studies.falling(1e-3, 8, num=4), None)
    folder, is_up, is_over = builder.folder, threading.Event(), threading.Event()

    def control_process():
        """Heeds a request as the loop of a study does."""
        with folder.locked():
            is_up.set()
            while not is_over.wait(0.05):
                for number in Requests(folder).trials():
                    folder.trial(number).write_outcome(Outcome(OutcomeKind.PRUNED, STOPPED, rung=3))
                    asked = Requests(folder).of_trial(number)
                    Inbox(folder).answer(Answer(asked, "it has ended: pruned, stopped by the user"))
                    Requests(folder).settle(number)

    runner = threading.Thread(target=control_process)
    runner.start()
    try:
        assert is_up.wait(60)
        reader = opened("/study/demo?sel=1", has_token=False)
        wait_for_study(reader)
        assert reader.is_disabled("#stop-trials")

        page = opened("/study/demo?sel=1")
        wait_for_study(page)
        page.evaluate("window.confirm = () => true")
        page.click("#stop-trials")
        wait_until(page, "document.getElementById('asked').innerText.includes('ended: pruned, stopped by')")
        wait_for_cell(page, 1, "pruned")
        wait_for_cell(reader, 1, "pruned")
        assert page.troubles == []
    finally:
        is_over.set()
        runner.join()


def test_changed_copy_is_enqueued_from_a_trial_and_a_refusal_comes_with_its_reason(opened, tmp_path):
    builder = studies.StudyBuilder(tmp_path)
    params = {"training.learning_rate": 1e-3, "training.batch_size": 16, "training.epochs": 2, "strategy.rank": 8}
    builder.trial(0, studies.falling(1e-3, 16), "complete", params=params)
    inbox, is_up, is_over = Inbox(builder.folder), threading.Event(), threading.Event()

    def control_process():
        """Grants the first request and refuses the others."""
        with builder.folder.locked():
            is_up.set()
            while not is_over.wait(0.05):
                for request in inbox.pending():
                    is_late = len(inbox.answers()) > 0
                    inbox.answer(Answer(request, "no budget is left" if is_late else "it is tried next", is_late))

    runner = threading.Thread(target=control_process)
    runner.start()
    try:
        assert is_up.wait(60)
        page = opened("/study/demo/trial/0")
        page.wait_for_selector("#trial-curves .main-svg")
        for size, answer in (("8", "it is tried next"), ("32", "refused: no budget is left")):
            page.get_by_label("training.batch_size").fill(size)
            page.click("#enqueue")
            line = f"enqueue training.batch_size={size} (a copy of trial 0): {answer}"
            wait_until(page, f"document.getElementById('trial-body').innerText.includes('{line}')")
        page.get_by_label("training.batch_size").fill("9")
        page.click("#enqueue")
        wait_until(page, "document.getElementById('act-answer').innerText.includes('lies outside the space')")
        assert [answer.request.body["params"]["training.batch_size"] for answer in inbox.answers()] == [8, 32]
        assert all("409" in trouble for trouble in page.troubles), "the browser tells of an answer that refuses"
    finally:
        is_over.set()
        runner.join()


def test_hostile_names_are_text_everywhere(opened, tmp_path):
    builder = studies.StudyBuilder(tmp_path)
    for number in range(3):
        params = {f"x.{EVIL}": EVIL if number % 2 else "b", "y": number / 10}
        kind = ("complete", "failed")[number == 2]
        builder.trial(
            number, studies.falling(1e-3, 8), kind, params=params, reason=EVIL, branch=EVIL, log_tail=EVIL,
            error_class=EVIL,
        )  # fmt: skip
    page = opened("/study/demo?left=xy&right=slices&sel=0-1")
    wait_for_study(page)
    page.locator("#left .point").first.hover(force=True)
    page.wait_for_selector("#left .hoverlayer text")
    assert "<img src=x onerror=alert(2)>" in page.locator("#left .hoverlayer").text_content()
    assert page.locator("main img, .plot a[href], main iframe, main script").count() == 0

    assert "<img src=x" in page.locator(".ag-center-cols-container .ag-row").first.text_content(), (
        "the table has it as text"
    )
    page.goto(page.url.partition("/study")[0] + "/studies?study=demo")
    page.wait_for_selector("#together .point")
    page.locator("#together .point").first.hover(force=True)
    page.wait_for_selector("#together .hoverlayer text")
    assert "<img src=x onerror=alert(2)>" in page.locator("#together .hoverlayer").text_content()
    assert page.locator("main img, main iframe, main script").count() == 0

    for path in ("/study/demo/trial/2", "/difference?trial=demo:0&trial=demo:1"):
        page.goto(page.url.partition("/stud")[0].partition("/difference")[0] + path)
        page.wait_for_selector("main table")
        assert page.locator("main img, main script, main a[href^=javascript]").count() == 0
        assert "<img src=x" in page.inner_text("main")
    assert page.troubles == []


@pytest.fixture
def foreign_page(tmp_path):
    """Serves a page of another origin of the same site, to which a browser gives the cookie; gives its address."""
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def put(text):
        pages["/evil"] = text
        return f"http://127.0.0.1:{server.server_port}/evil"

    yield put
    server.shutdown()
    thread.join()
    server.server_close()


def test_page_of_another_origin_and_a_rebound_name_ask_in_vain(opened, served, foreign_page, tmp_path):
    builder = studies.StudyBuilder(tmp_path)
    builder.trial(0, studies.falling(1e-3, 8, num=4), None)
    page = opened("/study/demo")
    wait_for_study(page)
    base = served.partition("/?")[0]
    body = '{"study": "demo", "trials": [0]}'
    sent = (
        f"fetch('{base}/act/stop-trials', {{method: 'POST', mode: 'no-cors', credentials: 'include', body: '{body}'}})"
    )
    field = f"<input name='{body[:-1]}, \"x\": \"' value='\"}}'>"  # an input whose name and value make JSON
    form = f"<form method=post enctype=text/plain action={base}/act/stop-trials>{field}</form>"
    answers = []
    page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    page.goto(foreign_page(f"<p>{form}<script>{sent}.then(() => document.title = 'sent')</script>"))
    wait_until(page, "document.title === 'sent'")
    page.evaluate("document.querySelector('form').submit()")
    page.wait_for_url("**/act/stop-trials")
    assert [status for url, status in answers if "/act/" in url] == [403, 403]

    page.goto(base.replace("127.0.0.1", "rebound.example") + "/study/demo")
    assert "does not answer to that host name" in page.inner_text("body")
    assert builder.folder.trial(0).outcome() is None
    assert not Requests(builder.folder).path.exists()


def test_store_that_is_moved_and_comes_back_while_the_page_is_open(opened, tmp_path):
    folder = studies.write_demo(tmp_path)
    page = opened("/study/demo?sel=1-2")
    wait_for_study(page)
    elsewhere = folder.path.with_name("elsewhere")
    folder.path.rename(elsewhere)
    wait_until(page, "document.getElementById('trouble').innerText.includes('moved or removed')")
    assert page.locator(".ag-row").count() > 0, "what was read last is shown"

    elsewhere.rename(folder.path)
    wait_until(page, "document.getElementById('trouble').innerText === ''")
    assert selection_of(page) == [1, 2]
    assert page.troubles == []
