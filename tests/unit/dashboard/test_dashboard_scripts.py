"""Which scripts a page loads."""

from __future__ import annotations

import re

from report_studies import StudyBuilder

from ftsweep.dashboard.access import Access
from ftsweep.dashboard.app import make_app


def test_page_loads_the_scripts_that_it_uses_and_no_others(builder: StudyBuilder) -> None:
    client = make_app(builder.folder.store, Access()).test_client()
    # Dash keeps what it loads for all applications of a process: after other tests each is there several times
    scripts = dict.fromkeys(re.findall(r'<script src="([^"]+)"', client.get("/").text))

    for name in ("plotly", "dash_renderer", "async-community", "async-graph", "async-dropdown", "assets/select.js"):
        assert any(name in script for script in scripts), name
    for name in ("enterprise", "mathjax", "markdown", "dash_table"):
        assert not any(name in script for script in scripts), name
    size = 0
    for script in scripts:
        with client.get(script) as answer:
            size += len(answer.data)
    assert size < 9e6
