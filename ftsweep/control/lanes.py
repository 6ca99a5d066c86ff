"""How many trials each worker trains at once where `executor.lanes` is `auto`: measured once, kept with the study."""

from __future__ import annotations

import logging
from typing import Any

from ftsweep.config.schema import SweepConfig
from ftsweep.control.jobs import Jobs
from ftsweep.errors import FtsweepError
from ftsweep.executors.sharing import AUTO
from ftsweep.store.atomic import read_json, write_json
from ftsweep.store.folders import StudyFolder

_LOGGER = logging.getLogger(__name__)

MOST = 8
"""What `auto` may choose."""
TRIALS_PER_LANE = 4
"""A search with fewer trials per lane would begin a good part of them before it has learned anything."""


def settle_lanes(config: SweepConfig, folder: StudyFolder, jobs: Jobs) -> dict[str, Any] | None:
    """Have the executor use the number that the study goes by; what was measured, None where the number is given.

    The least of all branches: a number decides which trials a search knows of when it proposes the next one, so it is
    chosen once per study.
    """
    if jobs.executor.lanes != AUTO:
        return None
    if not folder.lanes_file.exists():
        write_json(folder.lanes_file, measured_lanes(config, jobs))
    found: dict[str, Any] = read_json(folder.lanes_file)
    if found["lanes"] != jobs.executor.num_lanes:
        jobs.executor.use_lanes(found["lanes"])
    _LOGGER.info("lanes: %d", found["lanes"])
    return found


def measured_lanes(config: SweepConfig, jobs: Jobs) -> dict[str, Any]:
    """`lanes`, the number to use, and `branches`: by label what was measured of each. What a configuration does not
    survive its trial tells; here it has one lane."""
    most = min(MOST, config.budget.trials // TRIALS_PER_LANE)
    branches: dict[str, dict[str, Any]] = {}
    for branch in config.branches:
        try:
            found = jobs.call(jobs.make.rate_lanes(branch, most), f"measuring lanes of {branch.label}")
        except FtsweepError as error:
            found = {"lanes": 1, "rates": {}, "reason": f"it could not be measured: {error}"}
        branches[branch.label] = found
    return {"lanes": min(each["lanes"] for each in branches.values()), "branches": branches}
