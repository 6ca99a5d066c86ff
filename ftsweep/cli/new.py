"""`ftsweep new`: from files to a sweep file, with what they seem to be."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftsweep.domain.commands import quoted_command
from ftsweep.errors import UsageError

if TYPE_CHECKING:
    from ftsweep.control.new_sweep import NewSweep

_TASKS = ("classification", "multi_label", "regression", "token_classification", "instruction", "preference", "text")


@click.command()
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("--task", type=click.Choice(_TASKS), help="What to learn, where the columns do not say it.")
@click.option("--columns", multiple=True, metavar="NAME=COLUMN", help="What a column is to the task: text=tweet.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write. Default: beside the data.")
@click.option("--name", help="The study's name. Default: the file's.")
@click.option("--force", is_flag=True, help="Write the file anew if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def new(
    data: tuple[str, ...],
    task: str | None,
    columns: tuple[str, ...],
    out: Path | None,
    name: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Look at files of rows and write a sweep file for them.

    DATA: files, folders, patterns or OWNER/NAME of the hub; of several files, those named like train, dev or test are
    those splits. Says what they seem to be, and asks nothing.
    """
    from ftsweep.cli.console import console_for, print_findings
    from ftsweep.cli.output import takes_everything
    from ftsweep.control.new_sweep import describe, write_new_sweep
    from ftsweep.data.looking.look import look_at

    look = look_at(data, task=task, said=_named_columns(columns))
    written = write_new_sweep(look, out=out, name=name, force=force)
    if as_json:
        click.echo(json.dumps(describe(written), indent=1, ensure_ascii=not takes_everything(sys.stdout)))
        return
    click.echo("\n".join(_told(written)))
    print_findings(console_for(sys.stdout), look.findings, indent="  ")
    click.echo(f"\nWritten: {written.file}")
    click.echo(
        f"  {quoted_command('ftsweep', 'plan', written.command_word)}   what would run, and what is wrong with the data"
    )
    click.echo(f"  {quoted_command('ftsweep', 'run', written.command_word)}")


def _named_columns(lines: tuple[str, ...]) -> dict[str, Any]:
    """`text=tweet`, or several with commas between them, or several columns of labels: `labels=[joy,anger]`."""
    from ftsweep.config.grammar import parse_overrides

    found: dict[str, Any] = {}
    for line in lines:
        name, equals, column = line.partition("=")
        if not equals or not name or not column:
            remedy = "Write the task's name, then the file's: --columns text=tweet --columns label=emotion."
            raise UsageError(f"{line!r} names no column", where="--columns", remedy=remedy)
        parts = line.split(",") if all("=" in part for part in line.split(",")) else [line]
        for part in parts:
            key, _, value = part.partition("=")
            is_list = value.startswith("[") and value.endswith("]")
            found[key.strip()] = (
                parse_overrides([f"columns={value}"], groups=()).assignments[0].value if is_list else value.strip()
            )
    return found


def _told(written: NewSweep) -> Iterator[str]:
    from ftsweep.data.looking.columns import language_of
    from ftsweep.data.looking.look import shown_examples

    look, guess = written.look, written.guess
    rows = ", ".join(f"{split} {count}" for split, count in look.num_rows.items())
    judged = f"; columns are told by {look.num_judged} of them" if look.num_judged < look.num_rows["train"] else ""
    yield f"{', '.join(look.named['train'])}: {', '.join(look.formats)}, rows: {rows}{judged}"
    if look.num_unreadable:
        yield f"  {look.num_unreadable} rows cannot be read: `ftsweep plan` names them"
    own = {
        name: task_name
        for task_name, theirs in guess.columns.items()
        for name in (theirs if isinstance(theirs, list) else [str(theirs)])
    }
    if look.split_column is not None:
        own[look.split_column] = "split"
    own |= {head: "in part" for each in own if (head := each.partition(".")[0]) in look.columns and head not in own}
    width = max(len(name) for name in look.columns) + 2
    for name, facts in look.columns.items():
        parts = [f"{own[name]}" if name in own else "not read", facts.kind]
        if facts.kind in ("text", "list", "messages"):
            noun = {"text": "words", "list": "items", "messages": "turns"}[facts.kind]
            parts.append(f"{facts.mean_words:.0f} {noun}, at most {facts.most_words}")
        if own.get(name) in ("label", "labels", "tags") and facts.num_distinct <= 100:
            shown = ", ".join(shown_examples(facts))
            parts.append(f"{facts.num_distinct} values: {shown}" + (", ..." if facts.num_distinct > 8 else ""))
        elif facts.kind == "text" and facts.mean_words > 2 and (language := language_of(facts.sample)):
            parts.append(f"seems {language}")
        if facts.num_missing:
            parts.append(f"{facts.num_missing} empty")
        yield f"  {name:<{width}} {'; '.join(parts)}"
    yield f"It seems to be {guess.task}: {guess.why}. (--task and --columns say otherwise.)"
    if "validation" not in look.num_rows:
        yield "  validation" + ("" if "test" in look.num_rows else " and test") + " will be split off train"
