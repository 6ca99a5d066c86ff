"""The page of a study that runs is written at every tenth ending, and not after the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_studies import SWEEP, write_demo
from study_manifests import write_manifest

from ftsweep.control.live_report import LiveReport
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord

ENDED = TrialRecord(Proposal(0, "", {}), (), Outcome(OutcomeKind.COMPLETE))


def test_the_page_is_written_at_every_tenth_ending_by_a_process_of_its_own(tmp_path: Path) -> None:
    folder = write_demo(tmp_path, finished=False)
    write_manifest(folder, SWEEP, report={"_target_": "ftsweep.report.HtmlPage", "figures": ["history"]})
    page = LiveReport(folder)
    for _ in range(9):
        page.ended(ENDED)
    assert page._writer is None
    page.ended(ENDED)
    assert page._writer is not None
    assert page._writer.wait(60) == 0
    assert "Best so far" in folder.report_file.read_text(encoding="utf-8")
    page.close()


def test_large_studies_get_a_page_when_a_tenth_more_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = LiveReport(write_demo(tmp_path, finished=False))
    begun: list[int] = []
    monkeypatch.setattr(LiveReport, "_begin", lambda self: begun.append(self._num_ended))
    page.recovered([ENDED] * 1000)
    for _ in range(250):
        page.ended(ENDED)
    assert begun == [1100, 1210]
