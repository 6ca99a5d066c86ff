"""A model asked by the tasks of lm-evaluation-harness, which the extra `evaluate` brings."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.errors import MissingExtraError, UsageError, suggest
from ftsweep.models.inner import num_virtual_tokens
from ftsweep.models.own_settings import without_own_settings
from ftsweep.serving.harness_errors import remedy_for, unreadable_files
from ftsweep.store.evaluations import Scores, TaskScores

if TYPE_CHECKING:
    from ftsweep.serving.model import Predictor


def check_harness() -> None:
    """Raise MissingExtraError where lm-eval is not installed."""
    if importlib.util.find_spec("lm_eval") is None:
        raise MissingExtraError("lm-eval", "evaluate", purpose="ftsweep evaluate")


def known_tasks(names: Sequence[str], include: Path | None) -> Any:
    """The harness's own manager of tasks, with those of a folder, once all that are asked for are known to it.

    Raises:
        UsageError: there is no such folder or task; the message has the near ones.
    """
    check_harness()
    if include is not None and not include.is_dir():
        raise UsageError("there is no such folder", where=f"--include-path {include}")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else it warns at every fork
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    if include is not None:
        own = TaskManager(include_path=str(include), include_defaults=False)
        if all(own.match_tasks([name]) for name in names):
            return own  # reading the thousands that lm-eval has takes half a minute
    manager = TaskManager(include_path=None if include is None else str(include))
    for name in names:
        if not manager.match_tasks([name]):
            broken = "" if include is None else unreadable_files(include)
            remedy = broken or f"{suggest(name, manager.all_tasks)} `lm-eval ls tasks` lists all that it brings."
            raise UsageError(f"lm-eval knows no task {name!r}", where="--tasks", remedy=remedy)
    return manager


def check_askable(predictor: Predictor, *, is_chat: bool) -> None:
    """Raise UsageError for a model that says how likely no text is (a classifier, an encoder), and for one without a
    chat template where it shall be asked with one."""
    head = predictor.strategy.head_for(predictor.task)
    if head != "causal_lm":
        raise UsageError(
            "the tasks of lm-eval ask a model that continues text, and this one does not",
            remedy="Studies of the tasks instruction, preference and text have such models.",
        )
    if is_chat and not predictor.tokenizer.chat_template:
        raise UsageError("the model's tokenizer has no chat template", where="--chat", remedy="Leave out --chat.")


def harness_scores(
    predictor: Predictor,
    tasks: Sequence[str],
    manager: Any,
    *,
    limit: int | None = None,
    num_fewshot: int | None = None,
    batch_size: int = 8,
    is_chat: bool = False,
    include: Path | None = None,
) -> Scores:
    """What the tasks say of the model, by task; groups have their own scores, if they have any.

    `limit` rows of each task at most; `num_fewshot` None leaves each task its own number; `is_chat` puts the model's
    chat template around the prompts; `include` is the folder of one's own tasks, which errors name.

    Raises:
        UsageError: a task cannot be loaded or asked (its rows cannot be reached, ...).
    """
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    size = 1 if num_virtual_tokens(predictor.model) else batch_size
    model = HFLM(pretrained=predictor.model, tokenizer=predictor.tokenizer, backend="causal", batch_size=size)
    try:
        with _nothing_asked_of_the_machine(), _answering_as_exported(predictor), redirect_stdout(sys.stderr):
            found = simple_evaluate(
                model=model,
                tasks=[name for task in tasks for name in manager.match_tasks([task])],
                task_manager=manager,
                limit=limit,
                num_fewshot=num_fewshot,
                apply_chat_template=is_chat,
                log_samples=False,
                bootstrap_iters=1000,
            )
    except Exception as error:  # whatever the code of a task raises
        first = " ".join(str(error).split())[:300]
        raise UsageError(
            f"lm-eval cannot ask {', '.join(tasks)}: {type(error).__name__}: {first}",
            where="--tasks",
            remedy=remedy_for(error, include, batch_size=size),
        ) from error
    return {name: _task_scores(name, found, is_chat=is_chat) for name in found["results"] if _has_values(name, found)}


def _answering_as_exported(predictor: Predictor) -> AbstractContextManager[None]:
    """Have answers generated as other tools generate them of the exported model: to the end of a turn, without the
    base's own settings (penalties, ...). A task without answers leaves a base its own, there and here.
    """
    end_ids = predictor.task.answer_ends(predictor.tokenizer)
    if not end_ids:
        return nullcontext()
    return without_own_settings(predictor.model, do_sample=False, use_cache=True, eos_token_id=end_ids)


@contextmanager
def _nothing_asked_of_the_machine() -> Iterator[None]:
    """Have lm-eval leave out the commit of the current folder and the machine's packages, which are not kept: git says
    aloud that a folder is no repository, and the packages take seconds.
    """
    from lm_eval import evaluator

    names = ("get_git_commit_hash", "add_env_info")
    kept = {name: getattr(evaluator, name) for name in names if hasattr(evaluator, name)}
    for name in kept:
        setattr(evaluator, name, lambda *_: None)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(evaluator, name, function)


def _has_values(name: str, found: Mapping[str, Any]) -> bool:
    """Whether a task or group has a score: a group without one is a heading over its tasks."""
    return any(isinstance(value, int | float) for key, value in found["results"][name].items() if "," in key)


def _task_scores(name: str, found: Mapping[str, Any], *, is_chat: bool) -> TaskScores:
    from importlib.metadata import version

    values: dict[str, float] = {}
    errors: dict[str, float] = {}
    for key, value in found["results"][name].items():
        metric, _, which = key.partition(",")  # "acc,none", "acc_stderr,none"
        if not which or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        label = metric.removesuffix("_stderr") + ("" if which == "none" else f" ({which})")
        (errors if metric.endswith("_stderr") else values)[label] = float(value)
    counts = found.get("n-samples", {}).get(name, {})
    return TaskScores(
        values=values,
        errors=errors,
        num_rows=int(counts.get("effective", 0)),
        num_fewshot=int(found.get("n-shot", {}).get(name, 0) or 0),
        version=f"{found.get('versions', {}).get(name)}, lm-eval {version('lm-eval')}",
        is_chat=is_chat,
        timestamp=time.time(),
    )
