"""What a worker is asked to do: a message of its own type for every job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftsweep.config.nodes.space import extremes
from ftsweep.domain.messages import (
    Baseline,
    Compare,
    Estimate,
    Export,
    Flagged,
    Job,
    Prepare,
    RateLanes,
    Resample,
    Scale,
    Test,
    Threads,
    Train,
)
from ftsweep.domain.space import Branch
from ftsweep.store.folders import StudyFolder, TrialFolder


@dataclass(frozen=True)
class JobMessages:
    """Of one study's folder and store."""

    folder: StudyFolder
    cache: Path

    # -- about a branch's configuration as written ----------------------------------------------------------------

    def prepare(self, branch: Branch) -> Prepare:
        """Prepare the data, and check the tasks and strategies that the search may make against it."""
        tasks, strategies = _searched_nodes(branch, "task"), _searched_nodes(branch, "strategy")
        return {"type": "prepare", **self._about_branch("prepare", branch), "tasks": tasks, "strategies": strategies}

    def baseline(self, branch: Branch) -> Baseline:
        return {"type": "baseline", **self._about_branch("baseline", branch)}

    def estimate(self, branch: Branch) -> Estimate:
        return {"type": "estimate", **self._about_branch("estimate", branch)}

    def rate_lanes(self, branch: Branch, most: int) -> RateLanes:
        """Measure what up to so many trials at once gain by sharing passes."""
        return {"type": "rate_lanes", **self._about_branch("lanes", branch), "most": most}

    def threads(self, branch: Branch, counts: Sequence[int]) -> Threads:
        return {"type": "threads", **self._about_branch("threads", branch), "counts": list(counts)}

    # -- about a run: a trial, or one of its setting with a fresh seed ---------------------------------------------

    def train(self, name: str, folder: TrialFolder, spec: Mapping[str, Any]) -> Train:
        return {"type": "train", **self._job(name, folder, spec)}

    def test(self, run: TrialFolder, *, is_base: bool) -> Test:
        """Measure the run's model on test, or its untouched base."""
        job = self._about_run("test", run)
        spec = {**job["spec"], "untouched": True} if is_base else job["spec"]
        return {"type": "test", **job, "spec": spec}

    def flagged(self, run: TrialFolder, rung: int) -> Flagged:
        return {"type": "flagged", **self._about_run("flagged", run), "rung": rung}

    def resample(self, run: TrialFolder, rung: int, metric: str) -> Resample:
        """Compute a metric of the run at a rung on resampled validation rows."""
        return {"type": "resample", **self._about_run("resample", run), "rung": rung, "metric": metric}

    def compare(
        self, number: int, left: Sequence[tuple[Path, int]], right: Sequence[tuple[Path, int]], metric: str
    ) -> Compare:
        """Hold runs against each other row by row: each by its folder and rung. The job's name is that of a trial."""
        sides = ([[str(folder.absolute()), rung] for folder, rung in side] for side in (left, right))
        about = self._about_run("compare", self.folder.trial(number))
        return {"type": "compare", **about, "left": next(sides), "right": next(sides), "metric": metric}

    def scale(self, run: TrialFolder) -> Scale:
        return {"type": "scale", **self._about_run("scale", run)}

    def export(self, run: TrialFolder, destination: Path, scale: float | None = None) -> Export:
        job = self._about_run("export", run)
        message = Export(
            type="export",
            job=job["job"],
            folder=job["folder"],
            cache=job["cache"],
            spec=job["spec"],
            destination=str(destination.absolute()),
        )
        if scale is not None:
            message["scale"] = scale
        return message

    def _about_branch(self, kind: str, branch: Branch) -> Job:
        spec = {"number": -1, "branch": branch.name, "is_default": True, "params": {}, "config": dict(branch.config)}
        return self._job(f"{kind}-{branch.label}", self.folder.baseline(branch.label), spec)

    def _about_run(self, kind: str, run: TrialFolder) -> Job:
        return self._job(f"{kind}-{run.path.name}", run, run.spec())

    def _job(self, name: str, folder: TrialFolder, spec: Mapping[str, Any]) -> Job:
        cache = str(self.cache.absolute())
        return {"job": name, "folder": str(folder.path.absolute()), "cache": cache, "spec": dict(spec)}


def _searched_nodes(branch: Branch, group: str) -> list[Any]:
    """A component node with every value that the search may give one of its settings."""
    default = branch.default_params()
    params = [
        {**default, branch.param_name(path): value}
        for path, dimension in branch.space.dimensions.items()
        if path.startswith(f"{group}.")
        for value in extremes(dimension)
    ]
    return [branch.config_with(each)[group] for each in params]
