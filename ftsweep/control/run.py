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

from ftsweep.config.build import build, import_path
from ftsweep.config.explain import as_yaml
from ftsweep.config.schema import SweepConfig
from ftsweep.control.continuity import continued, earlier_manifest, put_back_text, settle_trials
from ftsweep.control.data_findings import collect, finding_tags, findings_files
from ftsweep.control.extension import settle
from ftsweep.control.heeding import raised_text, with_raised_budget
from ftsweep.control.jobs import Stopped
from ftsweep.control.kept import Kept, bring_models
from ftsweep.control.live_report import LiveReport
from ftsweep.control.live_study import LiveStudy
from ftsweep.control.opening import executor_context, make_executor, open_study, study_folder
from ftsweep.control.race import Race
from ftsweep.control.retention import let_go
from ftsweep.control.threads import settle_sharing, take_up_sharing
from ftsweep.domain.database_use import DatabaseUse
from ftsweep.domain.result import StudyResult, unfinished
from ftsweep.domain.study_state import COMPLETE, STOPPED, StudyState
from ftsweep.domain.verdict import Verdict
from ftsweep.recording.background import BackgroundRecorder
from ftsweep.recording.base import StudyFacts
from ftsweep.recording.journal import Journal
from ftsweep.redaction import RedactingFormatter
from ftsweep.report.settings import read_settings
from ftsweep.report.study_fit import judged_study, study_fit_tags
from ftsweep.report.tables.evidence import write_evidence
from ftsweep.report.writing import write_study_report
from ftsweep.search.study import Study
from ftsweep.store.address.place import address_of
from ftsweep.store.address.visiting import owned
from ftsweep.store.atomic import write_text
from ftsweep.store.folders import StudyFolder
from ftsweep.store.inbox import Inbox
from ftsweep.store.manifest import Extension
from ftsweep.store.result import model_folder, read_result
from ftsweep.store.usage import trim_cache

_LOGGER = logging.getLogger(__name__)
Watch = Callable[[StudyState], None]


@dataclass
class Launched:
    """What `run_study` did. The state has no result when the study was stopped before the end."""

    folder: StudyFolder
    state: StudyState
    was_complete: bool = False  # nothing was left to do
    links: Mapping[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    database: DatabaseUse | None = None  # what one on a server has cost
    address: str = ""  # what keeping the study at its address has cost
    left: tuple[str, ...] = ()  # what is not at the address yet, and what to do
    verdicts: tuple[Verdict, ...] = ()  # what the study shows about its own search


def run_study(
    config: SweepConfig,
    watch: Watch,
    on_start: Callable[[LiveStudy], None] = lambda live: None,
    tell: Callable[[str], None] = _LOGGER.info,
) -> Launched:
    """Start or continue a study until its budget is spent, it is stopped, or it cannot go on.

    `on_start` gets the study before its first job, so that a signal handler can stop it; `tell` hears what is waited
    for before that.

    Raises:
        StudyLockedError: another process runs the study.
        ConfigError: the study exists and was started with another configuration.
        StudyError: the study could not finish.
    """
    folder = study_folder(config)
    if address_of(folder.store) is None:
        earlier_manifest(folder)  # before anything is touched: another version's study is refused here
    bring_models(config, tell)
    with owned(folder, tell) as keeper, _logging_to(folder.control_log), import_path(config.search_folders):
        kept = None if keeper is None else Kept(keeper)
        launched = _run_owned(config, folder, watch if kept is None else kept.watching(watch), on_start, kept)
    return launched if keeper is None else replace(launched, address=keeper.cost, left=tuple(keeper.left))


def _run_owned(
    config: SweepConfig,
    folder: StudyFolder,
    watch: Watch,
    on_start: Callable[[LiveStudy], None],
    kept: Kept | None,
) -> Launched:
    """By the process that owns the study, whose folder holds all that there is of it."""
    earlier, answers = earlier_manifest(folder), Inbox(folder).answers()
    asked, config = config, with_raised_budget(config, answers)
    manifest = settle(config, folder, continued(config, folder, earlier))
    study = open_study(config, folder, manifest.extension.generation)
    try:
        put_back = settle_trials(study, folder)
        manifest.write(folder.manifest_file)
        write_text(folder.sweep_file, as_yaml(config.composed))  # last: see there
        start = on_start if kept is None else kept.starting(on_start)
        launched = _run(config, folder, study, manifest.extension, watch, start)
        if earlier is not None and manifest.extension.generation > earlier.extension.generation:
            launched.warnings.insert(0, manifest.extension.text)
        if put_back:
            launched.warnings.insert(0, put_back_text(put_back))
        if (raised := raised_text(asked.budget, config.budget)) != "":
            launched.warnings.insert(0, raised)
        if config.store.cache_gib is not None:
            trim_cache(folder.store, config.store.cache_gib, besides=folder)
        return launched
    finally:
        study.close()


def _run(
    config: SweepConfig,
    folder: StudyFolder,
    study: Study,
    extension: Extension,
    watch: Watch,
    on_start: Callable[[LiveStudy], None],
) -> Launched:
    recorder = BackgroundRecorder(build(config.recording, allowed=config.allowed_packages))
    live = LiveStudy(config, folder, study, make_executor(config), recorder, watch)
    result = read_result(folder)
    if result is not None and _is_complete(live, result):
        return _with_verdicts(_as_it_is(live, recorder, result))
    on_start(live)
    page = LiveReport(folder)
    live.trials.listeners = (*live.trials.listeners, page)
    result = None
    other_machine = take_up_sharing(folder, live.executor)
    live.executor.open(executor_context(config, folder.path / "workers", holder=f"study {folder.name!r}"))
    recorder.get_ready(folder)
    try:
        result = _all_phases(live, extension)
    except Stopped:
        _LOGGER.info("stopped")
        live.recall()
    except BaseException:
        live.executor.close(kill=True)
        raise
    finally:
        live.executor.close(kill=False)
        live.monitor.note_phase("")
        live.monitor.database.note(is_last=True)
        page.close()
        state = replace(live.snapshot(STOPPED if result is None else COMPLETE), result=result)
        troubles = [] if result is None else _keep_result(live, state)
        warnings = [*troubles, *recorder.close(finished=result is not None)]
    warnings = [*filter(None, [other_machine]), *warnings]
    return _with_verdicts(Launched(folder, state, False, recorder.links(), warnings, study.database_use))


def _all_phases(live: LiveStudy, extension: Extension) -> StudyResult | None:
    """From data to conclusion; None when the search was stopped."""
    data = live.prepare()
    live.recorder.open(_recorded_facts(live.config, live.folder, data))
    extended = {"extended": extension.text} if extension.text else {}
    live.recorder.tag({**finding_tags(list(collect(data))), **extended})
    live.recorder.keep_artifacts(findings_files(live.folder))
    if sharing := settle_sharing(live.folder, live.config.branches, live.executor, live.jobs):
        live.recorder.tag({"threads": sharing})
    live.measure_baselines()
    live.search()
    return None if live.is_stopping else live.conclude()


def _as_it_is(live: LiveStudy, recorder: BackgroundRecorder, result: StudyResult) -> Launched:
    """A study of which nothing is left to do: its record is sent where it has not arrived."""
    config, folder = live.config, live.folder
    live.recall()
    halt = live.stopping.lasting(live.records) if len(live.records) < config.budget.trials else None
    let_go(folder, live.records, config.objective, config.selection.top, result)
    result = replace(result, note=result.note if halt is None else halt.text)
    refused = [answer.line for answer in live.heeding.refuse()]
    live.baseline.update({label: dict(values) for label, values in result.baseline.items()})
    state = replace(live.snapshot(COMPLETE), result=result)
    has_arrived = recorder.is_finished(folder)
    recorder.resume(folder)
    if not has_arrived and Journal.read(folder) is not None:  # the process that concluded may have died just then
        refused += _keep_result(live, state)
    elif not folder.report_file.exists():
        refused += write_study_report(folder, state=state)[1]
    warnings = [*refused, *recorder.close(finished=True)]
    return Launched(folder, state, True, recorder.links(), warnings)


def _with_verdicts(launched: Launched) -> Launched:
    return replace(launched, verdicts=tuple(judged_study(launched.state, read_settings(launched.folder))))


def _keep_result(live: LiveStudy, state: StudyState) -> list[str]:
    """Write the report and have it recorded with all that was concluded; what the report could not show."""
    assert state.result is not None
    folder = live.folder
    live.recorder.tag(study_fit_tags(folder, state))
    _, troubles = write_study_report(folder, state=state)
    evidence = write_evidence(folder, state.result)
    live.recorder.keep_artifacts([folder.report_file, folder.sweep_file, *evidence])
    return troubles


def _is_complete(live: LiveStudy, result: StudyResult) -> bool:
    """Whether the same command would start nothing and the result on disk is about all trials as they are."""
    study, config, folder = live.study, live.config, live.folder
    records = folder.records()
    has_halted = live.stopping.lasting(records) is not None
    has_all = study.is_at_rest() and (study.num_asked >= config.budget.trials or study.is_exhausted())
    if (not has_all and not has_halted) or live.heeding.wakes(records) or live.stopping.must_make_room(records):
        return False
    if result.model is not None and not model_folder(folder).exists():
        return False  # somebody took it away
    race = Race(folder, config.objective, config.selection, records, config.rungs.count)
    if not has_halted and not race.is_over:
        return False  # asked for since, or cut short by the time of an earlier run
    is_probed = result.quantity is not None and (has_halted or not result.quantity.left_out)
    if config.selection.quantity and result.model is not None and not is_probed:
        return False  # asked for since, or cut short by a limit of an earlier run
    return result.is_about(records) and result.unfinished == unfinished(records)


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
