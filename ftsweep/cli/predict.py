"""`ftsweep predict`: answers of a study's chosen model, or of an exported one."""

from __future__ import annotations

import json
from typing import TextIO

import click

from ftsweep.cli.options import STORE_OPTION, open_store


@click.command()
@click.argument("model", metavar="STUDY_OR_DIR")
@click.argument("file", required=False, type=click.File("r", encoding="utf-8"), default="-")
@click.option("--allow", multiple=True, metavar="PACKAGE", help="A package whose classes an exported model may name.")
@STORE_OPTION
def predict(model: str, file: TextIO, allow: tuple[str, ...], store: str) -> None:
    """Answer rows with a study's chosen model or an exported one.

    FILE (default: standard input) has one row a line: a JSON object with the task's columns, or plain text. Answers are
    JSON lines in the same order.
    """
    from ftsweep.serving.study_model import predictor_for
    from ftsweep.tasks.encoding.typed_rows import parse_rows

    predictor = predictor_for(model, open_store(store), allow)
    for answer in predictor.predict(parse_rows(file, predictor.task, name=getattr(file, "name", "standard input"))):
        click.echo(json.dumps(answer, ensure_ascii=False))
