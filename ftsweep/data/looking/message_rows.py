"""Rows that are one message each of conversations, and the command that writes each conversation as a row."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from ftsweep.data.files.base import FileFacts
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.shell import path_argument, python_command
from ftsweep.data.looking.annotated import ELSE, Doubt
from ftsweep.data.looking.columns import ColumnFacts
from ftsweep.domain.speakers import ROLES

_ROLE = ("role", "from", "speaker")
_SPEAKERS = {"user", "assistant", "system", "human", "gpt", "prompter", "bot", "tool", "model", "agent", "customer"}
_ANSWERERS = {"assistant", "gpt", "bot", "model", "agent"}
_OTHER_ROLES = {"customer": "user", "agent": "assistant"}
_TEXT = ("text", "content", "message", "utterance", "body", "value")
_ID, _PARENT = ("message_id", "id", "uuid"), ("parent_id", "parent_message_id", "parent", "reply_to", "in_reply_to")
_CONVERSATION = re.compile(
    r"(?i)(conversation|conv|dialog|dialogue|chat|thread|session|ticket|call)([_ .-]?(id|no|nr|number|key|uuid))?"
)
_MOST_FILES = 8
_READS = {
    "csv": "pandas.read_csv(each, dtype=str, keep_default_na=False, sep=SIGN, encoding=CODE)",
    "jsonl": "pandas.read_json(each, lines=True, dtype=False, convert_dates=False, encoding='utf-8')",
    "json": "pandas.read_json(each, dtype=False, convert_dates=False, encoding='utf-8')",
    "parquet": "pandas.read_parquet(each)",
}
_READS["tsv"] = _READS["csv"]
_MESSAGE = "{'role': ROLES.get(said.lower(), said), 'content': words}"
_GROUPED = (
    "import json, pandas, sys; *files, key, role, text = sys.argv[1:]; rows = pandas.concat([READ for each in files]); "
    "[print(json.dumps({'messages': [MESSAGE for said, words in zip(found[role], found[text])]})) "
    "for _, found in rows.groupby(key, sort=False, dropna=False)]"
)
_PATHS = (
    "import json, pandas, sys; *files, key, parent, role, text = sys.argv[1:]; "
    "rows = {row[key]: row for row in pandas.concat([READ for each in files]).to_dict('records')}; "
    "path = lambda row: [*(path(rows[row[parent]]) if row[parent] in rows else []), (row[role], row[text])]; "
    "answers = [row for row in rows.values() if row[role].lower() in ANSWERERS]; "
    "inner = {rows[row[parent]][parent] for row in answers if row[parent] in rows}; "
    "[print(json.dumps({'messages': [MESSAGE for said, words in path(row)]})) for row in answers "
    "if row[key] not in inner]"
)
"""Of messages that answer each other the path to every last answer."""


def of_messages(facts: Mapping[str, ColumnFacts]) -> Doubt | None:
    """The doubt about rows that are one message each of conversations."""
    name = _role_in(facts)
    if name is None:
        return None
    return Doubt(
        f"each row is one message of a conversation ({name!r} says whose), and a row must be a whole one",
        'Write the messages of each conversation as one row, {"messages": [{"role": "user", "content": "..."}, '
        f"...]}}. {ELSE}",
    )


def with_way(
    doubt: Doubt, facts: Mapping[str, ColumnFacts], files: Sequence[DataFile], known: Mapping[DataFile, FileFacts]
) -> Doubt:
    """The same doubt; where columns say which message belongs to which, with the command that puts them together."""
    if doubt != of_messages(facts):
        return doubt
    role, text = _role_in(facts), _first(_TEXT, facts)
    formats = {"" if file.member else file.format for file in files}
    if role is None or text is None or len(formats) > 1 or len(files) > _MOST_FILES:
        return doubt
    key, parent = _first(_ID, facts), _first(_PARENT, facts)
    conversation = next((name for name in facts if _CONVERSATION.fullmatch(name)), None)
    read = _READS.get(next(iter(formats)))
    is_tree = key is not None and parent is not None
    code, names = (_PATHS, [key, parent]) if is_tree else (_GROUPED, [conversation])
    if read is None or None in names:
        return doubt
    about = known[files[0]]
    for word, meant in (
        ("READ", read),
        ("SIGN", repr(about.delimiter)),
        ("CODE", repr(about.encoding)),
        ("MESSAGE", _MESSAGE),
        ("ANSWERERS", repr(sorted(_ANSWERERS))),
        ("ROLES", repr(_OTHER_ROLES)),
    ):
        code = code.replace(word, meant)
    columns = [*(name for name in names if name is not None), role, text]
    arguments = [*(path_argument(file.path) for file in files), *map(shlex.quote, columns), "> NEW.jsonl"]
    how = (
        "each way to a last answer, without questions that nobody answers"
        if is_tree
        else "each conversation, its messages as they stand in the file"
    )
    return Doubt(doubt.what, f"Write a row for {how}: {python_command(code, ' '.join(arguments))}. {ELSE}")


def _role_in(facts: Mapping[str, ColumnFacts]) -> str | None:
    for name, each in facts.items():
        values = {value.lower() for value in each.counts}
        if name.lower() in _ROLE and values & _ANSWERERS and values <= _SPEAKERS | ROLES.keys():
            return name
    return None


def _first(names: Iterable[str], facts: Mapping[str, ColumnFacts]) -> str | None:
    lower = {name.lower(): name for name in facts}
    return next((lower[name] for name in names if name in lower), None)
