"""`ftsweep predict`: answers of a study's chosen model, or of an exported one."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from ftsweep.cli.options import STORE_OPTION, open_store
from ftsweep.cli.placing import written_to
from ftsweep.domain.commands import DEFAULT_STORE


@click.command()
@click.argument("model", metavar="STUDY_OR_DIR")
@click.argument("file", required=False, default="-")
@click.option("--out", type=click.Path(path_type=Path), help="Write here: .jsonl, .csv, .tsv or .parquet.")
@click.option("--keep-columns", is_flag=True, help="Write the rows' own columns, too.")
@click.option("--allow", multiple=True, metavar="PACKAGE", help="A package whose classes an exported model may name.")
@STORE_OPTION
def predict(model: str, file: str, out: Path | None, keep_columns: bool, allow: tuple[str, ...], store: str) -> None:
    """Answer rows with a study's chosen model or an exported one.

    FILE is read as training reads its files (csv, tsv, jsonl, json, parquet, packed or not), with the study's columns
    or the task's. Standard input (the default), .txt and names without an extension have one row a line: a JSON object,
    or plain text; of a folder or an archive each file of text is a row where labels are answered, else each paragraph.
    Answers come in the same order, as JSON lines without --out. A row that cannot be answered says why under `error`;
    then the exit code is 1.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as workers have it: see ftsweep.executors.launch
    from ftsweep.cli.answering import answer_rows
    from ftsweep.serving.study_model import predictor_for

    place = open_store(DEFAULT_STORE) if Path(model).is_dir() else open_store(store, study=model, whole=True)
    predictor = predictor_for(model, place, allow)
    with written_to(out) if out is not None else nullcontext():
        num_missing = answer_rows(predictor, file, out, keeps_columns=keep_columns)
    if num_missing:
        rows = "1 row has" if num_missing == 1 else f"{num_missing} rows have"
        click.echo(f"{rows} no answer; `error` says why.", err=True)
        sys.exit(1)
