"""The jobs of a worker that are no trials: prepare data, measure, compare, export. Each is done in one go."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftsweep.config.build import build
from ftsweep.domain.messages import Message
from ftsweep.evaluation.flagged_rows import by_flags, validation_by_flags
from ftsweep.evaluation.intervals import compared, scored, scored_prior
from ftsweep.evaluation.parts import Parts
from ftsweep.models.saving import save_whole
from ftsweep.serving.model import copy_files, export_model, load_predictor
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies.base import check_length, fresh_modules
from ftsweep.training.runs.choice import run_class
from ftsweep.worker.components import Workbench
from ftsweep.worker.forgetting_meters import Forgettings
from ftsweep.worker.general_overlap import general_overlap
from ftsweep.worker.scale import scaled_scores
from ftsweep.worker.stages import StageChain, stage_configs

_NUM_EXAMPLES = 3  # validation rows whose answers go with an exported model


class SingleJobs:
    """Does one job after another on a workbench; docs/contracts.md says what each answers."""

    def __init__(self, bench: Workbench, forgettings: Forgettings | None = None) -> None:
        self.bench = bench
        self.forgettings = forgettings or Forgettings(bench)

    def do(self, job: Message) -> dict[str, Any]:
        """The result of a job of any of these kinds."""
        kinds = {
            "prepare": self._prepare,
            "baseline": self._baseline,
            "test": self._test,
            "compare": self._compare,
            "flagged": self._flagged,
            "scale": self._scale,
            "export": self._export,
        }
        return kinds[job["type"]](job)

    def _prepare(self, job: Message) -> dict[str, Any]:
        parts = self._parts(job)
        for node in job.get("tasks", ()):  # with the values that the search may give its settings
            build(node, allowed=self.bench.allowed).check_schema(parts.prepared.meta["schema"])
        self._check_strategies(parts, job)
        findings = [*parts.prepared.meta["findings"], *self._check_forgetting(parts, job)]
        return {
            **parts.prepared.meta,
            "findings": findings,
            "folder": str(parts.prepared.folder),
            "has_test": parts.prepared.has("test"),
            "texts": self._prepare_texts(job) | ({} if parts.source.lasts else {"model": parts.source.fingerprint()}),
        }

    def _check_forgetting(self, parts: Parts, job: Message) -> list[dict[str, Any]]:
        """Measure the base, so that a model that cannot be is refused now; what train tells of the general text."""
        config, cache = job["spec"]["config"], Path(job["cache"])
        meter = self.forgettings.meter_of(parts, config, cache)
        if meter is None:
            return []
        chain = StageChain(self.bench, config, cache)
        stages = [chain.parts_of(stage) for stage in stage_configs(config).values()]
        trained = [(each.prepared, each.task) for each in (parts, *stages)]
        return [finding.to_dict() for finding in general_overlap(meter.text, trained, cache)]

    def _prepare_texts(self, job: Message) -> dict[str, str]:
        """Prepare the data of the stages and the general text; fingerprints by the key of the node."""
        config, cache = job["spec"]["config"], Path(job["cache"])
        chain = StageChain(self.bench, config, cache)
        found = {}
        for name, stage in stage_configs(config).items():
            found[f"stages.{name}.data"] = chain.parts_of(stage).prepared.meta["fingerprint"]
        reads_text = bool(found) or build(config["task"], allowed=self.bench.allowed).takes_text
        general = self.bench.general_of(config, cache) if reads_text else None
        if general is None and (meter := self.forgettings.meter_of(self._parts(job), config, cache)) is not None:
            general = meter.text
        return found if general is None else {**found, "general": general.prepared.meta["fingerprint"]}

    def _check_strategies(self, parts: Parts, job: Message) -> None:
        """Look at the strategies that the search may make before the first trial; at the model if they name it."""
        strategies = [parts.strategy, *(build(node, allowed=self.bench.allowed) for node in job.get("strategies", ()))]
        tokenizer = self.bench.bases.tokenizer(parts.source)
        for strategy in strategies:
            check_length(strategy, parts.task, tokenizer)
            strategy.check_data(parts.task, tokenizer, parts.prepared.meta["schema"])
        naming = [strategy for strategy in strategies if strategy.names_layers]
        if naming or parts.strategy.head_for(parts.task) != parts.task.head:  # the baseline does not load that head
            base = self.bench.take_base(parts, job["spec"]["config"]).model
            for strategy in naming:
                strategy.check_base(base, strategy.head_for(parts.task))

    def _baseline(self, job: Message) -> dict[str, Any]:
        config = job["spec"]["config"]
        chain = StageChain(self.bench, config, Path(job["cache"]))
        for stage in stage_configs(config).values():  # a base that cannot do a stage's task is refused before any trial
            parts = chain.parts_of(stage)
            base = self.bench.take_base(parts, stage).model
            parts.task.check_model(base)
            if parts.strategy.names_layers:
                parts.strategy.check_base(base, parts.strategy.head_for(parts.task))
        return {"validation": self._test_untouched(job, "validation")["test"]}

    def _test(self, job: Message) -> dict[str, Any]:
        """Metrics on the test split, how sure they are and what they are made of: of a trial, or of its base."""
        if job["spec"].get("untouched"):
            return self._test_untouched(job)
        parts, config, best = self._parts_of_ended(job), job["spec"]["config"], TrialFolder(Path(job["folder"])).best
        with self.bench.restored(parts, config, best) as model:
            evaluator = self.bench.evaluator_of(parts, config)
            scores = run_class(parts.strategy).score_kept(parts, model, evaluator, best, "test")
            flagged = by_flags(parts.task, parts.prepared, "test", scores.evidence)
            return {**scored(parts.task, scores), "flagged": flagged}

    def _flagged(self, job: Message) -> dict[str, Any]:
        parts = self._parts(job)
        return validation_by_flags(parts.task, parts.prepared, job)

    def _parts_of_ended(self, job: Message) -> Parts:
        """The parts of a trial that has ended; its stages are made again when their result is not there any more."""
        chain = StageChain(self.bench, job["spec"]["config"], Path(job["cache"]))
        with closing(chain):
            chain.finish()
            parts = replace(self._parts(job), stage_result=chain.source)
            self.bench.take_base(parts, job["spec"]["config"])  # while nobody may remove it
        return parts

    def _scale(self, job: Message) -> dict[str, Any]:
        parts, config, best = self._parts_of_ended(job), job["spec"]["config"], TrialFolder(Path(job["folder"])).best
        meter = self.forgettings.meter_of(parts, config, Path(job["cache"]))
        return scaled_scores(self.bench, parts, config, best, meter)

    def _export(self, job: Message) -> dict[str, Any]:
        parts, config, best = self._parts_of_ended(job), job["spec"]["config"], TrialFolder(Path(job["folder"])).best
        destination, scale = Path(job["destination"]), float(job.get("scale", 1.0))
        facts = {
            "scale": scale,
            "spec": job["spec"],
            "reference": parts.source.reference(),
            "schema": parts.prepared.meta["schema"],
            "allowed": self.bench.allowed,
        }
        tokenizer = self.bench.bases.tokenizer(parts.source)
        if parts.strategy.exports_whole:
            with self.bench.restored(parts, config, best, scale=scale) as model:
                export_model(destination, lambda folder: save_whole(model, folder), tokenizer, **facts)
        elif parts.stage_result is not None or (parts.strategy.merges and not parts.source.lasts):
            # an adapter's base would lie in the cache or in another study, where it cannot stay
            with self.bench.restored(parts, config, best, merged=True, scale=scale) as model:
                export_model(destination, lambda folder: save_whole(model, folder), tokenizer, **facts)
        elif scale != 1.0:
            with self.bench.restored(parts, config, best, scale=scale) as model:
                export_model(destination, lambda folder: parts.strategy.save(model, folder), tokenizer, **facts)
        else:
            weights = parts.strategy.exported(best)
            export_model(destination, lambda folder: copy_files(weights, folder), tokenizer, **facts)
        examples = parts.prepared.rows("validation")[:_NUM_EXAMPLES]
        rows = [parts.task.without_target(row.values) for row in examples]
        answers = load_predictor(destination, allowed=self.bench.allowed, device=self.bench.device).predict(rows)
        return {"folder": str(destination), "rows": rows, "answers": answers}

    def _compare(self, job: Message) -> dict[str, Any]:
        return compared(build(job["spec"]["config"]["task"], allowed=self.bench.allowed), job)

    def _test_untouched(self, job: Message, split_name: str = "test") -> dict[str, Any]:
        """As `_test`, of the untouched base; of a new head its prior."""
        parts, config = self._parts(job), job["spec"]["config"]
        split = parts.prepared.split(split_name)
        if parts.task.has_new_head and not self._came_with_head(parts, config):
            labels = [split.labels(index).tolist() for index in range(len(split))]
            prior = scored_prior(parts.task, parts.prepared.meta["schema"], labels)
            if prior is not None:
                return prior
        base = self.bench.take_base(parts, config)
        return {**scored(parts.task, self.bench.evaluator_of(parts, config).score(base.model, split)), "details": {}}

    def _came_with_head(self, parts: Parts, config: Mapping[str, Any]) -> bool:
        """Whether the base has learned this very task already, in the study that it comes from."""
        head = parts.strategy.head_for(parts.task)
        if parts.source.lasts or head != parts.task.head:
            return False
        return not fresh_modules(self.bench.take_base(parts, config).model, head)

    def _parts(self, job: Message) -> Parts:
        return self.bench.parts_of(job["spec"]["config"], Path(job["cache"]))
