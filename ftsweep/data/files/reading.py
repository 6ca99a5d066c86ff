"""The door to files of rows: open one, see what was found out about it, and read its rows with their places.

for file in find_files("shards/*.jsonl.gz").splits["train"]:
    table = open_file(file)
    print(table.facts, table.assumed)
    for row in table:
        print(table.place(row), row.problem or row.values)
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from ftsweep.data.files.arrow_rows import ArrowFile
from ftsweep.data.files.base import OpenedFile, ReadSettings
from ftsweep.data.files.conll import ConllFile
from ftsweep.data.files.disguised import SAMPLE_LINES, holds_words_and_tags, refuse_disguised
from ftsweep.data.files.encodings import Encoding, find_encoding
from ftsweep.data.files.foreign import refuse_foreign
from ftsweep.data.files.json_rows import JsonFile, JsonLines, is_lines, is_list
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.parquet_rows import ParquetFile
from ftsweep.data.files.plain import PlainText, has_folder_label
from ftsweep.data.files.tables import TableFile
from ftsweep.data.files.text import opened_text
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import DataError


def open_file(file: DataFile, settings: ReadSettings | None = None) -> OpenedFile:
    """The file, ready to be read; one pass over text finds its encoding.

    Raises:
        DataError: it cannot be opened, decoded or understood; the message names the line where there is one.
    """
    settings = settings or ReadSettings()
    refuse_foreign(file)
    if file.format in ("parquet", "arrow"):
        return ParquetFile(file, settings, None) if file.format == "parquet" else ArrowFile(file, settings, None)
    encoding = find_encoding(file, settings.encoding)
    found = _reader(file, settings, encoding)
    found.assumed[:0] = encoding_findings(file, encoding, settings)
    return found


def _reader(file: DataFile, settings: ReadSettings, encoding: Encoding) -> OpenedFile:
    disguise = None
    if file.format == "txt" or (file.format == "tsv" and settings.header is None and settings.delimiter is None):
        with opened_text(file, encoding) as text:
            lines = list(islice(text, SAMPLE_LINES))
        if holds_words_and_tags(lines):
            return _words_and_tags(file, settings, encoding)
        try:
            refuse_disguised(file, lines, settings, encoding.name)
        except DataError as error:
            if not has_folder_label(file, settings):
                raise
            disguise = error  # one recipe among letters is a text; a look judges by all of them
    if file.format in ("csv", "tsv"):
        return TableFile(file, settings, encoding)
    if file.format == "txt":
        found = PlainText(file, settings, encoding)
        found.disguise = disguise
        return found
    if file.format == "conll":
        return ConllFile(file, settings, encoding)
    has_lines = is_lines(file, encoding) if file.format == "json" else not is_list(file, encoding)
    return JsonLines(file, settings, encoding) if has_lines else JsonFile(file, settings, encoding)


def _words_and_tags(file: DataFile, settings: ReadSettings, encoding: Encoding) -> OpenedFile:
    """A file of another name with a word and its tag a line; as its name says where no tags are wanted, with a word."""
    what = "has a word and its tag a line, with blank lines between sentences"
    if settings.wanted and not {"tokens", "tags"} & set(settings.wanted):
        found = PlainText(file, settings, encoding) if file.format == "txt" else TableFile(file, settings, encoding)
        found.assumed.append(found.warn("files", what, remedy="Such a file is for task=token_classification"))
        return found
    tagged = ConllFile(replace(file, format="conll"), settings, encoding)
    tagged.assumed.append(tagged.note("files", f"{what}, and is read as a .conll file is"))
    return tagged


def encoding_findings(file: DataFile, encoding: Encoding, settings: ReadSettings) -> list[Finding]:
    """What a person should know of the encoding."""
    name = encoding.name.removesuffix("-sig")
    if encoding.is_guess:
        at = (f"{file.name}:{encoding.first_line}",) if not encoding.is_wide else ()
        became = f": {encoding.became}" if encoding.became else ""
        remedy = "If it is right, say so, else say another"
        if encoding.other:
            became += f", and \xa4, which is the euro's sign in {encoding.other}, stands in it"
            remedy = f"If that is meant, say data.encoding={encoding.other}. {remedy}"
        return [
            Finding(
                "encoding",
                Severity.WARN,
                f"{file.name} is not UTF-8, and was read as {name}{became}",
                count=len(at),
                examples=at,
                remedy=remedy,
                override=f"data.encoding={name}",
            )
        ]
    if encoding.is_utf8_too:
        what = f"{file.name} was read as {name}, as is said, although all of its letters are UTF-8"
        at = (f"{file.name}:{encoding.first_line}",)
        remedy = "If they come out wrong, leave data.encoding out, or write the file in it"
        return [Finding("encoding", Severity.WARN, what, count=1, examples=at, remedy=remedy)]
    if settings.encoding is None and name != "utf-8":
        return [Finding("encoding", Severity.NOTE, f"{file.name} was read as {name.upper()}, as its first bytes say")]
    return []
