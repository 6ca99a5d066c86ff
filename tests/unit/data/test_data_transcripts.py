"""A column of whole conversations in one text: read as messages and said, or learned as text and said."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftsweep.cli.answering import answer_rows
from ftsweep.control.new_sweep import write_new_sweep
from ftsweep.data.base import Row
from ftsweep.data.encoding import EncodingReport
from ftsweep.data.inspection import DataView
from ftsweep.data.looking.look import Look, look_at
from ftsweep.data.sources.files import Files
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.domain.finding import Severity
from ftsweep.errors import DataError
from ftsweep.guards.chat_turns import ChatTurns
from ftsweep.serving.model import Predictor
from ftsweep.tasks.base import RowError
from ftsweep.tasks.encoding.pairs import pair_of
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.preference import Preference
from ftsweep.tasks.text import Text

WORDS = ["red", "green", "blue", "warm", "cold", "quick"]
MESSAGES = {"messages": "text"}


def asked(number: int) -> str:
    return f"Where is the {WORDS[number % 6]} thing {number}?"


def answered(number: int) -> str:
    return f"Behind {WORDS[number // 6 % 6]} door {3 * number}."


def chat(number: int) -> str:
    return f"### Human: {asked(number)}### Assistant: {answered(number)}"


def written(folder: Path, rows: list[dict[str, Any]]) -> str:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def looked(folder: Path, rows: list[dict[str, Any]], **said: Any) -> Look:
    return look_at([written(folder, rows)], **said)


def told(look: Look) -> tuple[Severity, str]:
    (finding,) = [each for each in look.findings if each.check == "conversations"]
    return finding.severity, finding.text


def test_a_look_reads_them_as_messages_and_says_how_to_have_them_as_text(tmp_path: Path) -> None:
    look = looked(tmp_path, [{"text": chat(n)} for n in range(60)])
    assert look.guess is not None
    assert (look.guess.task, look.guess.columns) == ("instruction", MESSAGES)
    severity, text = told(look)
    assert severity is Severity.NOTE
    assert "60 of 60 texts in 'text' are whole conversations in the form of Guanaco's (### Human:, ### Assist" in text
    assert "--task text --columns text=text" in text
    assert "columns: {messages: text}" in write_new_sweep(look).file.read_text()
    again = looked(tmp_path, [{"text": chat(n)} for n in range(60)], task="text", said={"text": "text"})
    assert again.guess is not None
    assert again.guess.task == "text"
    severity, text = told(again)
    assert severity is Severity.WARN
    assert text.endswith("To learn the answers alone: --task instruction --columns messages=text.")
    last = looked(tmp_path, [{"text": chat(n)} for n in range(60)], task="instruction", said=MESSAGES)
    assert last.guess is not None
    assert (last.guess.task, last.guess.columns) == ("instruction", MESSAGES)


def test_few_of_them_change_nothing_and_many_are_told(tmp_path: Path) -> None:
    rows = [{"text": chat(n) if n < 5 else asked(n)} for n in range(60)]
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert look.guess.task == "text"
    assert look.findings == []
    look = looked(tmp_path, [{"text": chat(n) if n < 40 else asked(n)} for n in range(60)])
    assert look.guess is not None
    assert look.guess.task == "text"
    assert told(look)[0] is Severity.WARN
    assert "40 of 60 texts in 'text'" in told(look)[1]
    look = looked(tmp_path, [{"text": chat(n) if n else asked(n)} for n in range(60)])
    assert look.guess is not None
    assert look.guess.task == "instruction"
    assert "(`ftsweep plan` names the others)" in told(look)[1]


def test_columns_of_questions_and_answers_count_before_their_rendering(tmp_path: Path) -> None:
    rows = [{"instruction": asked(n), "input": "", "output": answered(n), "text": chat(n)} for n in range(60)]
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert look.guess.why == "the columns are Alpaca's"
    rows = [{"text": chat(n), "label": ["good", "bad"][n % 2]} for n in range(60)]
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert look.guess.task == "classification"
    rows = [{"text": chat(n), "source": ["web", "book"][n % 2]} for n in range(60)]
    look = looked(tmp_path, rows)
    assert look.guess is not None
    assert (look.guess.task, look.guess.columns) == ("instruction", MESSAGES)


@pytest.mark.parametrize(
    ("beside", "task"),
    [
        ({"resolved": ["yes", "no"]}, "classification"),
        ({"kind": ["billing", "delivery", "login"]}, "classification"),
        ({"stars": [1, 2, 3, 4, 5]}, "classification"),
        ({"labels": [["a"], ["a", "b"], ["b"]]}, "multi_label"),
        ({"rude": [0, 1], "sad": [1, 0, 0], "late": [0, 0, 1]}, "multi_label"),
        ({"satisfaction": [n / 16 for n in range(59)]}, "regression"),
        ({"lang": ["de", "en"], "source": ["a", "b", "c"], "num_turns": [2, 4]}, "instruction"),
        ({"title": [f"{word} {place} thing" for place, word in enumerate(WORDS * 9)]}, "instruction"),
    ],
)
def test_labels_beside_them_are_learned_and_where_they_are_from_is_none(
    tmp_path: Path, beside: dict[str, list[Any]], task: str
) -> None:
    look = looked(
        tmp_path,
        [{"text": chat(n), **{name: found[n % len(found)] for name, found in beside.items()}} for n in range(60)],
    )
    assert look.guess is not None
    assert look.guess.task == task


def test_every_row_is_read_to_its_messages_or_named(tmp_path: Path) -> None:
    rows = [{"text": chat(n)} for n in range(20)]
    rows[7] = {"text": "### Human: a### Human: b### Assistant: c"}
    rows[8] = {"text": "just a text"}
    task = Instruction()
    read = Files(train=written(tmp_path, rows), columns=MESSAGES).load(task.columns)["train"]
    for place, row in enumerate(read):
        if place not in (7, 8):
            assert (task.input_text(row.values), task.target_text(row.values)) == (asked(place), answered(place))
    assert task.read_as(read[0].values) == (
        "messages out of one text, in the form of Guanaco's (### Human:, ### Assistant:)"
    )
    with pytest.raises(RowError, match="'messages' is a conversation in one text that cannot be read: message 2 is"):
        task.target_text(read[7].values)
    with pytest.raises(RowError, match="nor a text with marks before its messages"):
        task.target_text(read[8].values)
    with pytest.raises(DataError, match=r"'data.columns=\{messages: text\}'"):
        task.check_columns(["text"])


def test_texts_to_learn_that_are_conversations_are_a_warning(tmp_path: Path) -> None:
    def seen(column: str, **keys: Any) -> list[Any]:
        source, task = Files(train=written(tmp_path, [{column: chat(n)} for n in range(60)]), **keys), Text()
        split = split_rows(source.load(task.columns), source, task, seed=0)
        parts = (split.rows, split.ids, split.texts, split.source, split.left_out)
        view = DataView(task, source, *parts, EncodingReport())
        return [ChatTurns().judge("chat_turns", each) for each in ChatTurns().look(view)]

    (finding,) = seen("body", columns={"text": "body"})
    assert finding.severity is Severity.WARN
    assert "are whole conversations in the form of Guanaco's" in finding.text
    assert finding.override == "task=instruction 'data.columns={messages: body}'"


PROMPTS = {
    "Alpaca": "### Instruction:\n{0}\n\n### Response:\n",
    "ChatML": "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n",
    "HH-RLHF": "\n\nHuman: {0}\n\nAssistant:",
    "Llama 2": "<s>[INST] {0} [/INST]",
}


@pytest.mark.parametrize("form", PROMPTS.values(), ids=PROMPTS)
def test_prompts_with_marks_are_a_warning_whose_remedy_works(form: str) -> None:
    rows = [{"prompt": form.format(asked(n)), "completion": answered(n)} for n in range(60)]
    (finding,) = told_of(rows)
    assert (finding.severity, finding.count) == (Severity.WARN, 60)
    assert "have a prompt with marks of a conversation (" in finding.message
    assert "'data.columns={messages: COLUMN}' reads" in finding.remedy
    joined = [{"messages": row["prompt"] + row["completion"]} for row in rows]
    assert told_of(joined) == []
    assert [Instruction().target_text(row) for row in joined] == [answered(n) for n in range(60)]


def test_answers_that_repeat_their_prompts_are_a_warning() -> None:
    plain = [{"prompt": asked(n), "completion": answered(n)} for n in range(60)]
    assert told_of(plain) == []
    (finding,) = told_of([{**row, "completion": f"{row['prompt']} {row['completion']}"} for row in plain])
    assert (finding.severity, finding.count) == (Severity.WARN, 60)
    assert "begins with all of its prompt" in finding.message


def test_a_prompt_that_whole_conversations_repeat_is_passed_over() -> None:
    rows = [
        {
            "prompt": PROMPTS["HH-RLHF"].format(asked(n)),
            **{side: f"{PROMPTS['HH-RLHF'].format(asked(n))} {side} {n}" for side in ("chosen", "rejected")},
        }
        for n in range(60)
    ]
    assert [list(each.messages) for each in pair_of(rows[3])] == [
        [{"role": "user", "content": asked(3)}, {"role": "assistant", "content": f"{side} 3"}]
        for side in ("chosen", "rejected")
    ]
    assert told_of(rows, Preference()) == []
    marked = [{**row, "chosen": f"yes {n}", "rejected": f"no {n}"} for n, row in enumerate(rows)]
    (finding,) = told_of(marked, Preference())
    assert finding.remedy.endswith("as one text, to chosen and rejected")


def told_of(rows: list[dict[str, Any]], task: Any = None) -> list[Any]:
    view: Any = SimpleNamespace(
        rows={"train": [Row(row, f"r:{place}") for place, row in enumerate(rows)]},
        left_out={},
        encoding=EncodingReport(),
        task=task or Instruction(),
    )
    return [ChatTurns().judge("chat_turns", each) for each in ChatTurns().look(view)]


class Echo:
    """Answers with what was asked."""

    def predict(self, model, task, tokenizer, schema, rows, batch_size):  # type: ignore[no-untyped-def]
        return [{"completion": "; ".join(turn["content"] for turn in row["messages"])} for row in rows]


def test_predict_asks_them_without_their_last_answer(tmp_path: Path, capsys: Any) -> None:
    model: Any = Predictor(None, None, Instruction(), Echo(), {}, {"columns": MESSAGES})  # type: ignore[arg-type]
    assert answer_rows(model, written(tmp_path, [{"text": chat(1) + "### Human: Why?### Assistant: So."}]), None,
                       keeps_columns=False) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out) == {"completion": f"{asked(1)}; {answered(1)}; Why?"}


@pytest.mark.parametrize("text", ["### Human: Why?", "User: Why?", "USER: Why?", "### Instruction:\nWhy?\n"])
def test_predict_asks_a_question_without_the_mark_of_an_answer(tmp_path: Path, text: str, capsys: Any) -> None:
    model: Any = Predictor(None, None, Instruction(), Echo(), {}, {"columns": MESSAGES})  # type: ignore[arg-type]
    assert answer_rows(model, written(tmp_path, [{"text": text}]), None, keeps_columns=False) == 0
    assert json.loads(capsys.readouterr().out) == {"completion": "Why?"}


def test_a_line_of_text_with_marks_is_a_conversation_or_told(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "rows.txt"
    file.write_text(f"{chat(1)}\nWhy?\n")
    for columns, asks in ((MESSAGES, [asked(1), "Why?"]), ({}, [chat(1), "Why?"])):
        model: Any = Predictor(None, None, Instruction(), EchoAll(), {}, {"columns": columns})  # type: ignore[arg-type]
        assert answer_rows(model, str(file), None, keeps_columns=False) == 0
        out, err = capsys.readouterr()
        assert [json.loads(line)["completion"] for line in out.splitlines()] == asks
        assert ("1 line begins with marks of a conversation and was asked as one question" in err) == (not columns)


class EchoAll(Echo):
    """The same of prompts, too."""

    def predict(self, model, task, tokenizer, schema, rows, batch_size):  # type: ignore[no-untyped-def]
        turns = [row.get("messages") or [{"content": row["prompt"]}] for row in rows]
        return super().predict(model, task, tokenizer, schema, [{"messages": each} for each in turns], batch_size)


@pytest.mark.parametrize("line", ["Sort these: {0} | {0}", "Say it again; it is {0}"])
def test_questions_with_a_sign_of_tables_each_are_lines(tmp_path: Path, line: str, capsys: Any) -> None:
    class Repeat:
        def predict(self, model, task, tokenizer, schema, rows, batch_size):  # type: ignore[no-untyped-def]
            return [{"completion": row["prompt"]} for row in rows]

    model: Any = Predictor(None, None, Instruction(), Repeat(), {}, {"columns": {}})  # type: ignore[arg-type]
    lines = [line.format(word) for word in WORDS]
    (tmp_path / "rows.txt").write_text("\n".join(lines))
    assert answer_rows(model, str(tmp_path / "rows.txt"), None, keeps_columns=False) == 0
    assert [json.loads(each)["completion"] for each in capsys.readouterr().out.splitlines()] == lines


def test_pairs_of_any_form_are_read() -> None:
    start = "<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\n"
    pair = pair_of({"chosen": f"{start}Here.<|im_end|>", "rejected": f"{start}No.<|im_end|>"})
    assert [each.messages[-1]["content"] for each in pair] == ["Here.", "No."]
    with pytest.raises(RowError, match="chosen is a conversation in one text that cannot be read"):
        pair_of({"chosen": "### Human: a### Human: b### Assistant: c", "rejected": "d"})
