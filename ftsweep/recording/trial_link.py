"""Where MLflow shows a trial, as far as the study's ledger tells. MLflow itself is not asked."""

from __future__ import annotations

from dataclasses import dataclass

from ftsweep.domain.commands import store_command
from ftsweep.domain.trial import Proposal
from ftsweep.errors import DamagedFileError
from ftsweep.recording.base import run_name
from ftsweep.recording.ui import run_address, ui_address
from ftsweep.store.atomic import read_json
from ftsweep.store.folders import StudyFolder


@dataclass(frozen=True)
class TrialLink:
    """An address, and the command that must be serving it; "" where a server does."""

    address: str
    command: str = ""


def trial_link(folder: StudyFolder, number: int) -> TrialLink | None:
    """The page of a trial's run; None where none was recorded yet."""
    try:
        ledger = read_json(folder.path / "recording.json")
        run_id = str(ledger["runs"][run_name(Proposal(number, "", {}))]["run_id"])
        place = str(ledger["links"]["MLflow"])
    except (OSError, DamagedFileError, KeyError, TypeError):  # a ledger may lag behind, or be lost
        return None
    if place.startswith(("http://", "https://")):
        return TrialLink(run_address(place.partition("/#")[0], run_id))
    command = store_command("ui", store=folder.store.name) if place == "ftsweep ui" else place
    return TrialLink(run_address(ui_address().partition("/#")[0], run_id), command)
