"""Checking component nodes by the constructors they name; run as a process of its own for user classes.

ftsweep's own component modules import nothing heavy and are checked in place. A user's module may import torch at its
top, which the control process must never do, so its classes are checked in a subprocess: JSON in, JSON out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.config.build import are_own, build, check_targets, import_path, locate, targets
from ftsweep.config.checks.kinds import check_kind
from ftsweep.config.checks.values import parameters, settings_problem, value_problem
from ftsweep.domain.metric import Metric, Metrics
from ftsweep.domain.role import Role
from ftsweep.errors import ConfigError, FtsweepError, suggest

CONTROL_GROUPS = ("executor", "sampler", "pruner", "recording", "report")
"""Groups whose components live in the control process; their modules must not import torch."""

_CHECK_PROCESS = "import sys; sys.path.append(sys.argv[1]); from ftsweep.config.checks.components import main; main()"


@dataclass(frozen=True)
class Request:
    """A group's node to check, and values that its keys (dotted paths below the node) may be given by the search."""

    group: str
    node: Mapping[str, Any]
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """A checked node with every default filled in, and what its class says of itself."""

    node: Mapping[str, Any]
    metrics: Metrics | None = None
    """Of a task: what it measures."""
    role: Role = field(default_factory=Role)
    """Of a strategy: what it is to the others."""


def check_components(
    requests: Sequence[Request], *, allowed: Sequence[str] = (), folders: Sequence[Path] = ()
) -> list[Checked | FtsweepError]:
    """Check nodes against their constructors and construct each once: one answer per request, in order.

    Worker-side classes of the user are imported in a subprocess, all others here. Nothing is imported before every
    target of every node was found to be allowed.
    """
    for request in requests:
        try:
            check_targets(request.node, allowed=allowed, where=request.group)
        except ConfigError as error:
            return [error if each is request else Checked(each.node) for each in requests]
    foreign = [request for request in requests if _needs_process(request)]
    foreign_answers = iter(_check_in_process(foreign, allowed, folders) if foreign else ())
    with import_path(folders):
        return [next(foreign_answers) if _needs_process(request) else _answer(request, allowed) for request in requests]


def check_component(request: Request, *, allowed: Sequence[str] = ()) -> Checked:
    """Check one node in this process: targets, keys, types, missing keys, then the constructor itself.

    Raises:
        ConfigError: naming the key, what is wrong with it, and the near names.
    """
    check_targets(request.node, allowed=allowed, where=request.group)
    cls = locate(request.node["_target_"], where=request.group)
    check_kind(cls, request.group)
    node = _complete(request.node, request.group)
    built = build(node, allowed=allowed, where=request.group)
    for path, values in request.values.items():
        for value in values:
            _check_value(cls, node, path, value, request.group, allowed)
    return Checked(node, _metrics(cls, built, request.group), getattr(built, "role", Role()))


def _metrics(cls: type, built: Any, where: str) -> Metrics | None:
    metrics = getattr(cls, "metrics", None)
    if not isinstance(metrics, Mapping):
        return None
    metrics = {**metrics, **getattr(built, "added_metrics", {})}
    for name, metric in metrics.items():
        if not isinstance(metric, Metric):
            what = f"{cls.__qualname__}.metrics says {metric!r} of {name!r}"
            remedy = 'Say what it is by a Metric (ftsweep.domain.metric): Metric("minimize", low=0).'
            raise ConfigError(what, where=where, remedy=remedy)
    return dict(metrics)


def _answer(request: Request, allowed: Sequence[str]) -> Checked | FtsweepError:
    try:
        return check_component(request, allowed=allowed)
    except FtsweepError as error:
        return error


def main() -> None:
    """The subprocess: reads one question from standard input, answers on standard output, and imports what it likes."""
    answer_stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a user's module prints while it is imported must not mix with the answer
    question = json.load(sys.stdin)
    with import_path(Path(folder) for folder in question["folders"]):
        answers = [_to_json(_answer(Request(**each), question["allowed"])) for each in question["requests"]]
    json.dump(answers, answer_stream)
    answer_stream.close()


def _needs_process(request: Request) -> bool:
    return request.group not in CONTROL_GROUPS and not are_own(request.node)


def _check_in_process(
    requests: Sequence[Request], allowed: Sequence[str], folders: Sequence[Path]
) -> list[Checked | FtsweepError]:
    question = {
        "allowed": list(allowed),
        "folders": [str(folder) for folder in folders],
        "requests": [asdict(request) for request in requests],
    }
    package_parent = str(Path(__file__).parents[3])
    # -P: modules in the current folder must not shadow those of the standard library
    command = [sys.executable, "-P", "-c", _CHECK_PROCESS, package_parent]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        names = ", ".join(dict.fromkeys(str(target) for each in requests for _, target in targets(each.node)))
        what = f"checking {names} ended with exit code {done.returncode}: {_last_line(done.stderr)}"
        return [ConfigError(what, where=request.group) for request in requests]
    return [_from_json(answer) for answer in json.loads(done.stdout)]


def _to_json(answer: Checked | FtsweepError) -> dict[str, Any]:
    if isinstance(answer, Checked):
        return asdict(answer)
    return {"error": {"what": answer.what, "where": answer.where, "remedy": answer.remedy}}


def _from_json(answer: Mapping[str, Any]) -> Checked | FtsweepError:
    if "error" in answer:
        return ConfigError(**answer["error"])
    metrics = answer["metrics"]
    known = None if metrics is None else {name: Metric(**metric) for name, metric in metrics.items()}
    return Checked(answer["node"], known, Role(**answer["role"]))


def _complete(node: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The node with the constructor's defaults, nested components too, after checking keys and types."""
    cls = locate(node["_target_"], where=where)
    settings = {key: _complete_inside(value, f"{where}.{key}") for key, value in node.items() if key != "_target_"}
    problem = settings_problem(cls, settings)
    if problem:
        raise ConfigError(f"{problem.what} ({node['_target_']})", where=f"{where}.{problem.key}", remedy=problem.remedy)
    defaults = {key: _plain(each.default) for key, each in parameters(cls).items() if not each.is_required}
    return {"_target_": node["_target_"], **settings, **{key: defaults[key] for key in defaults if key not in settings}}


def _complete_inside(value: Any, where: str) -> Any:
    """A setting's value with the defaults of the components in it, those in lists too."""
    if isinstance(value, Mapping) and "_target_" in value:
        return _complete(value, where)
    if isinstance(value, list):
        return [_complete_inside(each, f"{where}[{index}]") for index, each in enumerate(value)]
    return value


def _check_value(cls: type, node: Mapping[str, Any], path: str, value: Any, where: str, allowed: Sequence[str]) -> None:
    """Refuse a value that the search might propose and the component would not take."""
    place = f"space.{where}.{path}"
    known: Any = node
    for part in path.split("."):
        if not isinstance(known, Mapping) or part not in known:
            names = [str(key) for key in known if key != "_target_"] if isinstance(known, Mapping) else []
            remedy = f"{suggest(part, names)} Or leave it out: '~{place}'."
            raise ConfigError(f"the configuration has no '{where}.{path}'", where=place, remedy=remedy)
        known = known[part]
    if path in parameters(cls):
        what = value_problem(parameters(cls)[path].annotation, value)
        if what:
            raise ConfigError(what, where=place)
    try:
        build(_with_value(node, path.split("."), value), allowed=allowed)
    except FtsweepError as error:
        raise ConfigError(f"{value!r} is not possible: {error.what}", where=place, remedy=error.remedy) from None


def _with_value(node: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    return {**node, path[0]: _with_value(node[path[0]], path[1:], value)}


def _plain(value: Any) -> Any:
    """A default as YAML would hold it."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
