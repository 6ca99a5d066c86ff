"""`ftsweep predict`: rows in, answers out, a bounded number at a time; rows without an answer say why."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftsweep.cli.output import takes_everything
from ftsweep.errors import DataError

if TYPE_CHECKING:
    from ftsweep.domain.finding import Finding
    from ftsweep.serving.model import Predictor
    from ftsweep.serving.questions import FileQuestions, Question, TypedQuestions

ROWS_AT_ONCE = 1024
"""Rows that are held at a time, from reading to writing."""


def answer_rows(predictor: Predictor, named: str, out: Path | None, *, keeps_columns: bool) -> int:
    """Answer the rows of `named` (`-`: standard input) on standard output, or in a file; how many have no answer."""
    from ftsweep.serving.answer_files import ERROR, answer_file, line_of, with_columns

    num_rows = num_missing = 0
    with ExitStack() as stack:
        questions = _questions(predictor, named, stack, keeps_columns=keeps_columns)
        _tell(questions.findings)
        file = None if out is None else stack.enter_context(answer_file(out))
        advance = stack.enter_context(_progress(questions.num_lines, shows=file is not None))
        columns = set(questions.columns)
        for chunk in _chunks(questions):
            records: list[Mapping[str, Any]] = []
            columns.update(name for question in chunk for name in question.original)
            for question, answer in zip(chunk, _answers(predictor, chunk), strict=True):
                num_missing += ERROR in answer
                records.append(with_columns(question.original, answer, columns) if keeps_columns else answer)
            if file is not None:
                file.write(records)
            else:
                is_ascii = not takes_everything(sys.stdout)
                sys.stdout.writelines(line_of(record, is_ascii=is_ascii) + "\n" for record in records)
                sys.stdout.flush()
            num_rows += len(chunk)
            advance(len(chunk))
        if not num_rows and named != "-":  # in here, so that nothing is left at `out`
            raise DataError("there is no row in it", where=named, remedy="Name a file that has rows to answer.")
    _tell(questions.late_findings)
    if not num_rows:
        click.echo("note: standard input has no rows, so there are no answers", err=True)
    return num_missing


def _tell(findings: Iterable[Finding]) -> None:
    for finding in findings:
        click.echo(f"{finding.severity}: {finding.text}", err=True)


def _questions(
    predictor: Predictor, named: str, stack: ExitStack, *, keeps_columns: bool
) -> FileQuestions | TypedQuestions:
    from ftsweep.serving.line_files import has_format, has_words_and_tags, opened_lines
    from ftsweep.serving.questions import FileQuestions, TypedQuestions

    reading, task = predictor.reading, predictor.task
    if named == "-":
        return TypedQuestions(sys.stdin, task, reading, name="standard input")
    encoding = reading.get("encoding")
    if has_format(named) or ("tokens" in task.columns and has_words_and_tags(named, encoding)):
        return FileQuestions(named, task, reading, keeps_columns=keeps_columns)
    lines, findings = stack.enter_context(opened_lines(named, encoding, task.columns))
    return TypedQuestions(lines, task, reading, name=Path(named).name, findings=findings)


def _answers(predictor: Predictor, chunk: list[Question]) -> Iterator[dict[str, Any]]:
    """One record per question: the answer, or `error`, which names the place."""
    from ftsweep.serving.answer_files import ERROR
    from ftsweep.serving.model import NoAnswer

    found = iter(predictor.answers([question.values for question in chunk if not question.problem]))
    for question in chunk:
        answer = NoAnswer(question.problem) if question.problem else next(found)
        yield {ERROR: f"{question.place}: {answer}"} if isinstance(answer, NoAnswer) else answer


def _chunks(questions: Iterable[Question]) -> Iterator[list[Question]]:
    rows = iter(questions)
    while chunk := list(islice(rows, ROWS_AT_ONCE)):
        yield chunk


@contextmanager
def _progress(total: int | None, *, shows: bool) -> Iterator[Any]:
    """A function that takes how many rows are done; it draws a bar on a terminal's standard error."""
    if not shows or not sys.stderr.isatty():
        yield lambda num_rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("rows", total=total)
        yield lambda num_rows: progress.advance(bar, num_rows)
