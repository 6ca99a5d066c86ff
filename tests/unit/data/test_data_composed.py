"""Rows that put texts, questions or answers together in ways of their own: no guess, and what makes rows of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftsweep.data.looking.look import Look, look_at

_NUM = 40


def looked(folder: Path, row: Any) -> Look:
    (folder / "OLD.jsonl").write_text("".join(f"{json.dumps(row(n))}\n" for n in range(_NUM)))
    return look_at([str(folder / "OLD.jsonl")])


def remedy_of(look: Look) -> str:
    assert look.guess is None
    assert look.doubt is not None
    return look.doubt.remedy


def made(look: Look, folder: Path) -> Look:
    (command,) = re.findall(r"`(.*)`", remedy_of(look))
    command = command.replace("OLD.json ", f"{Path(look.named['train'][0]).name} ")
    subprocess.run(["bash", "-c", command.replace("python ", f"{sys.executable} ", 1)], cwd=folder, check=True)
    return look_at([str(folder / "NEW.jsonl")])


def test_texts_in_parts_become_texts_with_entities(tmp_path: Path) -> None:
    parts = [[{"text": "play "}, {"text": f"song {n}", "entity": "track"}, {"text": " now"}] for n in range(_NUM)]
    (tmp_path / "OLD.json").write_text(json.dumps({"PlayMusic": [{"data": each} for each in parts]}))
    look = made(look_at([str(tmp_path / "OLD.json")]), tmp_path)
    assert look.guess is not None
    assert look.guess.columns == {"tokens": "text", "tags": "entities"}
    assert look.num_rows == {"train": _NUM}
    assert "[[5, 11, 'track']]" in look.columns["entities"].counts
    assert dict(look.columns["intent"].counts) == {"PlayMusic": _NUM}


def test_questions_and_their_answers_in_two_lists_become_conversations(tmp_path: Path) -> None:
    rows = [
        {
            "story": f"On day {n} it rained for {n} hours and then the sun came out.",
            "questions": [{"input_text": "Which day?", "turn_id": 1}, {"input_text": "How long?", "turn_id": 2}],
            "answers": [{"input_text": f"{n}", "turn_id": 1}, {"input_text": f"{n} hours", "turn_id": 2}],
        }
        for n in range(_NUM)
    ]
    (tmp_path / "OLD.json").write_text(json.dumps({"version": "1", "data": rows}))
    for look in (look_at([str(tmp_path / "OLD.json")]), looked(tmp_path, lambda n: rows[n])):
        again = made(look, tmp_path)
        assert again.guess is not None
        assert again.guess.columns == {"messages": "messages"}
        assert (again.num_rows, again.columns["messages"].mean_words) == ({"train": _NUM}, 4)


def test_two_solutions_and_a_file_that_says_the_right_one_become_answers(tmp_path: Path) -> None:
    (tmp_path / "OLD-labels.lst").write_text("".join(f"{n % 2}\n" for n in range(_NUM)))
    row = {"goal": "how to boil {n} eggs well", "sol1": "in {n} pots of water", "sol2": "in {n} ovens on a rack"}
    look = looked(tmp_path, lambda n: {name: each.format(n=n) for name, each in row.items()})
    again = made(look, tmp_path)
    assert again.guess is not None
    assert again.guess.columns == {"prompt": "prompt", "completion": "completion"}
    assert list(again.columns["completion"].counts)[:2] == ["in 0 pots of water", "in 1 ovens on a rack"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            lambda n: {
                f"conversation_{end}": [
                    {"role": "user", "content": f"{n}?"},
                    {"role": "assistant", "content": f"{n}{end}"},
                ]
                for end in "ab"
            },
            "chosen and rejected",
        ),
        (
            lambda n: {
                "question": "What would you say?",
                "answer": f"wake me at {n}",
                "intent": ["alarm", "light"][n % 2],
            },
            "--columns text=answer,label=intent",
        ),
    ],
)
def test_two_conversations_and_prompts_that_say_nothing_are_no_guess(row: Any, said: str, tmp_path: Path) -> None:
    assert said in remedy_of(looked(tmp_path, row))


def test_a_few_prompts_with_a_text_each_are_a_guess(tmp_path: Path) -> None:
    row = {
        "instruction": "Sum it up.",
        "context": "Day {n} was long and warm.",
        "response": "long {n}",
        "category": "sum",
    }
    look = looked(
        tmp_path, lambda n: {name: each.format(n=n) for name, each in row.items()} | {"category": "ab"[n % 2]}
    )
    assert look.guess is not None
    assert look.guess.columns == {"prompt": "instruction", "input": "context", "completion": "response"}


def test_letters_of_choices_in_a_table_without_names_are_no_classes(tmp_path: Path) -> None:
    lines = (f"What is the sum of {n} and 1?,1,2,{n},{n + 1},{'ABCD'[n % 4]}\n" for n in range(_NUM))
    (tmp_path / "algebra.csv").write_text("".join(lines))
    assert "right choice as the answer" in remedy_of(look_at([str(tmp_path / "algebra.csv")]))


def test_rows_without_a_text_and_text_that_prompts_lack_are_told(tmp_path: Path) -> None:
    look = looked(tmp_path, lambda n: {["text", "content"][n % 2]: f"the {n}th day", "label": "ab"[n // 2 % 2]})
    assert "20 of 40 rows have nothing in 'text'" in " ".join(each.text for each in look.findings)
    facts = [["Days", ["A day has many hours in it.", "A night has as many hours as a day in spring."]]]
    look = looked(tmp_path, lambda n: {"question": f"How long is day {n}?", "answer": f"{n} hours", "context": facts})
    assert look.guess is not None
    assert look.guess.task == "instruction"
    assert "'context' holds more text than 'question'" in " ".join(each.text for each in look.findings)


def test_questions_of_which_some_have_no_answer_are_told_with_what_reads_the_others(tmp_path: Path) -> None:
    look = looked(
        tmp_path, lambda n: {"question": f"Which is day {n}?", "answers": {"text": [f"the {n}th"] * (n % 3 > 0)}}
    )
    assert "--columns prompt=question,completion=answers.text.0 learns it. 14 of 40 rows have none" in remedy_of(look)


def test_scores_of_answers_are_told_where_all_answers_are_learned(tmp_path: Path) -> None:
    look = looked(tmp_path, lambda n: {"prompt": f"say {n}", "response": f"well, {n}", "helpfulness": n % 5})
    assert "'helpfulness' may say how good each answer is" in " ".join(each.text for each in look.findings)


def test_where_a_text_is_from_is_no_class_of_it(tmp_path: Path) -> None:
    look = looked(tmp_path, lambda n: {"text": f"the {n}th day", "meta": {"set": ["books", "web"][n % 2]}})
    assert look.guess is not None
    assert look.guess.task == "text"
