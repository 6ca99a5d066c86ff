from __future__ import annotations

import gc
import re
import subprocess
import sys
from collections import Counter

import pytest

from ftsweep.data.sources import pydocs
from ftsweep.data.sources.docstrings import documented, prose
from ftsweep.data.sources.pydocs import PyDocs
from ftsweep.errors import ConfigError, DataError

COLUMNS = ("text", "label", "prompt", "completion")


@pytest.fixture(scope="module")
def rows():
    return PyDocs().load((*COLUMNS, "module"))["train"]


def test_every_library_gives_hundreds_of_rows(rows):
    counts = Counter(row.values["label"] for row in rows)
    assert set(counts) == set(pydocs.LIBRARIES)
    assert min(counts.values()) > 300
    assert max(counts.values()) <= pydocs.PER_LIBRARY


def test_no_label_stands_in_its_text(rows):
    names = re.compile("numpy|pandas|scikit|sklearn|sympy|networkx|torch|transformers|python", re.IGNORECASE)
    assert [row.place for row in rows if names.search(row.values["text"])] == []


def test_texts_are_prose_of_moderate_length_and_all_different(rows):
    texts = [row.values["text"] for row in rows]
    assert all(pydocs.MIN_CHARACTERS <= len(text) <= pydocs.MAX_CHARACTERS for text in texts)
    assert len(set(texts)) == len(texts)
    assert sum(">>>" in text or "----" in text for text in texts) < 0.01 * len(texts)
    assert len({row.place for row in rows}) == len(rows)


def test_prompts_name_the_call_and_completions_answer(rows):
    assert all(row.values["prompt"].startswith("What does the ") for row in rows)
    assert all(len(row.values["completion"]) >= pydocs.MIN_COMPLETION for row in rows)


def test_pairs_hold_a_call_against_one_of_another_library(monkeypatch, rows):
    monkeypatch.setattr(pydocs, "_all_rows", lambda: rows)
    pairs = [row.values for row in PyDocs().load(("prompt", "chosen", "rejected"))["train"]]
    assert len(pairs) > 1500
    libraries = {}
    for row in rows:
        libraries.setdefault(row.values["completion"], set()).add(row.values["label"])
    for pair in pairs:
        assert len(libraries[pair["chosen"]] | libraries[pair["rejected"]]) > 1
        assert max(len(pair["chosen"]), len(pair["rejected"])) <= pydocs.MAX_IN_PAIR
    named = {row.values["prompt"].partition(f" ({row.values['module']})")[0] + " do?" for row in rows}
    assert {pair["prompt"] for pair in pairs} <= named


def test_libraries_are_read_and_not_imported():
    code = (
        "import sys; from ftsweep.data.sources import pydocs\n"
        "pydocs.LIBRARIES, pydocs.PER_LIBRARY = {'networkx': 'networkx'}, 30\n"
        "print(len(pydocs.PyDocs().load(('text',))['train']), 'networkx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["30", "False"]


def test_garbage_collection_goes_on_afterwards(rows):
    assert gc.isenabled()


def test_limit_draws_from_every_library(monkeypatch, rows):
    monkeypatch.setattr(pydocs, "_all_rows", lambda: rows)
    drawn = PyDocs(limit=400).load(("label",))["train"]
    assert len(drawn) == 400
    assert len({row.values["label"] for row in drawn}) == len(pydocs.LIBRARIES)
    assert all(set(row.values) == {"label"} for row in drawn)


def test_fingerprint_follows_an_installed_version(monkeypatch):
    before = PyDocs().fingerprint()
    assert PyDocs().fingerprint() == before
    monkeypatch.setattr(pydocs, "version", lambda label: "0.0.1")
    assert PyDocs().fingerprint() != before


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(pydocs, "LIBRARIES", {"no-such-library": "no_such_library"})
    for act in (PyDocs().fingerprint, lambda: PyDocs().load(COLUMNS)):
        with pytest.raises(DataError, match=r"no-such-library is not installed.*pip install no-such-library"):
            act()


def test_an_unknown_group_is_refused():
    with pytest.raises(ConfigError, match=r"data.group: there is no column 'modul'. Did you mean 'module'"):
        PyDocs(group="modul")


def test_prose_ends_where_sections_begin_and_has_no_markup():
    docstring = """Join :class:`~os.PathLike` parts, see `the guide <https://a.example>`_.

        Uses ``os.sep``
        between *all* parts.

        Parameters
        ----------
        path : str
        """
    assert prose(docstring) == ("Join os.PathLike parts, see the guide.", "Uses os.sep between all parts.")


@pytest.mark.parametrize(
    "section", ["Args:\n    x: y", ".. note:: x", ">>> 1 + 1", ":param x: y", "Returns: x", "```py"]
)
def test_sections_of_every_style_are_left_out(section):
    assert prose(f"What it does.\n\n{section}\n\nAnd more.") == ("What it does.",)


def test_only_public_classes_and_functions_are_read(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "x.py").write_text('def seen():\n    """Not this."""\n')
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "sub" / "__init__.py").write_text(
        'class Shown(Base):\n    """A class."""\n    def call(self, a, *b, c=1, **d):\n        """A method."""\n'
        '    def _hidden(self):\n        """No."""\ndef bare(): ...\n'
    )
    found = list(documented(tmp_path, "package", per_file=9))
    assert [(item.name, item.signature, item.place) for item in found] == [
        ("package.sub.Shown", "class Shown(Base)", "package/sub/__init__.py:1"),
        ("package.sub.Shown.call", "Shown.call(a, *b, c, **d)", "package/sub/__init__.py:3"),
    ]
