"""A first sweep file for somebody's data: what `ftsweep new` writes, with what else could stand there as comments."""

from __future__ import annotations

import json
import math
import os.path
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from ftsweep.config.compose import compose_sweep
from ftsweep.data.files.split_words import split_named
from ftsweep.data.looking.groups import group_comment
from ftsweep.data.looking.guess import TASKS, Guess
from ftsweep.data.looking.look import Look
from ftsweep.domain.commands import quoted_command, sweep_word
from ftsweep.domain.finding import Severity
from ftsweep.domain.names import NAME_REMEDY, is_name
from ftsweep.domain.paths import typed_path
from ftsweep.errors import DataError, UsageError
from ftsweep.store.atomic import write_text

_METRICS = {
    "classification": ("macro_f1", "accuracy, loss"),
    "multi_label": ("macro_f1", "micro_f1, subset_accuracy, loss"),
    "regression": ("rmse", "mae, spearman, pearson, r2, loss"),
    "token_classification": ("f1", "token_accuracy, loss"),
    "instruction": (
        "loss",
        "token_accuracy, perplexity, bits_per_byte; of generated answers rouge_l, token_f1, exact_match, ...",
    ),
    "preference": ("ranking_accuracy", "accuracy, margin, loss"),
    "text": ("loss", "perplexity, bits_per_byte"),
}
_WRITING = ("instruction", "preference", "text")
"""Tasks that predict text: their base has to be a causal model."""
_WORDS_TO_TOKENS = 2.5
"""Tokens per word with some to spare, for its signs and digits too; what is longer after all is a finding of `plan`."""
_LENGTHS = (32, 64, 128, 256, 512)
_SMALL = 200  # rows, below which a batch of 16 leaves few steps
_USUAL_SHARE, _LARGEST_SHARE = 0.1, 0.3
_ENOUGH = 60  # rows of validation: the guard refuses fewer than 50, and some rows may be left out
_NUM_TOLD = 2  # warnings in an error
_TAKEN = ("base",)  # names that a sweep file cannot have, because its own `defaults` speak of them


@dataclass(frozen=True)
class NewSweep:
    """What was written."""

    file: Path
    look: Look
    guess: Guess

    @property
    def command_word(self) -> str:
        """The file as an argument of `ftsweep plan` and `ftsweep run`."""
        near = os.path.relpath(self.file)
        return sweep_word(Path(near if len(near) < len(str(self.file)) else self.file))


def write_new_sweep(look: Look, *, out: Path | None = None, name: str | None = None, force: bool = False) -> NewSweep:
    """Write the sweep file and have it composed and checked; a refused one is not left behind.

    Raises:
        UsageError: there is a file already, or no task was found.
        ConfigError: the sweep would not be taken.
    """
    guess = look.guess
    if guess is None and look.doubt is not None:
        raise DataError(look.doubt.what, where=", ".join(look.named["train"]), remedy=look.doubt.remedy)
    if guess is None:
        columns = ", ".join(f"{each.name!r} ({each.kind})" for each in look.columns.values())
        raise DataError(
            f"no task of ftsweep seems to fit these columns: {columns}",
            where=", ".join(look.named["train"]),
            remedy="Name what they are, for example --columns text=COLUMN,label=COLUMN, and what they are for: "
            f"--task {', '.join(TASKS)}.{_warnings(look)}",
        )
    if name is not None and not is_name(name):
        raise UsageError(f"{name!r} cannot be a study's name", where="--name", remedy=NAME_REMEDY)
    file = _destination(look, out, name)
    if file.exists() and not force:
        remedy = "Name another one with --out, or add --force to have it written anew."
        raise UsageError("there is a file already, and it is not overwritten", where=str(file), remedy=remedy)
    former = file.read_text(encoding="utf-8") if file.exists() else None
    try:
        write_text(file, "\n".join(_lines(look, guess, file, name)) + "\n")
    except OSError as error:
        raise UsageError(
            f"it cannot be written: {error.strerror}", where=str(file), remedy="Name another with --out."
        ) from error
    try:
        compose_sweep(str(file))
    except BaseException:
        if former is None:
            file.unlink()
        else:
            write_text(file, former)
        raise
    return NewSweep(file, look, guess)


def _warnings(look: Look) -> str:
    """What was odd about the files, which may be why there is no guess."""
    found = [each for each in look.findings if each.check == "files" and each.severity is Severity.WARN]
    return "".join(f" Besides, {each.message}. {each.remedy}." for each in found[:_NUM_TOLD])


def _destination(look: Look, out: Path | None, name: str | None) -> Path:
    """Beside the data (of the hub: here), under its name; names that speak of a split give way to their folder's."""
    if out is not None and not out.is_dir():
        if out.suffix != ".yaml":
            raise UsageError("a sweep file's name must end with .yaml", where=str(out), remedy="Name it NAME.yaml.")
        if out.stem in _TAKEN:
            raise UsageError(f"{out.name} is a name that `defaults` speak of", where=str(out), remedy="Take another.")
        return out
    first = Path(look.named["train"][0])
    if look.is_hub:
        stem, folder = first.name, Path()
    else:
        path = typed_path(re.split(r"[*?\[]", str(first))[0] if not typed_path(first).exists() else first)
        folder = path.parent if path.is_file() or not path.is_dir() else path.absolute().parent
        stem = path.name.partition(".")[0] if path.is_file() else path.absolute().name
        if split_named(stem) and stem.lower() == re.sub(r"[^a-z]", "", stem.lower()):
            stem = path.absolute().parent.name
    stem = name or stem or "sweep"
    stem = f"{stem}_sweep" if stem in _TAKEN else stem
    return (out or folder) / f"{stem}.yaml"


def _lines(look: Look, guess: Guess, file: Path, name: str | None) -> Iterator[str]:
    study = name or _study_name(file.stem)
    model, others = _model(guess.task)
    yield f"# {quoted_command('ftsweep', 'run', sweep_word(Path(file.name)))}"
    yield f"# Written by `ftsweep new`: {guess.task}, because {_one_line(guess.why)}."
    source = "hub" if look.is_hub else "files"
    yield f"defaults: [base, model: {model}, data: {source}, task: {guess.task}, strategy: lora, _self_]"
    yield f"# model: {others}"
    yield "# strategy: lora; or full, head, top_layers, ia3, ...: `ftsweep list strategies`"
    yield ""
    if study != file.stem:
        yield f"study: {{name: {_yaml(study)}}}"
    yield "data:"
    yield from _data_lines(look, guess, file)
    used = [each for each in (*_used(guess), look.split_column) if each is not None]
    heads = {each.partition(".")[0] for each in used}
    unread = [each for each in look.columns if each not in used and each not in heads]
    if unread:
        yield f"  # not read: {', '.join(map(_one_line, unread))}"
    yield ""
    if (count := round(_num_validation(look))) < _ENOUGH:
        yield "# With so few rows of validation the best trial is the luckiest: bring more, then remove this line."
        yield f"guards: {{small_data: allow}} # about {count} rows; 50 are the least that is taken without it"
        yield ""
    metric, more = _METRICS[guess.task]
    yield f"objective: {{metric: {metric}}} # or {more}"
    yield "budget: {trials: 12}"
    yield f"task: {{max_length: {_max_length(look, guess)}}} # tokens; `ftsweep plan` says how many inputs are cut"
    yield ""
    size = 8 if look.num_rows["train"] < _SMALL else 16
    yield f"training: {{learning_rate: 1e-3, batch_size: {size}, epochs: 3}} # trial 0"
    yield ""
    yield "space: # what the search may vary"
    yield "  training:"
    yield "    learning_rate: {low: 1e-4, high: 5e-3, log: true}"
    yield f"    batch_size: [{size // 2}, {size}, {size * 2}]"
    yield "    epochs: {low: 1, high: 6}"
    yield "  strategy:"
    yield "    rank: [4, 8, 16]"


def _data_lines(look: Look, guess: Guess, file: Path) -> Iterator[str]:
    if look.is_hub:
        yield f"  name: {_yaml(look.named['train'][0])}"
    else:
        for split, names in look.named.items():
            number = look.num_rows.get(split, 0) if look.split_column is None else sum(look.num_rows.values())
            is_all = list(look.named) == ["train"] and look.split_column is None and len(look.num_rows) > 1
            rows = f" # rows: {_counts(look)}" if is_all else f" # {number} rows"
            shown = [_yaml(_from(file, each)) for each in names]
            yield f"  {split}: {shown[0] if len(shown) == 1 else '[' + ', '.join(shown) + ']'}{rows}"
    if look.split_column is not None:
        yield f"  split: {_yaml(look.split_column)} # the column that says which split a row is of"
    if "validation" not in look.num_rows:
        taken = "and test are" if "test" not in look.num_rows else "is"
        yield f"  # validation {taken} split off train"
        share = _validation_share(look)
        if share > _USUAL_SHARE:
            yield f"  validation_fraction: {share:g} # so that it has rows enough to tell trials apart"
    if look.is_headless:
        yield "  header: false # the first line looks like a row, so columns are numbers"
    if look.group_column is not None:
        yield f"  # group: {_yaml(look.group_column)} # {group_comment(look.num_rows)}"
    columns = {own: theirs for own, theirs in guess.columns.items() if own != theirs}
    if columns:
        yield "  columns: {" + ", ".join(f"{own}: {_yaml(theirs)}" for own, theirs in columns.items()) + "}"


def _counts(look: Look) -> str:
    return ", ".join(f"{split} {count}" for split, count in look.num_rows.items())


def _validation_share(look: Look) -> float:
    """Of train for a validation split: a tenth, or more where that would be too few rows."""
    needed = math.ceil(100 * _ENOUGH / max(1, look.num_rows["train"])) / 100
    return min(max(_USUAL_SHARE, needed), _LARGEST_SHARE)


def _num_validation(look: Look) -> float:
    return look.num_rows.get("validation", _validation_share(look) * look.num_rows["train"])


def _model(task: str) -> tuple[str, str]:
    """The model to begin with, which is there without a network, and what else there is."""
    others = "smollm2_135m, qwen3_0.6b" if task in _WRITING else "minilm, modernbert_base"
    return "tiny", f"tiny is embedded and for a first try; then {others} (from the hub), or local with model.path"


def _max_length(look: Look, guess: Guess) -> int:
    """Enough for the longest input, as far as words tell."""
    columns = [name for name in _used(guess) if name in look.columns and look.columns[name].kind in ("text", "list")]
    words = sum(look.columns[name].most_words for name in columns if name not in _targets(guess))
    facts = [look.columns[name] for name in _used(guess) if name in look.columns]
    if any(each.kind == "messages" or each.is_transcripts for each in facts) or not words:
        return _LENGTHS[-1] if guess.task in _WRITING else 128
    needed = words * _WORDS_TO_TOKENS + 8
    if guess.task == "text":
        return _LENGTHS[-1]
    return next((length for length in _LENGTHS if length >= needed), _LENGTHS[-1])


def _targets(guess: Guess) -> set[str]:
    """Columns that are no part of the input; an answer is."""
    return {str(theirs) for own, theirs in guess.columns.items() if own in ("label", "labels", "tags")}


def _used(guess: Guess) -> list[str]:
    return [
        name for theirs in guess.columns.values() for name in (theirs if isinstance(theirs, list) else [str(theirs)])
    ]


def _from(file: Path, named: str) -> str:
    """A path as the sweep file says it: from its folder where it lies in there, else whole."""
    path = Path(os.path.abspath(typed_path(named)))  # noqa: PTH100 - links stay links
    folder = Path(os.path.abspath(file.parent))  # noqa: PTH100
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _study_name(stem: str) -> str:
    """The file's name as a study's: without what no study may be called."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100]
    return plain or "study"


def _yaml(value: Any) -> str:
    """A text, or a list of texts, in YAML's flow style, where `${` stays what it is."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    text = value.replace("${", r"\${")
    dumped: str = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6)
    return dumped.strip()[1:-1]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def describe(new: NewSweep) -> Mapping[str, Any]:
    """The same for scripts, as JSON."""
    look, guess = new.look, new.guess
    return {
        "file": str(new.file),
        "task": guess.task,
        "because": guess.why,
        "columns": dict(guess.columns),
        "rows": look.num_rows,
        "unread": [name for name in look.columns if name not in _used(guess)],
        "findings": [finding.to_dict() for finding in look.findings],
    }
