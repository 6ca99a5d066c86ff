"""Looks at what programs export: no guess that `plan` would refuse or that learns something else, and what is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from ftsweep.control.new_sweep import write_new_sweep
from ftsweep.data.looking.look import Look, look_at
from ftsweep.data.sources.files import Files
from ftsweep.errors import DataError

WORDS = ["red", "green", "blue", "warm", "cold", "quick"]
ROWS = 40
CJK = "这是一个很好的产品我们都很喜欢它"


def text(number: int) -> str:
    return f"the {WORDS[number % 6]} and the {WORDS[number // 6 % 6]} thing, {number} of them"


def looked(folder: Path, row: Any, **said: Any) -> Look:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row(number)) + "\n" for number in range(ROWS)))
    return look_at([str(file)], **said)


def says(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


DOUBTS: dict[str, tuple[Any, str]] = {
    "questions alone": (
        lambda n: {"messages": [says("user", text(n))], "reference_answer": text(n + 1)},
        "no conversation in 'messages' has an answer.*such as that in 'reference_answer'.*ftsweep predict",
    ),
    "answers alone": (
        lambda n: {"prompt": {"text": text(n), "replies": [says("assistant", text(n + 1))]}},
        "no conversation in 'prompt.replies' has an answer",
    ),
    "several people's classes": (
        lambda n: {"text": text(n), "annotator_1": "ab"[n % 2], "annotator_2": "ab"[n % 3 == 0]},
        "'annotator_1', 'annotator_2' hold the same classes.*--columns text=text,label=annotator_1",
    ),
    "answers beside a type": (
        lambda n: {"query": text(n), "query_type": "ab"[n % 2], "answers": [text(n + 1)]},
        "'answers' is named like answers.*prompt=query,completion=answers.0.*text=query,label=query_type",
    ),
    "labels in objects": (
        lambda n: {"body": text(n), "state": "ab"[n % 2], "labels": [{"name": ["bug", "wish"][n % 3 == 0], "id": n}]},
        "'labels' holds objects and is named like labels.*label=labels.0.name.*label=state",
    ),
    "turns with a sender": (
        lambda n: {
            "name": f"chat {n}",
            "chat_messages": [{"sender": "human", "text": text(n)}, {"sender": "assistant", "text": text(n + 1)}],
        },
        "'chat_messages' holds conversations, as objects with 'sender' and 'text'.*role",
    ),
    "turns of input and output": (
        lambda n: {"source": "x", "conversation": [{"input": text(n), "output": text(n + 1)}]},
        "'conversation' holds conversations, as objects with 'input' and 'output'",
    ),
    "objects with the text": (
        lambda n: {
            "title": f"about {text(n)[:9]} {n}",
            "mapping": {"a": {"parts": [f"{text(n)} {text(n + 1)} {text(n + 2)}"]}},
        },
        "'mapping' holds objects with more text than 'title'.*--task text --columns text=title",
    ),
    "a text that is a list in some rows": (
        lambda n: {"text": text(n) if n % 3 else [text(n), {"link": "x"}], "note": text(n)[:20], "from": "ab"[n % 2]},
        "'text' is text in some rows and something else in others",
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_exports_that_would_be_learned_wrong_get_no_guess(name: str, tmp_path: Path) -> None:
    row, message = DOUBTS[name]
    look = looked(tmp_path, row)
    assert look.guess is None
    with pytest.raises(DataError, match=message):
        write_new_sweep(look)


@pytest.mark.parametrize(
    ("row", "task", "columns"),
    [
        (lambda n: {"文字": f"{CJK[n % 9:]}{n}", "状态": "好坏"[n % 2]}, "classification",
         {"text": "文字", "label": "状态"}),
        (lambda n: {"texto": text(n), "genero": "MF"[n % 2], "etiqueta": "abc"[n % 3]}, "classification",
         {"text": "texto", "label": "etiqueta"}),
        (lambda n: {"notes": text(n), "gender": "MF"[n % 2], "outcome": "abc"[n % 3]}, "classification",
         {"text": "notes", "label": "outcome"}),
        (lambda n: {"notes": text(n), "gender": "MF"[n % 2]}, "classification", {"text": "notes", "label": "gender"}),
        (lambda n: {"text": text(n), "is_valid": n % 5 == 0, "mood": "abc"[n % 3]}, "classification",
         {"text": "text", "label": "mood"}),
        (lambda n: {"text": text(n), "sparse": "ab"[n % 2] if n < 4 else None, "mood": "abc"[n % 3]}, "classification",
         {"text": "text", "label": "mood"}),
        (lambda n: {"inputs": text(n), "targets": text(n + 1)}, "instruction",
         {"prompt": "inputs", "completion": "targets"}),
        (lambda n: {"type": "message", "from": "ab"[n % 2], "said": text(n)}, "classification",
         {"text": "said", "label": "from"}),
        (lambda n: {"contents": [{"role": "user", "parts": [{"text": text(n)}]},
                                 {"role": "model", "parts": [{"text": text(n + 1)}]}],
                    "systemInstruction": {"parts": [{"text": "Short."}]}}, "instruction",
         {"messages": "contents", "system": "systemInstruction"}),
    ],
)  # fmt: skip
def test_exports_are_guessed(row: Any, task: str, columns: dict[str, str], tmp_path: Path) -> None:
    look = looked(tmp_path, row)
    assert look.guess is not None
    assert (look.guess.task, dict(look.guess.columns)) == (task, columns)


def test_an_embedding_is_no_list_of_labels(tmp_path: Path) -> None:
    look = looked(tmp_path, lambda n: {"text": text(n), "embedding": [0.25 * (n % 3), 0.5], "label": "ab"[n % 2]})
    assert look.guess is not None
    assert (look.guess.task, look.guess.columns["label"]) == ("classification", "label")


def test_places_of_answers_are_no_labels(tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        answers = {"text": [text(n)], "answer_start": [n % 2]}
        return {"question": text(n), "context": text(n + 1), "answers": answers}

    look = looked(tmp_path, row)
    assert look.guess is None or "answers.answer_start" not in map(str, look.guess.columns.values())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (lambda n: {"text": text(n), "status": "ab"[n % 2], "outcome": "abc"[n % 3]},
         "'status' is taken for the label.*'outcome' .3 different values.*--columns text=text,label=outcome"),
        (lambda n: {"text": text(n), "category": "ab"[n // 10 % 2] if n % 5 == 0 else ""},
         "'category' has nothing in 32 of 40 rows.*merged cells"),
        (lambda n: {"text": text(n), "label": ["ab"[n % 2]]},
         "every list in 'label' holds exactly one label.*text=text,label=label.0"),
        (lambda n: {"text": text(n), "neg": int(n % 3 == 0), "neu": int(n % 3 == 1), "pos": int(n % 3 == 2)},
         "every row has a 1 in exactly one of 'neg', 'neu', 'pos'"),
        (lambda n: {"text": text(n), "label": None}, "'label' has nothing in any row"),
    ],
)  # fmt: skip
def test_what_a_guess_leaves_open_is_told(row: Any, message: str, tmp_path: Path) -> None:
    look = looked(tmp_path, row)
    (told,) = [finding.text for finding in look.findings if finding.check == "labels"]
    assert re.search(message, told)


def test_a_named_label_and_columns_about_rows_leave_nothing_open(tmp_path: Path) -> None:
    row = lambda n: {"text": text(n), "label": "ab"[n % 2], "status": "abc"[n % 3]}  # noqa: E731
    assert looked(tmp_path, row).findings == []
    row = lambda n: {"text": text(n), "mood": "abc"[n % 3], "gender": "MF"[n % 2]}  # noqa: E731
    assert looked(tmp_path, row).findings == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            lambda n: {"text": text(n), "is_valid": "01"[n % 2]},
            "'is_valid' .* is named like a part",
        ),
        (
            lambda n: {"text": text(n), "mood": "ab"[n % 2] if n % 3 == 0 else None},
            "'mood' .* nothing in 26 of 40 rows",
        ),
    ],
)
def test_classes_that_are_not_taken_are_told_with_what_takes_them(row: Any, message: str, tmp_path: Path) -> None:
    look = looked(tmp_path, row)
    assert look.guess is not None
    assert look.guess.task == "text"
    (finding,) = look.findings
    assert re.search(message, finding.message)
    assert finding.remedy.startswith("If it is one: --task classification --columns text=text,label=")


def test_options_to_paste_are_one_word_to_a_shell_whatever_a_column_is_called(tmp_path: Path) -> None:
    row = lambda n: {"text": text(n), "$(a) coder 1": "ab"[n % 2], "$(a) coder 2": "ab"[n % 3 == 0]}  # noqa: E731
    look = looked(tmp_path, row)
    assert look.doubt is not None
    assert "--columns 'text=text,label=$(a) coder 1'" in look.doubt.remedy


def test_answers_within_objects_are_named_by_their_path(tmp_path: Path) -> None:
    row = lambda n: {"query": text(n), "kind": "ab"[n % 2], "answers": {"text": [text(n + 1)], "at": [n]}}  # noqa: E731
    look = looked(tmp_path, row)
    assert look.doubt is not None
    assert "--columns prompt=query,completion=answers.text.0." in look.doubt.remedy


def test_line_ends_part_labels_where_labels_come_again_and_no_other_sign_parts_more(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"

    def labels(column: str, *cells: str) -> set[Any]:
        rows = [f'{text(n).replace(",", "")},"{cells[n % len(cells)]}"\n' for n in range(ROWS)]
        file.write_text(f"text,{column}\n" + "".join(rows))
        guess = look_at([str(file)]).guess
        assert guess is not None
        name = "labels" if guess.task == "multi_label" else "label"
        rows_read = Files(train=str(file), columns=guess.columns).load(("text", name))["train"]
        return {tuple(each) if isinstance(each := row.values[name], list) else each for row in rows_read}

    assert labels("labels", "a\nb", "b", "a") == {("a", "b"), ("b",), ("a",)}
    assert labels("labels", "a, b", "b", "a, c", "b", "a,\nb", "c, a") == {("a", "b"), ("b",), ("a", "c"), ("c", "a")}
    assert labels("label", "very\ngood", "bad") == {"very\ngood", "bad"}


def test_a_column_of_several_with_one_name_is_asked_for_by_number(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    lines = [f"{text(n)},{'ab'[n % 2]},c,note {n}" for n in range(ROWS)]
    file.write_text("\n".join(["Summary,Labels,Labels,Comment", *(line.replace(", ", " ") for line in lines)]))
    look = look_at([str(file)])
    assert look.guess is None
    assert look.doubt is not None
    assert "'Labels' stands above the columns 2, 3" in look.doubt.what
    assert "--task classification --columns text=Comment,label=2" in look.doubt.remedy
    look = look_at([str(file)], task="classification", said={"text": "Summary", "label": "2"})
    assert look.guess is not None


def test_a_file_that_plan_refuses_is_refused_by_a_look(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        "text,label\n" + "".join(f"the thing {n},{'ab'[n % 2]}{',x' * (n % 4 == 0)}\n" for n in range(ROWS))
    )
    with pytest.raises(DataError, match=r"10 lines cannot be read: rows.csv:2: 3 cells, 2 columns"):
        look_at([str(file)])


def test_files_of_lines_that_belong_together_are_told_with_the_command_that_joins_them(tmp_path: Path) -> None:
    (tmp_path / "train_text.txt").write_text("".join(f"{text(n)}\n" for n in range(ROWS)))
    (tmp_path / "train_labels.txt").write_text("".join(f"{n % 2}\n" for n in range(ROWS)))
    names = [str(tmp_path / name) for name in ("train_text.txt", "train_labels.txt")]
    look = look_at(names)
    assert look.guess is None
    assert look.doubt is not None
    assert f"{names[0]} {names[1]} > NEW.csv`" in look.doubt.remedy


def test_a_list_within_the_only_row_is_offered_as_the_rows(tmp_path: Path) -> None:
    file = tmp_path / "task.json"
    rows = [{"input": text(n), "output": [text(n + 1)]} for n in range(ROWS)]
    file.write_text(json.dumps({"Examples": [{"in": "a"}], "About": ["x"], "Instances": rows}))
    with pytest.raises(DataError, match=r"the 40 objects in 'Instances' are the rows: `python .*NEW.json Instances`"):
        look_at([str(file)])
    file.write_text(json.dumps({"Examples": [{"in": "a"}], "n": ["x"], "$(x) it's": rows}))
    with pytest.raises(DataError) as caught:
        look_at([str(file)])
    assert quote("$(x) it's") in str(caught.value)
