"""`ftsweep report`: the HTML page of a study, running or done."""

from __future__ import annotations

from pathlib import Path

from ftsweep.config.build import build, import_path
from ftsweep.domain.study_state import StudyState
from ftsweep.errors import UsageError
from ftsweep.report.base import Report
from ftsweep.report.overview import read_overview
from ftsweep.store.folders import StudyFolder

_NAME_FILE = "Name a file: --out report.html"
_HEAD_BYTES = 4096
"""Of a page of ours: its generator is named in there."""


def write_study_report(
    folder: StudyFolder, path: Path | None = None, *, state: StudyState | None = None
) -> tuple[Path, list[str]]:
    """Write the page to `path`, or into the study's folder; returns where, and what it could not show, a sentence each.

    Who has the `state` already gives it.
    """
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        page: Report = build(manifest.report, allowed=manifest.allow)
        if path is not None:
            _check_replaceable(path)
        written = page.write(read_overview(folder, state), path or folder.report_file)
    return written, list(page.troubles)


def _check_replaceable(path: Path) -> None:
    """A page that ftsweep wrote before may be written again; nothing else is overwritten."""
    if path.is_dir() or not path.parent.is_dir():
        what = "this is a folder" if path.is_dir() else "its folder does not exist"
        raise UsageError(what, where=str(path), remedy=_NAME_FILE)
    if not path.exists():
        return
    with path.open("rb") as file:
        is_ours = b'content="ftsweep"' in file.read(_HEAD_BYTES)
    if not is_ours:
        raise UsageError(
            "this file is no report of ftsweep, and it is not overwritten", where=str(path), remedy="Name another file."
        )
