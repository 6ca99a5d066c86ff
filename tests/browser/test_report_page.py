"""The page in a real browser, opened from disk as a reader opens it."""

from __future__ import annotations

import pytest
import report_studies as studies

from ftsweep.report.figures import READING_ORDER, is_about
from ftsweep.report.overview import read_overview
from ftsweep.report.page import HtmlPage

pytestmark = pytest.mark.browser
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:alert(3)'>x</a>%{y}$\\alpha$"


def open_page(browser, folder, path, width=1200):
    """A study's page; what went wrong is in `page.troubles`, what it asked for in `page.requests`."""
    rows = read_overview(folder)
    HtmlPage().write(rows, path)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(180_000)  # a browser on a busy machine takes its time
    page.troubles, page.requests = [], []
    page.on("console", lambda message: page.troubles.append(message.text))
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("dialog", lambda dialog: (page.troubles.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(path.as_uri())
    page.num_figures = sum(is_about(name, rows) for name in READING_ORDER)
    page.locator(".plot:has(.main-svg)").nth(page.num_figures - 1).wait_for(state="attached")  # drawn when idle
    return page


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page for one test."""
    pages = []

    def open_one(folder, width=1200):
        pages.append(open_page(browser, folder, tmp_path / "report.html", width))
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def demo(browser, tmp_path_factory):
    """The demo study's page: to open one takes seconds. Tests leave nothing on it that another would stumble over."""
    folder = tmp_path_factory.mktemp("demo")
    page = open_page(browser, studies.write_demo(folder), folder / "report.html")
    yield page
    page.close()


@pytest.fixture
def resized(demo):
    """The demo study's page in a window of another width."""
    size = demo.viewport_size

    def resize(width):
        demo.set_viewport_size({**size, "width": width})
        return demo

    yield resize
    demo.set_viewport_size(size)


def column(page, index: int) -> list[str]:
    return page.eval_on_selector_all(
        "table.trials tbody tr", f"rows => rows.map(row => row.cells[{index}].innerText.trim())"
    )


def test_page_opens_from_disk_without_errors_or_requests(demo):
    assert demo.troubles == []
    assert len(demo.requests) == 1, "only the file itself"
    assert demo.locator(".plot.js-plotly-plot").count() == demo.num_figures
    assert demo.locator("h1").inner_text() == "demo"
    assert "Trial 3 won" in demo.locator("header .verdict").inner_text()
    assert demo.locator("table.trials tbody tr").count() == 14


def test_no_button_offers_to_send_data_away(demo):
    buttons = demo.eval_on_selector_all(".modebar-btn", "all => all.map(button => button.dataset.title)")
    assert any("Download" in title for title in buttons)
    assert not any("Share" in title or "loud" in title for title in buttons), "the data is nobody else's"


def test_a_running_study_opens_too(opened, tmp_path):
    page = opened(studies.write_demo(tmp_path, finished=False, name="running"))
    assert page.troubles == []
    assert page.locator(".live").inner_text() == "not finished"


def test_table_sorts_by_number_both_ways_with_missing_values_last(demo):
    header = demo.locator("table.trials th", has_text="validation/loss")

    header.locator("button").click()
    values = column(demo, 2)
    assert header.get_attribute("aria-sort") == "ascending"
    assert values[:-2] == sorted(values[:-2], key=float)
    assert column(demo, 0)[0] == "3"

    header.locator("button").click()
    turned = column(demo, 2)
    assert header.get_attribute("aria-sort") == "descending"
    assert turned[:-2] == sorted(turned[:-2], key=float, reverse=True)
    assert values[-2:] == turned[-2:] == ["\N{EN DASH}", "\N{EN DASH}"]


def test_hostile_names_open_no_dialog_and_read_as_text_everywhere(opened, tmp_path):
    builder = studies.StudyBuilder(tmp_path, sweep=f"objective: {{metric: loss}}\n# {EVIL}\n")
    for number in range(5):
        params = {f"x.{EVIL}": EVIL if number % 2 else "b", "y": number / 10}
        builder.trial(number, studies.falling(1e-3, 8 + number), params=params, reason=EVIL, branch=EVIL)
    finding = {**studies.FINDINGS[0], "message": EVIL, "check": EVIL, "examples": [EVIL]}
    builder.result(
        winner=1, reason=EVIL, sentence=EVIL, importances={EVIL: 1.0}, test={EVIL: {EVIL: 1.0}},
        data={EVIL: {"num_rows": {EVIL: 3}, "findings": [finding]}}, registered=EVIL,
    )  # fmt: skip

    page = opened(builder.folder)
    page.locator("#history .point").first.hover(force=True)
    page.wait_for_selector("#history .hoverlayer text")

    assert page.troubles == []
    assert len(page.requests) == 1
    assert page.locator("img, .plot a[href]").count() == 0
    assert "<img src=x onerror=alert(2)>" in page.locator("#history .hoverlayer").text_content()
    assert EVIL in page.locator("header .verdict").inner_text()


def test_hostile_class_labels_branches_and_logs_run_nothing(opened, tmp_path):
    labels = [f"{EVIL}{number}" for number in range(3)]
    sweep = studies.SWEEP + f"branches: {{'{EVIL.replace(chr(39), '')}': {{strategy: lora}}}}\n"
    builder = studies.StudyBuilder(tmp_path, sweep=sweep)
    for number in range(4):
        kind, params = ("complete", "failed")[number == 3], {"training.learning_rate": 10.0 ** -(number + 2), "z": EVIL}
        builder.trial(
            number, studies.falling(1e-3, 8), kind, params=params, reason=EVIL, log_tail=EVIL, error_class=EVIL
        )
    builder.result(
        winner=1, reason=EVIL, sentence=EVIL, advice=EVIL, note=EVIL,
        details={"trial-0001": studies.details(studies.CONFUSION, labels)}, test={"trial-0001": {"loss": 0.5}},
        approaches=[{"name": EVIL, "branches": [EVIL], "trial": 1, "num_trials": 3, "validation": {"loss": 0.5}}],
    )  # fmt: skip

    page = opened(builder.folder)
    for figure in ("history", "learning_curves", "timeline", "confusion", "parallel_coordinates"):
        points = page.locator(f"#{figure} .point, #{figure} .hm image, #{figure} .cell, #{figure} .trace")
        if points.count():
            points.first.hover(force=True)
    for button in page.locator("table.trials th button").all():
        button.click()
    for details in page.locator("details summary").all():
        details.click()

    assert page.troubles == []
    assert len(page.requests) == 1
    assert page.locator("main img, .plot a[href], main iframe, main object, main svg script").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every(n => ![...n.attributes].some(a => /^on/.test(a.name)))"
    )
    assert page.locator("#classes td, #classes th", has_text="<img src=x").count() == 3
    assert EVIL in page.locator("#trials details pre").first.text_content()


def test_page_does_not_scroll_sideways_on_a_phone(opened, tmp_path):
    finding = {**studies.FINDINGS[0], "examples": ["a_folder_with_a_long_name/" * 4 + "rows.jsonl:17"]}
    builder = studies.StudyBuilder(tmp_path)
    builder.trial(1, studies.falling(1e-3, 8))
    builder.baseline("main", {"loss": 2.0, "accuracy": 0.3, "macro_f1": 0.2, "calibration_error": 0.1})
    builder.result(winner=1, data={"main": {"num_rows": {"train": 30}, "findings": [finding]}})
    page = opened(builder.folder, width=390)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ends = page.eval_on_selector_all("caption div", "all => all.map(each => each.getBoundingClientRect().right)")
    assert ends
    assert max(ends) <= 390, "how a table is read stands whole beside a table that is scrolled"


def test_printed_figures_fit_the_sheet(demo):
    demo.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    demo.wait_for_function("[...document.querySelectorAll('.plot .main-svg')].every(svg => svg.clientWidth <= 700)")
    demo.evaluate("window.dispatchEvent(new Event('afterprint'))")
    demo.wait_for_function("document.querySelector('.plot .main-svg').clientWidth > 900")


def test_contents_name_every_section_and_figures_have_a_role_and_a_label(demo):
    anchors = demo.eval_on_selector_all("nav a", "all => all.map(link => link.getAttribute('href').slice(1))")
    assert anchors == demo.eval_on_selector_all("main section", "all => all.map(section => section.id)")
    labels = demo.eval_on_selector_all(".plot", "all => all.map(each => [each.role, each.getAttribute('aria-label')])")
    assert all(role == "figure" and len(label) > 20 for role, label in labels)
    assert demo.locator(".scroll:not([tabindex='0'])").count() == 0, "what scrolls is reached by keyboard"


@pytest.mark.parametrize("width", [1400, 700])
def test_nothing_is_hidden_at_either_width(resized, width):
    page = resized(width)

    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    shown = page.evaluate(
        "(() => { const box = document.querySelector('.evidence').closest('.scroll');"
        " return [box.scrollWidth, box.clientWidth]; })()"
    )
    assert width < 1400 or shown[0] <= shown[1], "the winner's scores are seen without scrolling"
    box = page.locator("table.trials").locator("xpath=..")
    assert width < 1400 or box.evaluate("box => box.scrollWidth <= box.clientWidth"), "nor are trials"
    heights = page.eval_on_selector_all("table.trials tbody tr", "rows => rows.map(row => row.clientHeight)")
    assert width == 1400 or max(heights) < 60, "what is out of sight makes no row higher"
    box.evaluate("box => { box.scrollLeft = 10_000; }")
    first = page.locator("table.trials tbody th").first.bounding_box()
    assert first["x"] >= box.bounding_box()["x"] - 1, "the trial's number stays while the others scroll"


def test_a_click_on_a_point_leads_to_the_trials_row(demo):
    demo.evaluate(
        "(() => { const plot = document.querySelector('#history .plot');"
        " const trace = plot.data.find(each => each.customdata && [...each.customdata].includes(5));"
        " plot.emit('plotly_click', {points: [{customdata: 5, data: trace}]}); })()"
    )
    assert demo.locator("tr.asked").get_attribute("id") == "trials-5"
    assert demo.locator("#asked-trial").inner_text() == "Trial 5"
    assert demo.evaluate("document.querySelector('tr.asked').getBoundingClientRect().top") < 900


def test_parallel_coordinates_show_what_was_brushed_and_the_best(demo):
    seen = "document.querySelector('#parallel_coordinates .plot').data.filter(each => each.opacity === 1).length"

    demo.evaluate(
        "document.querySelector('#parallel_coordinates .plot')"
        ".emit('plotly_selected', {range: {x: [-0.1, 0.1], y: [0.6, 1.0]}})"
    )
    brushed = demo.evaluate(seen)
    total = demo.evaluate("document.querySelector('#parallel_coordinates .plot').data.length")
    assert 0 < brushed < total
    demo.evaluate("document.querySelector('#parallel_coordinates .plot').emit('plotly_deselect')")
    assert demo.evaluate(seen) == total

    demo.locator("#parallel_coordinates .updatemenu-button", has_text="best 5").click()
    visible = "document.querySelector('#parallel_coordinates .plot').data.filter(each => each.visible !== false).length"
    for _ in range(100):
        if demo.evaluate(visible) == 5:
            break
        demo.wait_for_timeout(50)
    assert demo.evaluate(visible) == 5
    assert demo.troubles == []


def test_of_a_large_study_a_figure_is_drawn_when_it_comes_near_and_all_are_printed(browser, tmp_path):
    builder = studies.StudyBuilder(tmp_path)
    for number in range(201):
        builder.trial(number, [2.0, 1.5 - number / 1000], params={"training.learning_rate": 1e-3 + number / 1e6})
    path = HtmlPage().write(read_overview(builder.folder), tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(180_000)
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    drawn, figures = page.locator(".plot:has(.main-svg)"), page.locator("section.figure")
    drawn.first.wait_for(state="attached")
    page.wait_for_timeout(1500)  # in which a small study's figures are all begun
    assert drawn.count() < figures.count()

    figures.last.scroll_into_view_if_needed()
    figures.last.locator(".main-svg").first.wait_for(state="attached")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert drawn.count() == figures.count()
    page.close()
