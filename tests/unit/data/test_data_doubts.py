"""A look at rows guesses no task that would learn the wrong thing of them, and says what to do; remedies work."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ftsweep.control.new_sweep import write_new_sweep
from ftsweep.data.looking.look import Look, look_at
from ftsweep.errors import DataError
from ftsweep.tasks.encoding.pairs import pair_of

WORDS = ["red", "green", "blue", "warm", "cold", "quick"]
ROWS = 40


def text(number: int) -> str:
    return f"the {WORDS[number % 6]} and the {WORDS[number // 6 % 6]} thing, {number} of them"


def looked(folder: Path, rows: list[dict[str, Any]], **said: Any) -> Look:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return look_at([str(file)], **said)


def refused(folder: Path, rows: list[dict[str, Any]]) -> str:
    look = looked(folder, rows)
    assert look.guess is None
    with pytest.raises(DataError) as caught:
        write_new_sweep(look)
    assert not (folder / "rows.yaml").exists()
    return str(caught.value)


DOUBTS: dict[str, tuple[Any, str]] = {
    "messages": (
        lambda n: {"text": text(n), "role": ["prompter", "assistant"][n % 2], "parent_id": f"m{n}"},
        "each row is one message of a conversation .*'role'.*messages",
    ),
    "two answers": (
        lambda n: {"prompt": text(n), "response_a": text(n + 1), "response_b": text(n + 2), "winner": "ab"[n % 2]},
        "'response_a' and 'response_b' are two answers.*chosen and rejected",
    ),
    "choices in a list": (
        lambda n: {"question": text(n), "choices": [text(n + 1), text(n + 2), "none"], "answer": n % 2},
        "the choices of each question stand in 'choices'.*Write each question with its choices as one text",
    ),
    "choices in columns": (
        lambda n: {"premise": text(n), "choice1": text(n + 1), "choice2": text(n + 2), "label": n % 2},
        "the choices of each question stand in 'choice1', 'choice2'",
    ),
    "several answers with scores": (
        lambda n: {"instruction": text(n), "completions": [{"response": text(n + 1), "score": n}]},
        "'completions' is named like something to learn",
    ),
    "two languages in columns": (
        lambda n: {"en": text(n), "de": f"der {text(n)}", "id": n},
        "'en' and 'de' are texts of each row.*--task instruction --columns prompt=en,completion=de",
    ),
    "numbers to answer with": (
        lambda n: {"question": text(n), "answer": n},
        "'answer' is named .*answers of their own are learned by --task instruction --columns completion=answer",
    ),
    "entities within annotations": (
        lambda n: {
            "data": {"text": text(n)},
            "annotations": [
                {"result": [{"value": {"start": 4, "end": 7, "text": text(n)[4:7], "labels": ["COLOUR"]}, "id": n}]}
            ],
        },
        "--task token_classification --columns tokens=data.text,tags=annotations.0.result",
    ),
    "several numbers": (
        lambda n: {"text": text(n), "anger": n / 80, "joy": 1 - n / 80},
        "'anger', 'joy' hold numbers, and one of them alone.*--task regression --columns text=text,label=anger",
    ),
    "rated answers": (
        lambda n: {"prompt": text(n), "completion": text(n + 1), "label": n % 2 == 0},
        "'label' says of each answer whether it is a good one",
    ),
    "words": (
        lambda n: {"Sentence": f"Sentence: {n // 3}", "Word": WORDS[n % 6], "Tag": ["O", "B-X", "I-X"][n % 3]},
        "each row is a word with its tag.*'Tag'.*conll",
    ),
    "decimal commas": (
        lambda n: {"text": text(n), "score": f"{n % 7},{n % 10}"},
        "'score' is named like something to learn.*Write numbers with a point",
    ),
    "percent": (lambda n: {"text": text(n), "score": f"{n}.5%"}, "'score' is named .*Write numbers with a point"),
    "two languages": (
        lambda n: {"translation": {"en": text(n), "de": text(n + 9)}},
        "'translation' is named like something to learn.*columns prompt=translation.en,completion=translation.de",
    ),
    "one label": (
        lambda n: {"text": text(n), "label": "x"},
        "'label' is named .*x in every row.*Classes are two or more",
    ),
    "a label a row": (
        lambda n: {"text": text(n), "label": f"l{n}"},
        "'label' is named .*40 different values in 40 rows",
    ),
    "answers in lists": (
        lambda n: {"question": text(n), "answers": [text(n + 1), text(n + 2)]},
        "'answers' is named like something to learn",
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_rows_that_would_be_learned_wrong_get_no_guess(name: str, tmp_path: Path) -> None:
    row, message = DOUBTS[name]
    said = refused(tmp_path, [row(number) for number in range(ROWS)])
    assert re.search(message, said), said
    assert "--task" in said


def test_what_is_said_stands_against_a_doubt(tmp_path: Path) -> None:
    rows = [DOUBTS["percent"][0](number) for number in range(ROWS)]
    look = looked(tmp_path, rows, task="text", said={"text": "text"})
    assert look.guess is not None
    assert look.guess.task == "text"


@pytest.mark.parametrize(
    "tags",
    [
        lambda n: [[4, 7, "COLOUR"]] if n % 3 else [],
        lambda n: [{"start_offset": 4, "end_offset": 7, "label": "COLOUR"}] if n % 3 else [],
        lambda n: " ".join("B-COLOUR" if word in WORDS else "O" for word in text(n).split()),
        lambda n: ["B-COLOUR" if word in WORDS else "O" for word in text(n).split()],
    ],
)
def test_spans_of_a_text_and_tags_beside_it_are_entities(tags: Any, tmp_path: Path) -> None:
    look = looked(tmp_path, [{"id": n, "text": text(n), "label": tags(n), "Comments": []} for n in range(ROWS)])
    assert look.guess is not None
    assert (look.guess.task, dict(look.guess.columns)) == ("token_classification", {"tokens": "text", "tags": "label"})


def test_parts_of_objects_are_columns_to_choose_from(tmp_path: Path) -> None:
    rows = [{"data": {"text": text(n)}, "annotation": {"label": "ab"[n % 2]}} for n in range(ROWS)]
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert dict(look.guess.columns) == {"text": "data.text", "label": "annotation.label"}
    answers = [{"question": text(n), "answers": [text(n + 1)]} for n in range(ROWS)]
    look = looked(tmp_path, answers, said={"prompt": "question", "completion": "answers.0"})
    assert look.guess is not None
    assert look.guess.task == "instruction"


def test_flags_of_one_object_are_several_labels(tmp_path: Path) -> None:
    look = looked(tmp_path, [{"text": text(n), "labels": {"a": n % 2, "b": int(n % 3 == 0)}} for n in range(ROWS)])
    assert look.guess is not None
    assert look.guess.columns["labels"] == ["labels.a", "labels.b"]


def test_choices_that_all_rows_share_are_no_labels(tmp_path: Path) -> None:
    rows = [{"question": text(n), "choices": ["a", "b", "c"], "answer": n % 3} for n in range(ROWS)]
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert (look.guess.task, look.guess.columns["label"]) == ("classification", "answer")


@pytest.mark.parametrize(
    "beside",
    [
        lambda n: {"answer_1": n % 3, "answer_2": n % 2},
        lambda n: {"option_a": n % 2, "option_b": 1 - n % 2},
        lambda n: {"candidates": [f"person {n}", f"person {n + 1}"]},
    ],
)
def test_columns_named_like_choices_of_which_the_label_says_none_raise_no_doubt(beside: Any, tmp_path: Path) -> None:
    rows = [{"text": text(n), "label": ["pos", "neg"][n % 2], **beside(n)} for n in range(ROWS)]
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert (look.guess.task, look.guess.columns["label"]) == ("classification", "label")


def test_a_conversation_with_its_answer_is_no_question_of_two_answers(tmp_path: Path) -> None:
    def asked(n: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": text(n)}]

    rows = [{"messages": asked(n), "chosen": text(n + 1), "rejected": text(n + 2)} for n in range(ROWS)]
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert look.guess.columns["prompt"] == "messages"
    for row in rows:
        row["messages"].append({"role": "assistant", "content": row["chosen"]})
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert "prompt" not in look.guess.columns


@pytest.mark.parametrize("separator", [",", ", "])
def test_tags_with_commas_are_tags(separator: str, tmp_path: Path) -> None:
    tags = lambda n: separator.join("B-COLOUR" if word in WORDS else "O" for word in text(n).split())  # noqa: E731
    look = looked(tmp_path, [{"text": text(n), "tags": tags(n)} for n in range(ROWS)])
    assert look.guess is not None
    assert look.guess.task == "token_classification"


def test_a_text_and_its_summary_are_a_question_and_its_answer(tmp_path: Path) -> None:
    look = looked(tmp_path, [{"document": text(n) * 3, "summary": text(n)} for n in range(ROWS)])
    assert look.guess is not None
    assert dict(look.guess.columns) == {"prompt": "document", "completion": "summary"}


def test_held_out_files_without_answers_are_left_out_and_told(tmp_path: Path) -> None:
    lines = [f'"{text(n)}",{"ab"[n % 2]}\n' for n in range(ROWS)]
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(lines))
    (tmp_path / "test.csv").write_text("text\n" + "".join(f'"{text(n + 50)}"\n' for n in range(9)))
    look = look_at([str(tmp_path / "train.csv"), str(tmp_path / "test.csv")])
    assert look.num_rows == {"train": ROWS}
    (finding,) = look.findings
    assert "test.csv has no column 'label'" in finding.text
    assert "data:\n  train: train.csv" in write_new_sweep(look).file.read_text()


def test_held_out_files_of_words_and_tags_are_taken_by_the_names_of_their_columns(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.conll").write_text("London NNP B-LOC\nis VBZ O\nbig JJ O\n\n" * 20)
    look = look_at([str(tmp_path)], task="token_classification", said={"tokens": "1", "tags": "3"})
    assert look.num_rows == {"train": 20, "validation": 20}


def test_a_file_without_names_among_others_is_refused(tmp_path: Path) -> None:
    lines = [f'"{text(n)}",{"ab"[n % 2]}\n' for n in range(ROWS)]
    (tmp_path / "p1.csv").write_text("text,label\n" + "".join(lines))
    (tmp_path / "p2.csv").write_text("".join(lines))
    with pytest.raises(DataError, match=r"p2.csv:1: its first line looks like a row, and other files name"):
        look_at([str(tmp_path / "p*.csv")])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", "text,label\n'a, b','c'\n'd, e','f'\n", r"the first is r.csv:2: 3 cells, 2 columns.*in \"quotes\""),
        ("r.jsonl", '[{"role": "user"}]\n' * 3, r"the first is r.jsonl:1: not an object.*must be one JSON object"),
        ("r.csv", "text,label\n", "has no rows"),
        (
            "r.json",
            json.dumps({"a text": "good", "another": "bad"}),
            "holds one row, with 2 columns: 'a text', 'another'",
        ),
        ("r.txt", "one\ntwo\n" * 9, "is one paragraph of 18 lines.*sed G"),
    ],
)
def test_without_a_row_it_says_why(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        look_at([str(tmp_path / name)])


def test_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "r.csv").symlink_to("gone.csv")
    with pytest.raises(DataError, match=r"is a link to gone.csv, which is not there"):
        look_at([str(tmp_path / "r.csv")])


@pytest.mark.parametrize(
    ("row", "task", "columns"),
    [
        (
            lambda n: {"system_prompt": "Be brief.", "question": text(n), "response": text(n + 9)},
            "instruction",
            {"prompt": "question", "completion": "response", "system": "system_prompt"},
        ),
        (
            lambda n: {"text": text(n), "choices": [WORDS[n % 3], WORDS[n % 2 + 3]]},
            "multi_label",
            {"text": "text", "labels": "choices"},
        ),
        (
            lambda n: {"question": f"Is it {n}?", "sentence": text(n), "label": n % 2},
            "classification",
            {"text": "question", "text_pair": "sentence", "label": "label"},
        ),
        (
            lambda n: {"text": text(n), "score": n / 80, "confidence": n / 81},
            "regression",
            {"text": "text", "label": "score"},
        ),
        (
            lambda n: {
                "conversations": [{"from": "human", "value": text(n)}],
                "chosen": {"from": "gpt", "value": f"yes {n}"},
                "rejected": {"from": "gpt", "value": f"no {n}"},
            },
            "preference",
            {"prompt": "conversations", "chosen": "chosen", "rejected": "rejected"},
        ),
    ],
    ids=["a system prompt", "labels named choices", "QNLI", "a score and how sure it is", "LLaMA-Factory"],
)
def test_rows_like_those_that_are_doubted_are_guessed(row: Any, task: str, columns: Any, tmp_path: Path) -> None:
    look = looked(tmp_path, [row(n) for n in range(ROWS)])
    assert look.guess is not None
    assert (look.guess.task, dict(look.guess.columns)) == (task, columns)


def test_a_chosen_message_answers_the_conversation_before_it() -> None:
    said = {"prompt": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Hello"}}
    pair = pair_of({**said, "rejected": {"from": "gpt", "value": "Go"}})
    assert [message["content"] for message in pair.chosen.messages] == ["Hi", "Hello"]
    assert pair.rejected.messages[-1] == {"role": "assistant", "content": "Go"}
