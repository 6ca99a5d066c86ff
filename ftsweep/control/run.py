"""Put a study together from its configuration, run it, and leave everything in order."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ftsweep.analysis.confirmation import contenders
from ftsweep.config.build import build, import_path
from ftsweep.config.explain import as_yaml
from ftsweep.config.schema import GENERAL, GUARDS, SweepConfig
from ftsweep.control.conclude import Conclusion
from ftsweep.control.data_findings import collect, finding_tags, findings_files
from ftsweep.control.extension import Extension, check_extendable, extend, is_about_space, settle
from ftsweep.control.jobs import Stopped
from ftsweep.control.overview import write_study_report
from ftsweep.control.stopping import lasting_halt
from ftsweep.control.sweep import Sweep
from ftsweep.data.base import SPLITS
from ftsweep.domain.snapshot import Snapshot
from ftsweep.errors import ConfigError, UsageError
from ftsweep.executors.base import Executor, ExecutorContext, Message
from ftsweep.recording.background import BackgroundRecorder
from ftsweep.recording.base import StudyFacts
from ftsweep.recording.journal import Journal
from ftsweep.redaction import RedactingFormatter
from ftsweep.report.study_fit import study_fit_tags
from ftsweep.report.tables.evidence import write_evidence
from ftsweep.search.study import Study
from ftsweep.store.atomic import write_json, write_text
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.usage import trim_cache
from ftsweep.verdicts.live import GUARD as FIT

_LOGGER = logging.getLogger(__name__)
Watch = Callable[[Snapshot], None]


@dataclass
class Launched:
    """What `run_study` did. `conclusion` is None when it was stopped before the end."""

    folder: StudyFolder
    snapshot: Snapshot
    conclusion: Conclusion | None = None
    was_complete: bool = False  # nothing was left to do
    links: Mapping[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def run_study(config: SweepConfig, watch: Watch, on_start: Callable[[Sweep], None] = lambda sweep: None) -> Launched:
    """Start or continue a study until its budget is spent, it is stopped, or it cannot go on.

    `on_start` gets the sweep before its first job, so that a signal handler can stop it.

    Raises:
        StudyLockedError: another process runs the study.
        ConfigError: the study exists and was started with another configuration.
        StudyError: the study could not finish.
    """
    folder = study_folder(config)
    with folder.locked(), _logging_to(folder.control_log), import_path(config.search_folders):
        earlier = Extension.read(folder)
        extension = _check_unchanged(config, folder)
        settle(config, folder, extension)
        study = open_study(config, folder, extension.generation)
        try:
            check_same_trials(study, folder)
            write_json(folder.facts_file, study_facts(config))
            write_text(folder.sweep_file, as_yaml(config.composed))  # last: see there
            launched = _run(config, folder, study, watch, on_start)
            if extension.generation > earlier.generation:
                launched.warnings.insert(0, extension.text)
            if config.store.cache_gib is not None:
                trim_cache(folder.store, config.store.cache_gib, besides=folder)
            return launched
        finally:
            study.close()


def _run(
    config: SweepConfig, folder: StudyFolder, study: Study, watch: Watch, on_start: Callable[[Sweep], None]
) -> Launched:
    recorder = BackgroundRecorder(build(config.recording, allowed=config.allowed_packages))
    executor: Executor = build(config.executor, allowed=config.allowed_packages)
    sweep = Sweep(config=config, folder=folder, study=study, executor=executor, recorder=recorder, watch=watch)
    conclusion = Conclusion.read(folder)
    if conclusion is not None and _is_complete(study, config, folder, conclusion):
        sweep.trials = {record.number: record for record in folder.records()}
        halt = lasting_halt(config, folder, sweep.records) if len(sweep.trials) < config.budget.trials else None
        conclusion = replace(conclusion, note=conclusion.note if halt is None else halt.text)
        sweep.baseline = {label: dict(values) for label, values in conclusion.baseline.items()}
        sweep.verdicts.found = folder.verdicts()
        has_arrived = recorder.is_finished(folder)
        recorder.resume(folder)
        if not has_arrived and Journal.read(folder) is not None:  # the process that concluded may have died just then
            _keep_result(sweep, conclusion)
        elif not folder.report_file.exists():
            write_study_report(folder, None)
        warnings = recorder.close(finished=True)
        snapshot = replace(sweep.snapshot("complete"), chosen=conclusion.number)
        return Launched(folder, snapshot, conclusion, True, recorder.links(), warnings)
    on_start(sweep)
    is_finished = False
    conclusion = None
    executor.open(executor_context(config, folder))
    try:
        data = sweep.prepare()
        recorder.open(_recorded_facts(config, folder, data))
        recorder.tag({**finding_tags(list(collect(data))), **_extension_tags(folder)})
        recorder.keep_artifacts(findings_files(folder))
        sweep.measure_baselines()
        sweep.search()
        if not sweep.is_stopping:
            conclusion = sweep.conclude()
            is_finished = True
    except Stopped:
        _LOGGER.info("stopped")
    except BaseException:
        executor.close(kill=True)
        raise
    finally:
        executor.close(kill=False)
        if conclusion is not None:
            _keep_result(sweep, conclusion)
        warnings = recorder.close(finished=is_finished)
    snapshot = replace(
        sweep.snapshot("complete" if is_finished else "stopped"), chosen=conclusion.number if conclusion else None
    )
    return Launched(folder, snapshot, conclusion, False, recorder.links(), warnings)


def _keep_result(sweep: Sweep, conclusion: Conclusion) -> None:
    """Write the report and have it recorded with all that was concluded."""
    folder, said = sweep.folder, sweep.verdicts.found
    sweep.recorder.tag(study_fit_tags(folder, sweep.records, said, conclusion.number, conclusion.evidence))
    write_study_report(folder, None)
    sweep.recorder.keep_artifacts([folder.report_file, folder.sweep_file, *write_evidence(folder)])


def _is_complete(study: Study, config: SweepConfig, folder: StudyFolder, conclusion: Conclusion) -> bool:
    """Whether the same command would start nothing and the result on disk is about all trials."""
    records = folder.records()
    has_halted = lasting_halt(config, folder, records) is not None
    has_all = not study.running() and (study.num_asked >= config.budget.trials or study.is_exhausted())
    if not has_all and not has_halted:
        return False
    if not has_halted and contenders(records, config.objective, config.selection.top):
        made = [each for each in folder.confirmed() if each.number == conclusion.number and each.outcome is not None]
        if len(made) < config.selection.seeds:
            return False  # asked for since, or cut short by the time of an earlier run
    is_probed = conclusion.quantity and (has_halted or "left_out" not in conclusion.quantity)
    if config.selection.quantity and conclusion.winner is not None and not is_probed:
        return False  # asked for since, or cut short by a limit of an earlier run
    return conclusion.num_trials == len(records)


def study_folder(config: SweepConfig) -> StudyFolder:
    return Store(Path(config.store.path).absolute()).study(config.study.name)


def open_study(config: SweepConfig, folder: StudyFolder, generation: int = 1) -> Study:
    """The study's trials in the store's Optuna database."""
    return Study.open(
        folder.store.optuna_database,
        config.study.name,
        config.objective,
        config.branches,
        build(config.sampler, allowed=config.allowed_packages),
        build(config.pruner, allowed=config.allowed_packages),
        seed=config.seed.sampler,
        num_rungs=config.rungs.count,
        enqueue=config.study.enqueue,
        generation=generation,
    )


def executor_context(config: SweepConfig, folder: StudyFolder) -> ExecutorContext:
    def make_inline_worker(outbox: Callable[[Message], None], threads: int | None = None) -> Any:
        from ftsweep.worker.engine import Engine
        from ftsweep.worker.process import Worker

        return Worker(Engine(threads=threads, allowed_packages=config.allowed_packages), outbox)

    return ExecutorContext(
        log_folder=folder.path / "workers",
        python_path=config.search_folders,
        allowed_packages=config.allowed_packages,
        make_inline_worker=make_inline_worker,
        holder=f"study {folder.name!r}" if folder.sweep_file.exists() else "",
    )


@contextmanager
def planning(config: SweepConfig, folder: Path) -> Iterator[Sweep]:
    """A sweep that can prepare data and estimate, but has no study: for `ftsweep plan`. Leaves only the data cache."""
    with import_path(config.search_folders):
        executor: Executor = build(config.executor, allowed=config.allowed_packages)
    executor.open(executor_context(config, StudyFolder(folder)))
    sweep = Sweep(
        config=config,
        folder=_PlanFolder(folder, Store(Path(config.store.path).absolute())),
        study=None,  # type: ignore[arg-type]  # preparing and estimating ask nothing of it
        executor=executor,
        recorder=build({"_target_": "ftsweep.recording.NullRecorder"}, allowed=()),
    )
    try:
        yield sweep
    finally:
        executor.close(kill=True)


@dataclass(frozen=True)
class _PlanFolder(StudyFolder):
    """A scratch folder for planning that shares the store's cache."""

    real_store: Store

    @property
    def store(self) -> Store:
        return self.real_store


def study_facts(config: SweepConfig) -> dict[str, Any]:
    """What a study must keep from one run to the next, and what `status` needs to know, as JSON."""
    return {
        "study": config.study.name,
        "sweep_file": config.sweep_file,
        "objective": config.objective.to_dict(),
        "metrics": {name: metric.to_dict() for name, metric in config.objective.metrics.items()},
        "rungs": config.rungs.count,
        "seed": asdict(config.seed),
        "branches": {
            branch.label: {
                "config": _binding(branch.config),
                "space": {path: str(dimension) for path, dimension in branch.space.dimensions.items()},
            }
            for branch in config.branches
        },
        "budget": asdict(config.budget),
        "selection": asdict(config.selection),
        "report": dict(config.report),
        "allow": list(config.allowed_packages),
        "search_folders": [str(folder) for folder in config.search_folders],
    }


def _binding(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a trial's configuration may not change: all but the judge of fits, who changes nothing.

    Nor where the data lies: what is in it is held against `data.json`, and a project may be moved.
    """
    guards = {name: node for name, node in config.get(GUARDS, {}).items() if name != FIT}
    placeless = {name: _without_place(config[name]) for name in ("data", GENERAL) if config.get(name) is not None}
    return {**config, **placeless, GUARDS: guards}


def _without_place(node: Mapping[str, Any]) -> dict[str, Any]:
    """A source of data without its absolute paths; a split that is named stays told from one that is not."""
    return {name: "named" if name in SPLITS and _is_place(value) else value for name, value in node.items()}


def _is_place(value: Any) -> bool:
    names = value if isinstance(value, list | tuple) else [value]
    return bool(names) and all(isinstance(name, str) and name.startswith("/") for name in names)


_KEPT = ("objective", "rungs", "seed", "branches")


def _check_unchanged(config: SweepConfig, folder: StudyFolder) -> Extension:
    """Refuse to go on with a study under another configuration, unless it is to be extended to a new space."""
    extension = Extension.read(folder)
    if not folder.facts_file.exists():
        return extension
    old, new = {**folder.facts(), **extension.facts}, study_facts(config)
    old["branches"] = {
        label: {**branch, "config": _binding(branch["config"])} for label, branch in old["branches"].items()
    }
    changes = [change for key in _KEPT for change in _differences(key, old.get(key), new[key])]
    if changes and not folder.has_trials:  # the sweep file was mended before anything came of it
        folder.forget_baselines()
    elif changes and config.study.extend:
        check_extendable(changes, config.study.name, folder.facts_file)
        return extend(config, folder, {key: new[key] for key in _KEPT})
    elif changes:
        way = " go on in the new space with the trials that lie in it (study.extend=true),"
        extending = way if is_about_space(changes) else ""
        shown = "; ".join(changes[:6]) + (f"; and {len(changes) - 6} more" if len(changes) > 6 else "")
        raise ConfigError(
            f"study {config.study.name!r} was started with another configuration: {shown}",
            where=str(folder.facts_file),
            remedy=f"Put it back,{extending} or give this run a name of its own with study.name=...",
        )
    return extension


def check_same_trials(study: Study, folder: StudyFolder) -> None:
    """Refuse to go on where the database and the folders do not tell of the same trials."""
    database = folder.store.optuna_database.name
    ended = [record.proposal.number for record in study.records() if record.outcome is not None]
    gone = [number for number in ended if not folder.trial(number).outcome_file.exists()]
    if gone:
        what = f"{database} has {len(ended)} ended trials, and {len(gone)} of their folders are gone"
    elif folder.has_trials and study.num_asked == 0:  # the last few may be missing: a power failure can do that
        what = f"its folder has trials, and {database} knows none of them"
    else:
        return
    raise UsageError(
        f"study {folder.name!r} has lost a part of itself: {what}",
        where=str(folder.path / "trials"),
        remedy="Put back what is missing, or give this run a name of its own with study.name=...",
    )


def _extension_tags(folder: StudyFolder) -> dict[str, str]:
    extension = Extension.read(folder)
    return {"extended": extension.text} if extension.text else {}


def _differences(path: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        told = set(_KEPT) if path.endswith(".config") else set()  # a branch's configuration repeats them
        keys = sorted((set(old) | set(new)) - told, key=str)
        return [change for key in keys for change in _differences(f"{path}.{key}", old.get(key), new.get(key))]
    if isinstance(old, Mapping) and new is None:
        return [f"{path} is gone"]
    if old is None and isinstance(new, Mapping):
        return [f"{path} is new"]
    same = old == new or (isinstance(old, list | tuple) and isinstance(new, list | tuple) and list(old) == list(new))
    return [] if same else [f"{path} was {old!r}, is now {new!r}"]


def _recorded_facts(config: SweepConfig, folder: StudyFolder, data: Mapping[str, Any]) -> StudyFacts:
    facts = next(iter(data.values()))
    tags = {f"seed.{name}": str(value) for name, value in asdict(config.seed).items()}
    tags["ftsweep.version"] = _installed("ftsweep")
    tags.update({f"version.{name}": _installed(name) for name in ("torch", "transformers", "peft", "optuna")})
    commit = _git_commit()
    if commit:
        tags["git_commit"] = commit
    return StudyFacts(
        folder=folder,
        objective=config.objective,
        config=config.composed,
        sweep_text=folder.sweep_file.read_text(encoding="utf-8"),
        data=facts,
        tags=tags,
    )


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _git_commit() -> str | None:
    """The commit of the folder that the command runs in, if it is in a git repository."""
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    """Append what the package logs to a file, for the length of the block."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ftsweep")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
