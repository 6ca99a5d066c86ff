"""What is said about errors of lm-eval's tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.serving.harness_errors import remedy_for, unreadable_files


class DatasetNotFoundError(FileNotFoundError):
    """As that of datasets."""


class OutOfMemoryError(RuntimeError):
    """As that of torch."""


class UndefinedError(Exception):
    """As that of jinja2."""


ConnectError = type("ConnectError", (Exception,), {"__module__": "httpx"})


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NETWORK, OWN = "needs the network", Path("my_tasks")


@pytest.mark.parametrize(
    ("error", "include", "words"),
    [
        (ConnectionError("Couldn't reach 'org/set' on the Hub"), None, NETWORK),
        (caused(RuntimeError("no rows"), ConnectError("no route")), None, NETWORK),
        (TimeoutError(), OWN, NETWORK),
        (DatasetNotFoundError("no set"), None, "name of the data set in the task's file; one that asks for consent"),
        (
            FileNotFoundError("Unable to find rows.jsonl"),
            OWN,
            "the files of rows that the task's file in my_tasks names",
        ),
        (ModuleNotFoundError("No module named 'sacrebleu'", name="sacrebleu"), None, "needs the module sacrebleu"),
        (OutOfMemoryError("out of memory"), None, "(--batch-size, now 8)"),
        (KeyError("tset"), OWN, "names of splits, columns, metrics and functions in the task's file in my_tasks"),
        (caused(ImportError("module utils"), ModuleNotFoundError(name="utils")), OWN, "columns, metrics and functions"),
        (UndefinedError("'qestion' is undefined"), OWN, "names of splits, columns"),
        (ValueError("Got invalid output_type"), OWN, "Check the task's file in my_tasks"),
        (ValueError("something else"), None, "ftsweep --debug evaluate"),
    ],
)
def test_the_remedy_fits_the_cause(error: Exception, include: Path | None, words: str) -> None:
    said = remedy_for(error, include, batch_size=8)
    assert words in said
    assert (NETWORK in said) == (words == NETWORK)


def test_files_that_are_no_yaml_are_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("task: one\nprocess_docs: !function parts.rows\n")
    assert unreadable_files(tmp_path) == ""
    (tmp_path / "bad.yaml").write_text("task: two\nmetric_list: [\n")
    assert unreadable_files(tmp_path).startswith(f"lm-eval cannot read {tmp_path / 'bad.yaml'}:")
