"""The jobs of a worker that are no trials: prepare data, measure, compare, export. Each is done in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from ftsweep.config.build import build
from ftsweep.domain import messages
from ftsweep.domain.finding import Finding
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
)
from ftsweep.errors import ConfigError
from ftsweep.evaluation.flagged_rows import by_flags, validation_by_flags
from ftsweep.evaluation.general_text import GeneralText
from ftsweep.evaluation.intervals import (
    check_told,
    compared,
    resampled_objective,
    scored,
    scored_answers,
    scored_prior,
)
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.models.device import peak_memory_gib, release_memory
from ftsweep.models.saving import save_whole
from ftsweep.models.tokenizer import splitting_fingerprint
from ftsweep.serving.model import copy_files, export_model, load_predictor
from ftsweep.store.folders import TrialFolder
from ftsweep.store.samples import TEST, TEST_BASE, rung_name, write_samples
from ftsweep.strategies.base import check_length, fresh_modules
from ftsweep.training.runs.choice import run_class
from ftsweep.worker.components import Components
from ftsweep.worker.drawn_heads import drawn_head_findings
from ftsweep.worker.forgetting_meters import ForgettingMeters
from ftsweep.worker.general_overlap import general_overlap
from ftsweep.worker.lane_rates import LaneRates
from ftsweep.worker.scale import scaled_scores
from ftsweep.worker.stages import StageChain, stage_configs, time_stages
from ftsweep.worker.thread_times import time_threads

_NUM_EXAMPLES = 3  # validation rows whose answers go with an exported model
_NUM_TIMED_STEPS = 4


class SingleJobs:
    """Does such jobs on a worker's components; docs/contracts.md says what each answers."""

    def __init__(self, components: Components, meters: ForgettingMeters | None = None) -> None:
        self.components = components
        self.meters = meters or ForgettingMeters(components)

    def do(self, job: messages.SingleJob) -> dict[str, Any]:
        """The result of a job of any of these kinds."""
        kinds: dict[str, Callable[[Any], dict[str, Any]]] = {
            "prepare": self._prepare,
            "baseline": self._baseline,
            "estimate": self._estimate,
            "rate_lanes": self._rate_lanes,
            "threads": self._threads,
            "test": self._test,
            "compare": self._compare,
            "resample": self._resample,
            "flagged": self._flagged,
            "scale": self._scale,
            "export": self._export,
        }
        return kinds[job["type"]](job)

    def _prepare(self, job: Prepare) -> dict[str, Any]:
        parts = self._parts(job)
        for node in job.get("tasks", ()):  # with the values that the search may give its settings
            build(node, allowed=self.components.allowed).check_schema(parts.prepared.meta["schema"])
        self._check_strategies(parts, job)
        chain = StageChain(self.components, parts.config, parts.cache)
        stages = {name: chain.parts_of(stage) for name, stage in stage_configs(parts.config).items()}
        drawn = drawn_head_findings([parts, *stages.values()], self.components.look_at_base)
        findings = [
            *parts.prepared.meta["findings"],
            *(finding.to_dict() for finding in (*drawn, *self._check_forgetting(parts, stages.values()))),
        ]
        general = self._prepare_general(parts, stages)
        texts = {f"stages.{name}.data": stage.prepared for name, stage in stages.items()}
        texts |= {} if general is None else {"general": general.prepared}
        model = {} if parts.source.lasts else {"model": parts.source.fingerprint()}
        replayed = [] if parts.replay is None else [parts.replay.path.parent]
        made = [parts.prepared.folder, *(each.folder for each in texts.values()), *replayed]
        return {
            **parts.prepared.meta,
            "findings": findings,
            "folder": str(parts.prepared.folder),
            "made": sorted({str(folder) for folder in made}),
            "has_test": parts.prepared.has("test"),
            "tokens": splitting_fingerprint(parts.tokenizer),
            "texts": {key: each.meta["fingerprint"] for key, each in texts.items()} | model,
            "sources": dict(self.components.sources.found),
        }

    def _check_forgetting(self, parts: TrialParts, stages: Iterable[TrialParts]) -> list[Finding]:
        """Measure the base, so that a model that cannot be is refused now; what train tells of the general text."""
        meter = self.meters.meter_of(parts)
        if meter is None:
            return []
        trained = [(each.prepared, each.task) for each in (parts, *stages)]
        return general_overlap(meter.text, trained, parts.cache)

    def _prepare_general(self, parts: TrialParts, stages: Mapping[str, TrialParts]) -> GeneralText | None:
        """The general text that is measured on, or that forgetting is measured on."""
        reading = next((each for each in (parts, *stages.values()) if each.task.takes_text), None)
        general = None if reading is None else self.components.general_of(reading)
        if general is None and (meter := self.meters.meter_of(parts)) is not None:
            general = meter.text
        return general

    def _check_strategies(self, parts: TrialParts, job: Prepare) -> None:
        """Look at the strategies that the search may make before the first trial; at the model if they name it."""
        strategies = [
            parts.strategy,
            *(build(node, allowed=self.components.allowed) for node in job.get("strategies", ())),
        ]
        for strategy in strategies:
            check_length(strategy, parts.task, parts.tokenizer)
            strategy.check_data(parts.task, parts.tokenizer, parts.prepared.meta["schema"])
        naming = [strategy for strategy in strategies if strategy.names_layers]
        if naming or parts.strategy.head_for(parts.task) != parts.task.head:  # the baseline does not load that head
            base = self.components.look_at_base(parts)
            for strategy in naming:
                strategy.check_base(base, strategy.head_for(parts.task))

    def _baseline(self, job: Baseline) -> dict[str, Any]:
        config = job["spec"]["config"]
        chain = StageChain(self.components, config, Path(job["cache"]))
        for stage in stage_configs(config).values():  # a base that cannot do a stage's task is refused before any trial
            parts = chain.parts_of(stage)
            base = self.components.look_at_base(parts)
            parts.task.check_model(base)
            if parts.strategy.names_layers:
                parts.strategy.check_base(base, parts.strategy.head_for(parts.task))
        parts = self._parts(job)
        self.components.check_beginning(parts)
        found = self._test_untouched(job, "validation")
        check_told(parts.task, config["objective"]["metric"], found["test"], found.get("problem", ""))
        source = build(config["model"], allowed=self.components.allowed)
        self.components.sources.check_model(config["model"], source)  # the model is here now
        return {"validation": found["test"], "sources": dict(self.components.sources.found)}

    def _estimate(self, job: Estimate) -> dict[str, Any]:
        """Time a few steps and one measurement of the configuration, and scale them to a whole trial."""
        device = self.components.device
        release_memory(device)
        parts = self._parts(job)
        meter = self.meters.meter_of(parts)
        base = self.components.lend_base(parts)
        answers = self.components.answers_of(parts)
        folder = TrialFolder(Path(job["folder"]))
        run = self.components.begin_run(parts, base, folder, meter=meter, answers=answers)
        try:
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            timings = run.time_steps(num_steps=_NUM_TIMED_STEPS)
        finally:
            self.components.bases.put_back(base, parts.strategy, run.model)
        stage_seconds = time_stages(self.components, parts.config, parts.cache, num_steps=_NUM_TIMED_STEPS)
        asked = {} if answers is None else {"answer_rungs": sorted(answers.rungs)}
        return {**timings, **asked, "stage_seconds": stage_seconds, "peak_memory_gib": peak_memory_gib(device)}

    def _rate_lanes(self, job: RateLanes) -> dict[str, Any]:
        return LaneRates(self.components).best(self._parts(job), Path(job["folder"]), job["most"])

    def _threads(self, job: Threads) -> dict[str, Any]:
        parts = self._parts(job)
        try:
            return time_threads(self.components, parts, TrialFolder(Path(job["folder"])), job["counts"])
        except ConfigError:  # the configuration as written is infeasible, which its trial will say
            return {"step_seconds": {}}

    def _test(self, job: Test) -> dict[str, Any]:
        """Metrics on the test split, how sure they are and what they are made of: of a trial, or of its base."""
        if job["spec"].get("untouched"):
            return self._test_untouched(job)
        parts, best = self._parts_of_ended(job), TrialFolder(Path(job["folder"])).best
        with self.components.restored(parts, best) as model:
            evaluator, answers = self.components.evaluator_of(parts), self.components.answers_of(parts)
            details = {} if answers is None else {"answers": scored_answers(parts.task, answers, model)}
            scores, samples = run_class(parts.strategy).score_kept(parts, model, evaluator, best, "test", answers)
        if samples:
            write_samples(Path(job["folder"]), TEST, samples)
        flagged, found = by_flags(parts.task, parts.prepared, "test", scores.evidence), scored(parts.task, scores)
        return {**found, "details": {**found["details"], **details}, "flagged": flagged}

    def _flagged(self, job: Flagged) -> dict[str, Any]:
        parts = self._parts(job)
        return validation_by_flags(parts.task, parts.prepared, job)

    def _parts_of_ended(self, job: Job) -> TrialParts:
        """The parts of a trial that has ended; its stages are made again when their result is not there any more."""
        config, cache = job["spec"]["config"], Path(job["cache"])
        with closing(StageChain(self.components, config, cache)) as chain:
            chain.finish()
            parts = self.components.parts_of(config, cache, stage_result=chain.source)
            self.components.look_at_base(parts)  # loaded while nobody may remove it
        return parts

    def _scale(self, job: Scale) -> dict[str, Any]:
        parts, best = self._parts_of_ended(job), TrialFolder(Path(job["folder"])).best
        return scaled_scores(self.components, parts, best, self.meters.meter_of(parts))

    def _export(self, job: Export) -> dict[str, Any]:
        parts, best = self._parts_of_ended(job), TrialFolder(Path(job["folder"])).best
        destination, scale = Path(job["destination"]), float(job.get("scale", 1.0))
        facts = {
            "scale": scale,
            "spec": job["spec"],
            "reference": parts.source.reference(),
            "schema": parts.prepared.meta["schema"],
            "allowed": self.components.allowed,
        }
        tokenizer = parts.tokenizer
        if parts.strategy.exports_whole:
            with self.components.restored(parts, best, scale=scale) as model:
                export_model(destination, lambda folder: save_whole(model, folder), tokenizer, **facts)
        elif parts.stage_result is not None or (parts.strategy.merges and not parts.source.lasts):
            # an adapter's base would lie in the cache or in another study, where it cannot stay
            with self.components.restored(parts, best, merged=True, scale=scale) as model:
                export_model(destination, lambda folder: save_whole(model, folder), tokenizer, **facts)
        elif scale != 1.0:
            with self.components.restored(parts, best, scale=scale) as model:
                export_model(destination, lambda folder: parts.strategy.save(model, folder), tokenizer, **facts)
        else:
            weights = parts.strategy.exported(best)
            export_model(destination, lambda folder: copy_files(weights, folder), tokenizer, **facts)
        examples = parts.prepared.rows("validation")[:_NUM_EXAMPLES]
        rows = [parts.task.without_target(row.values) for row in examples]
        answers = load_predictor(destination, allowed=self.components.allowed, device=self.components.device).predict(
            rows
        )
        return {"folder": str(destination), "rows": rows, "answers": answers}

    def _compare(self, job: Compare) -> dict[str, Any]:
        return compared(build(job["spec"]["config"]["task"], allowed=self.components.allowed), job)

    def _resample(self, job: Resample) -> dict[str, Any]:
        return resampled_objective(build(job["spec"]["config"]["task"], allowed=self.components.allowed), job)

    def _test_untouched(self, job: Job, split_name: str = "test") -> dict[str, Any]:
        """As `_test`, of the untouched base; of a new head its prior. `problem`: why a judge left answers out."""
        parts = self._parts(job)
        split = parts.prepared.split(split_name)
        if parts.task.has_new_head and not self._came_with_head(parts):
            labels = [split.labels(index).tolist() for index in range(len(split))]
            prior = scored_prior(parts.task, parts.prepared.meta["schema"], labels, split.clusters())
            if prior is not None:
                return prior
        model, answers = self.components.look_at_base(parts), self.components.answers_of(parts)
        scores = self.components.evaluator_of(parts).score(model, split)
        if answers is not None:
            is_test, ask = split_name == "test", answers.ask_as_base
            found = answers.of_chosen(model, "test", ask=ask) if is_test else answers.at_rung(model, ask=ask)
            write_samples(Path(job["folder"]), TEST_BASE if is_test else rung_name(0), found.samples)
            scores = found.added_to(scores)
        told = {"problem": answers.problem} if answers is not None and answers.problem else {}
        return {**scored(parts.task, scores), "details": {}, **told}

    def _came_with_head(self, parts: TrialParts) -> bool:
        """Whether the base has learned this very task already, in the study that it comes from."""
        head = parts.strategy.head_for(parts.task)
        if parts.source.lasts or head != parts.task.head:
            return False
        return not fresh_modules(self.components.look_at_base(parts), head)

    def _parts(self, job: Job) -> TrialParts:
        return self.components.parts_of(job["spec"]["config"], Path(job["cache"]))
