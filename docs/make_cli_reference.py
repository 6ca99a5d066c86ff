"""Writes docs/cli.md to standard output: every command's own help, by name. See `make docs`."""

from __future__ import annotations

import sys

import click

from ftsweep.cli.main import main

WIDTH = 100  # columns; fixed, so that the text does not depend on the terminal

HEAD = """\
# Commands

Made by `make docs` from the commands' own help; do not edit it by hand.

A sweep is named by its file (`tweets.yaml`, `./x/tweets.yaml`) or, if it is shipped, by its bare name (`quickstart`).
`KEY=VALUE` changes one setting of it: see [space.md](space.md#on-the-command-line). `--debug` may stand anywhere.
What the commands do to a study, and their exit codes: [studies.md](studies.md).
"""


def reference() -> str:
    """The page as it should stand in docs/cli.md."""
    parent = click.Context(main, info_name="ftsweep", terminal_width=WIDTH, **main.context_settings)
    parts = [HEAD, _section("ftsweep", main.get_help(parent))]
    for name, command in sorted(main.commands.items()):
        context = click.Context(
            command, info_name=name, parent=parent, terminal_width=WIDTH, **command.context_settings
        )
        parts.append(_section(f"ftsweep {name}", command.get_help(context)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
