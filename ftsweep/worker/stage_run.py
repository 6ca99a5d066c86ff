"""One stage being made: the run of a trial with one rung, whose model is kept whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ftsweep
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.evaluation.evaluate import Evaluator
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.models.device import release_memory
from ftsweep.models.saving import save_whole
from ftsweep.store.atomic import read_json, remove, write_json
from ftsweep.training.checkpoint import put_weights
from ftsweep.worker.components import Components
from ftsweep.worker.drawn_heads import has_drawn_head
from ftsweep.worker.stage_cache import StageLock, StageResult

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class StageRun:
    """Makes one result, from the checkpoint of whoever began it. `lock` is held alone; who calls it releases it."""

    def __init__(self, components: Components, parts: TrialParts, result: StageResult, lock: StageLock) -> None:
        self.result = result
        self.lock = lock
        self._components = components
        self._parts = parts
        self._evaluator = components.evaluator_of(parts)
        self._general = components.general_of(parts) if parts.task.takes_text else None
        self._base = components.lend_base(parts)
        try:
            self._general_before = self._general_at_start()
            self._run = components.begin_run(parts, self._base, result.run_folder)
        except BaseException:
            components.bases.forget(self._base)
            raise

    @property
    def num_steps(self) -> int:
        return self._run.num_steps

    def step(self) -> Outcome | None:
        """Take one step; how the stage ended, when it has: then `keep` or `discard` it."""
        self._run.step()
        if self._run.is_waiting:
            self._run.resume()
        return self._run.outcome

    def write_checkpoint(self) -> None:
        if self._run.outcome is None and self._run.rung >= 0:
            self._run.write_checkpoint()

    def keep(self) -> dict[str, Any]:
        """Write the whole model and what was measured; the base is put back, or given up when it was merged into."""
        strategy, model = self._parts.strategy, self._run.model
        if self._run.best_weights is not None:
            put_weights(model, self._run.best_weights)
        whole = model if strategy.exports_whole else strategy.merged(model)
        facts = self._measured(whole)
        with self.result.written(facts) as folder:
            save_whole(whole, folder)
            self._parts.tokenizer.save_pretrained(folder)
        if strategy.exports_whole:
            self._components.bases.put_back(self._base, strategy, model)
        else:
            self._components.bases.forget(self._base)
        self._free()
        remove(self.result.run_folder.path)
        return facts

    def discard(self, outcome: Outcome) -> None:
        """Put everything back. That it diverged is kept, so that no other trial tries it again."""
        self._components.bases.put_back(self._base, self._parts.strategy, self._run.model)
        folder = self.result.run_folder
        self._free()
        remove(folder.path)
        if outcome.kind is OutcomeKind.DIVERGED:
            folder.write_outcome(outcome)
        self.lock.release()

    def abandon(self) -> None:
        """Give up the base, which may be in any state, and let others go on from the checkpoint."""
        self._components.bases.forget(self._base)
        self._free()
        self.lock.release()

    def _free(self) -> None:
        del self._run  # the optimizer's state goes with it
        release_memory(self._components.device)

    def _general_at_start(self) -> dict[str, float] | None:
        """Scores on general text before the stage, as they were measured then; None of a base whose head is drawn."""
        if self._general is None or has_drawn_head(self._parts, self._base.model):
            return None
        file = self.result.run_folder.path / "general.json"
        if not file.exists():
            write_json(file, self._general.score(self._base.model, self._evaluator).values)
        values: dict[str, float] = read_json(file)
        return values

    def _measured(self, whole: PreTrainedModel) -> dict[str, Any]:
        """What the stage did: scores on its own validation split and on general text, before it and after it."""
        measurements = self.result.run_folder.measurements()
        own = [
            {key.removeprefix("validation/"): value for key, value in each.values.items() if key.startswith("valid")}
            for each in (measurements[0], measurements[-1])
        ]
        facts: dict[str, Any] = {"before": {"own": own[0]}, "after": {"own": own[1]}}
        if self._general_before is not None:
            facts["before"]["general"] = self._general_before
        if self._general is not None:
            facts["after"]["general"] = self._general.score(whole, self._evaluator).values
        assert self._run.outcome is not None
        seconds = round(measurements[-1].train_seconds, 3)
        config: Mapping[str, Any] = self._parts.config
        return {**facts, **self._run.outcome.extra, "train_seconds": seconds, "config": dict(config)}


def facts_of(parts: TrialParts, evaluator: Evaluator) -> dict[str, Any]:
    """Everything that a stage's weights depend on."""
    config = parts.config
    return {
        "ftsweep": ftsweep.__version__,
        "base": parts.base.fingerprint(),
        "prepared": parts.prepared.meta["hash"],
        "replay": None if parts.replay is None else parts.replay.path.parent.name,
        "nodes": {name: config[name] for name in ("task", "strategy", "training")},
        "dtype": config["model"].get("dtype"),
        "seed": {name: config["seed"][name] for name in ("data", "model")},
        "arithmetic": [str(evaluator.autocast_dtype), evaluator.device.type],
    }
