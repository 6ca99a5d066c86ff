"""What makes a file readable that is no rows by its name: a command that writes rows of it, or what else to do."""

from __future__ import annotations

import codecs
import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from ftsweep.data.files.shell import path_argument, python_command

_SUFFIXES = {
    "excel": (".xlsx", ".xlsm"),
    "old excel": (".xls",),
    "open": (".ods",),
    "sheet": (".numbers", ".gsheet", ".xlsb"),
    "sweep": (".yaml", ".yml"),
    "toml": (".toml",),
    "document": (".doc", ".docx", ".odt", ".rtf", ".epub"),
    "pdf": (".pdf",),
    "page": (".html", ".htm", ".xhtml"),
    "xml": (".xml", ".tei", ".rss", ".atom", ".xlf", ".xliff"),
    "memory": (".tmx",),
    "sgml": (".sgm", ".sgml"),
    "text": (".md", ".rst", ".tex", ".log", ".py", ".srt", ".vtt"),
    "notebook": (".ipynb",),
    "mail": (".mbox",),
    "letter": (".eml",),
    "brat": (".ann",),
    "stata": (".dta",),
    "spss": (".sav", ".zsav", ".por"),
    "sas": (".sas7bdat", ".xpt"),
    "rds": (".rds",),
    "rdata": (".rdata", ".rda"),
    "pickle": (".pkl", ".pickle"),
    "orc": (".orc",),
    "avro": (".avro",),
    "table": (".h5", ".hdf5", ".npy", ".npz"),
    "sqlite": (".db", ".sqlite", ".sqlite3"),
    "sql": (".sql",),
    "duckdb": (".duckdb", ".ddb"),
    "access": (".mdb", ".accdb"),
    "bson": (".bson",),
    "tar": (".tar", ".tgz", ".tbz2", ".txz"),
    "archive": (".7z", ".rar"),
    "lz4": (".lz4",),
    "z": (".z",),
    "brotli": (".br",),
    "lzma": (".lzma",),
}
KIND_OF = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes}
"""What files are by their extensions."""
_LANGUAGES = (".br", ".por")
"""Of these those that are a language's code as well: Breton, Portuguese."""
SPREADSHEETS = tuple(suffix for kind in ("excel", "old excel", "open", "sheet") for suffix in _SUFFIXES[kind])

_TEXT_OF_MAIL = "(part := mail.get_body(('plain', 'html'))) and part.get_content()"  # the plain text, else the page
LETTERS = (
    "import email, json, {imports}, sys; from email import policy; mails = {mails}; "
    f"[print(json.dumps({{{{'subject': mail['subject'], 'text': {_TEXT_OF_MAIL}}}}})) for mail in mails]{{end}}"
)
_MBOX = {
    "imports": "mailbox",
    "mails": "mailbox.mbox(sys.argv[1], lambda file: email.message_from_binary_file(file, policy=policy.default))",
    "end": "; mails.close()",
}
EML = {
    "imports": "pathlib",
    "mails": "[email.message_from_bytes(pathlib.Path(each).read_bytes(), policy=policy.default) "
    "for each in sys.argv[1:]]",
    "end": "",
}
_ANNOTATIONS = (
    "import json, pathlib, re, sys; [print(json.dumps({'text': file.with_suffix('.txt').read_bytes().decode('utf-8'), "
    "'entities': [[int(start), int(end), kind] for kind, start, end in re.findall("
    r"r'(?m)^T\d+\s(\S+) (\d+) (?:[\d; ]* )?(\d+)\t', file.read_text('utf-8'))]})) "
    "for file in sorted(pathlib.Path(sys.argv[1]).rglob('*.ann'))]"
)
"""The texts of a folder with brat's entities; of an entity in parts the first character to the last."""
_CELLS = (
    "import json, pathlib, sys; [print(json.dumps({'text': ''.join(cell['source']), 'kind': cell['cell_type']})) "
    "for cell in json.loads(pathlib.Path(sys.argv[1]).read_bytes())['cells']]"
)
_ELEMENTS = (
    "import json, sys, xml.etree.ElementTree as tree; [print(json.dumps({**item.attrib, **({part.tag.rpartition('}')"
    "[2]: ''.join(part.itertext()) for part in item} or {'text': item.text})})) "
    "for item in tree.parse(sys.argv[1]).iterfind('.//{*}ITEM')]"
)
"""An element's attributes and the texts of its parts, or its own text where it has none."""
_UNITS = (
    "import json, sys, xml.etree.ElementTree as tree; [print(json.dumps({dict(zip([key.rpartition('}')[2] for key in "
    "part.attrib], part.attrib.values()))['lang']: ''.join(part.find('{*}seg').itertext()).strip() for part in "
    "unit.iterfind('{*}tuv')})) for unit in tree.parse(sys.argv[1]).iterfind('.//{*}tu')]"
)
"""The texts of each unit of a translation memory by their languages."""
_REUTERS = (
    "import html, json, re, sys; [print(json.dumps({'text': html.unescape(re.sub('<[^>]*>', ' ', body)).strip(), "
    "'labels': re.findall('<D>(.*?)</D>', topics), 'split': split})) for each in sys.argv[1:] for split, topics, body "
    "in re.findall(r'(?s)<REUTERS[^>]*LEWISSPLIT=.(TRAIN|TEST)[^>]*>.*?<TOPICS>(.*?)</TOPICS>.*?<TEXT.*?>(.*?)</TEXT'"
    ", open(each, encoding='latin-1').read())]"
)
"""The stories of Reuters-21578 that are of a split."""
_NAMES = (
    "Name it after what it holds: .csv or .tsv for a table, whatever stands between its cells, .jsonl for a JSON "
    "object a line, .conll for a word and its tag a line, .txt for text. Of two files whose lines belong to each other "
    "or whose names are labels, name both .txt and look at their folder: a command is told that makes rows of them"
)


def way_to_read(path: Path) -> str:
    """What to do about a file of a kind that holds no rows, with the command; "" of a kind that nobody has told."""
    suffix = ".tar" if ".tar" in (each.lower() for each in path.suffixes) else path.suffix.lower()
    kind = KIND_OF.get(suffix)
    if kind is None:
        return ""
    is_text = kind in ("excel", "old excel", "open") and _is_text(_first_bytes(path))
    if is_text or is_in_a_language(path):
        return f"It is text by its first bytes. {_NAMES}"  # as programs write what Excel is to open
    return _way(kind, path)


def is_in_a_language(path: Path) -> bool:
    """Whether a file named after a language, as of a parallel corpus, holds text, and not what others name so."""
    first = _first_bytes(path)
    if path.suffix.lower() not in _LANGUAGES or first.startswith(b"ASCII SPSS"):
        return False
    try:
        return bool(codecs.getincrementaldecoder("utf-8")().decode(first))  # the last character may be cut
    except UnicodeDecodeError:
        return False


def has_way(suffix: str) -> bool:
    """Whether files of this extension are told apart from unknown ones."""
    return suffix in KIND_OF


def way_of_unknown(path: Path) -> str:
    """The same of a file whose kind is not known: what it could be named, by its first bytes where they tell."""
    first = _first_bytes(path)
    line = first.partition(b"\n")[0]
    try:
        is_object = isinstance(json.loads(line), dict)
    except ValueError:
        is_object = False
    return "It holds a JSON object a line: name it .jsonl" if is_object else _NAMES


def reuters_way(arguments: str) -> str:
    """How the stories of Reuters-21578 become rows."""
    return f"its stories of the splits TRAIN and TEST as rows with their topics: {python_command(_REUTERS, arguments)}"


def annotations_way(folder: Path) -> str:
    """How brat's annotations, `1.ann` beside `1.txt`, become rows."""
    made = python_command(_ANNOTATIONS, f"{path_argument(folder)} > NEW.jsonl")
    return (
        f"Texts and entities as rows: {made}; and say --task token_classification --columns tokens=text,tags=entities, "
        "in a sweep file 'data.columns={tokens: text, tags: entities}'"
    )


def _way(kind: str, path: Path) -> str:
    old = path_argument(path)
    if kind in _PLAIN:
        kinds = {"csv": ".csv", "txt": ".txt", "jsonl": ".jsonl", "sqlite": ".sqlite"}
        return _PLAIN[kind].format(old=old, **{name: _new(path, suffix) for name, suffix in kinds.items()})
    if kind in _WITH_PANDAS:
        before, call, package = _WITH_PANDAS[kind]
        said = f"{old} {shlex.quote('select * from ' + _table_in(path))}" if kind == "sqlite" else old  # noqa: S608
        new = ".csv" if "to_csv" in call else ".parquet"
        needs = f" (it needs {package}: pip install {package})" if package else ""
        imports = {"sqlite": ", sqlite3", "avro": ", fastavro"}.get(kind, "")
        code = f"import pandas, sys{imports}; {call}"
        return f"{before}{needs}: {python_command(code, f'{said} {_new(path, new)}')}"
    if kind in ("sweep", "toml"):
        read = "yaml.safe_load(old.read_bytes())" if kind == "sweep" else "tomllib.loads(old.read_text('utf-8'))"
        code = (
            f"import json, pathlib, sys, {read.partition('.')[0]}; old, new = map(pathlib.Path, sys.argv[1:]); "
            f"new.write_text(json.dumps({read}, default=str))"
        )
        before = "A sweep file is for `ftsweep plan` and `ftsweep run`. " if kind == "sweep" else ""
        new = _new(path, ".json")
        return f"{before}A list of rows: {python_command(code, f'{old} {new}')}"
    new = _new(path, ".jsonl")
    if kind == "brat":
        return annotations_way(path.parent)
    if kind == "xml":
        before = "If its text is to be read, name it .txt; as rows, with the element that is a row in the place of ITEM"
        return f"{before}: {python_command(_ELEMENTS, f'{old} > {new}')}"
    if kind == "memory":
        return f"Its units as rows, with a column for each language: {python_command(_UNITS, f'{old} > {new}')}"
    if kind == "sgml":
        plain = "If its text is to be read, name it .txt"
        is_news = b"<REUTERS" in _first_bytes(path)
        return f"{plain}; {reuters_way(f'{old} > {new}')}" if is_news else plain
    if kind == "notebook":
        return f"Its cells as texts: {python_command(_CELLS, f'{old} > {new}')}"
    code = LETTERS.format(**(_MBOX if kind == "mail" else EML))
    return f"Its letters as rows: {python_command(code, f'{old} > {new}')}"


_PLAIN = {
    "sheet": "Save the sheet as 'CSV UTF-8', and name the .csv file",
    "document": "Save its text as .txt",
    "pdf": "Save its text as .txt: `pdftotext {old} {txt}`",
    "text": "If its text is to be read, name it .txt",
    "table": "Save the table as parquet or csv",
    "sql": "Load it into its database, and export the table as csv; a dump of SQLite: `sqlite3 {sqlite} < {old}`",
    "duckdb": "Write the table, here called TABLE, to a file: `duckdb {old} \"COPY TABLE TO 'NEW.parquet'\"`",
    "access": "Write the table, here called TABLE, to a file (mdbtools): `mdb-export {old} TABLE > {csv}`",
    "rds": "Write it from R: `Rscript -e 'a <- commandArgs(TRUE); write.csv(readRDS(a[1]), a[2], row.names = FALSE)' "
    "{old} {csv}`",
    "rdata": "Write the table, here called TABLE, from R: `Rscript -e 'a <- commandArgs(TRUE); load(a[1]); "
    "write.csv(TABLE, a[2], row.names = FALSE)' {old} {csv}`",
    "bson": "Write it as JSON lines: `bsondump {old} > {jsonl}`",
    "tar": "Unpack it (`tar xf {old}`), and name the file or the folder in it",
    "archive": "Unpack it, and name the file or the folder in it",
    "lz4": "Unpack it (`lz4 -d {old}`), and name the file in it",
    "z": "Unpack it (`gzip -d {old}`), and name the file in it",
    "brotli": "Unpack it (`brotli -d {old}`), and name the file in it",
    "lzma": "Unpack it (`xz -d {old}`), and name the file in it",
}
_EXCEL = "pandas.read_excel(sys.argv[1], dtype=str, keep_default_na=False).to_csv(sys.argv[2], index=False)"
_SHEET = "Save the sheet as 'CSV UTF-8', and name the .csv file; or write its first sheet by a command"
_TO_PARQUET = ".to_parquet(sys.argv[2])"
_WITH_PANDAS = {
    "excel": (_SHEET, _EXCEL, "openpyxl"),
    "old excel": (_SHEET, _EXCEL, "xlrd"),
    "open": (_SHEET, _EXCEL, "odfpy"),
    "page": (
        "If its text is to be read, name it .txt; its first table",
        "pandas.read_html(sys.argv[1], keep_default_na=False, encoding='utf-8')[0].to_csv(sys.argv[2], index=False)",
        "",
    ),
    "stata": ("Write it as parquet", f"pandas.read_stata(sys.argv[1]){_TO_PARQUET}", ""),
    "spss": ("Write it as csv", "pandas.read_spss(sys.argv[1]).to_csv(sys.argv[2], index=False)", "pyreadstat"),
    "sas": ("Write it as parquet", f"pandas.read_sas(sys.argv[1], encoding='utf-8'){_TO_PARQUET}", ""),
    "pickle": (
        "Save the table as parquet or csv; a pickle runs what its writer wants, so only one of your own by a command",
        f"pandas.DataFrame(pandas.read_pickle(sys.argv[1])){_TO_PARQUET}",
        "",
    ),
    "orc": ("Save the table as parquet", f"pandas.read_orc(sys.argv[1]){_TO_PARQUET}", ""),
    "avro": (
        "Save the table as parquet or csv",
        f"pandas.DataFrame(fastavro.reader(open(sys.argv[1], 'rb'))){_TO_PARQUET}",
        "fastavro",
    ),
    "sqlite": (
        "Export the table as csv; or by a command",
        "pandas.read_sql(sys.argv[2], sqlite3.connect(sys.argv[1])).to_parquet(sys.argv[3])",
        "",
    ),
}


def _table_in(path: Path) -> str:
    """The largest table of an SQLite file, by its rows, as SQL names it; TABLE where none can be found."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
            names = [name for (name,) in base.execute("select name from sqlite_master where type = 'table'")]
            sizes = {name: base.execute(f"select count(*) from {_in_sql(name)}").fetchone()[0] for name in names}  # noqa: S608
    except sqlite3.Error:
        return "TABLE"
    return _in_sql(max(sizes, key=lambda each: sizes[each])) if sizes else "TABLE"


def _in_sql(name: str) -> str:
    """A table's name as SQL takes it, whatever it holds, and where it is a word of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _new(path: Path, suffix: str) -> str:
    """The file to write, beside the old one: none that is there."""
    new = path.with_suffix(suffix)
    return path_argument(new.with_stem(f"{new.stem}-new") if new.exists() else new)


def _is_text(first: bytes) -> bool:
    return bool(first) and b"\0" not in first and not first.startswith((b"PK", b"\xd0\xcf"))


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1 << 16)
    except OSError:
        return b""
