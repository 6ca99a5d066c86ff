from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest
from chromium import ARGUMENTS, CHROMIUM
from dashboard_pages import PATIENCE_MS


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def served(tmp_path):
    """Serves the store of the test; gives the printed link. Afterwards the command must end cleanly on SIGTERM."""
    command = [sys.executable, "-m", "ftsweep.cli.main", "dashboard", "--store", str(tmp_path)]
    (tmp_path / "studies").mkdir(exist_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)
    line = process.stdout.readline()
    yield re.search(r"http://\S+", line)[0]
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said == ""


@pytest.fixture
def opened(browser, served):
    """Opens a page of the dashboard; what went wrong is in `page.troubles`."""
    contexts = []

    def open_page(path="/", *, has_token=True):
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.troubles = []
        page.on("console", lambda message: page.troubles.append(message.text))
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("dialog", lambda dialog: (page.troubles.append(f"dialog {dialog.message}"), dialog.dismiss()))
        base, _, query = served.partition("/?")
        page.goto(f"{base}{path}{'&' if '?' in path else '?'}{query}" if has_token else base + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
