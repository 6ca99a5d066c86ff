"""Shapes that chat data come in: read right, with exactly the answers learned, or refused with what is wrong."""

from __future__ import annotations

import json
import re

import pytest

from ftsweep.data.base import Row
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import IGNORED, RowError
from ftsweep.tasks.encoding.conversations import read_as
from ftsweep.tasks.encoding.tokens import attempt
from ftsweep.tasks.instruction import Instruction
from ftsweep.testing.random_models import byte_tokenizer

CHATML = (
    "{% for m in messages %}{{ '[' + m.role + ']' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
STRICT = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ '[' + m.role + ']' + m.content + '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
DEAF = CHATML.replace("{{ '[' + m.role", "{% if m.role != 'system' %}{{ '[' + m.role").replace(
    "{% endfor %}", "{% endif %}{% endfor %}"
)
# As DeepSeek's: thoughts are never written.
THOUGHTLESS = CHATML.replace("m.content", "m.content.split('</think>')[-1]")
# As Qwen's: tools before all, calls as JSON in the answer, a tool's result under a role of its own.
TOOLS = (
    "{% if tools %}{{ '[tools]' + tools | tojson + '<|end|>\n' }}{% endif %}{% for m in messages %}"
    "{{ '[' + m.role + ']' + m.content }}{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}"
    "{{ '<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)

USER, ANSWER = {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}
END = "<|end|>"


def says(role, content, **fields):
    return {"role": role, "content": content, **fields}


def call(arguments='{"where": "sea"}'):
    return {"id": "1", "type": "function", "function": {"name": "look", "arguments": arguments}}


def encoded(row, template=CHATML, **settings):
    tokenizer = byte_tokenizer(chat_template=template, extra=[END])
    (result,) = Instruction(**settings).encode([row], tokenizer, {})
    if isinstance(result, RowError):
        raise result
    runs, before = [], False
    for label in result.labels:
        if label != IGNORED:
            runs = [*runs[:-1], [*runs[-1], label]] if before else [*runs, [label]]
        before = label != IGNORED
    return tokenizer.decode(result.input_ids), [tokenizer.decode(run) for run in runs], result.unsaid


HERE = ["Here." + END]
READ_RIGHT = {
    "openai": ({"messages": [USER, ANSWER]}, "[user]Where?", HERE),
    "parts": ({"messages": [says("user", [{"type": "text", "text": "Where?"}]), ANSWER]}, "[user]Where?<", HERE),
    "two parts": ({"messages": [says("user", [{"type": "text", "text": "A"}, "B"]), ANSWER]}, "[user]A\nB<", HERE),
    "parts of an answer": ({"messages": [USER, says("assistant", [{"text": "Here."}])]}, "[user]", HERE),
    "developer": ({"messages": [says("developer", "Short."), USER, ANSWER]}, "[system]Short.<", HERE),
    "empty system": ({"messages": [says("system", ""), USER, ANSWER]}, "[user]Where?", HERE),
    "null system": ({"messages": [says("system", None), USER, ANSWER]}, "[user]Where?", HERE),
    "greets first": (
        {"messages": [says("assistant", "Hello."), USER, ANSWER]},
        "[assistant]Hello.",
        ["Hello." + END, *HERE],
    ),
    "two of the user": ({"messages": [says("user", "Hm."), USER, ANSWER]}, "[user]Hm.<|end|>\n[user]Where?", HERE),
    "two of the assistant": ({"messages": [USER, ANSWER, says("assistant", "No.")]}, "[user]", [*HERE, "No." + END]),
    "system twice": (
        {"messages": [says("system", "A"), says("system", "B"), USER, ANSWER]},
        "[system]A<|end|>\n[system]B<",
        HERE,
    ),
    "capitals": ({"messages": [says("User", "Where?"), says("ASSISTANT", "Here.")]}, "[user]Where?", HERE),
    "weight": (
        {"messages": [USER, says("assistant", "Wrong.", weight=0), USER, says("assistant", "Here.", weight=1)]},
        "Wrong.<",
        HERE,
    ),
    "train": ({"messages": [USER, says("assistant", "Wrong.", train=False), USER, ANSWER]}, "Wrong.<", HERE),
    "trainable": ({"messages": [USER, ANSWER, USER, says("assistant", "No.", trainable=False)]}, "[user]", HERE),
    "masked": ({"messages": [USER, says("assistant", "Wrong.", masked=True), USER, ANSWER]}, "Wrong.<", HERE),
    "json text": ({"messages": '[{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}]'},
                  "[user]Where?", HERE),
    "sharegpt": ({"conversations": [{"from": "human", "value": "Where?"}, {"from": "gpt", "value": "Here."}]},
                 "[user]Where?", HERE),
    "sharegpt with openai's keys": ({"conversations": [USER, ANSWER]}, "[user]Where?", HERE),
    "sharegpt in messages": ({"messages": [{"from": "user", "value": "Where?"}, {"from": "bot", "value": "Here."}]},
                             "[user]Where?", HERE),
    "sharegpt with a system column": (
        {"system": "Short.", "conversations": [{"from": "User", "value": "Where?"}, {"from": "gpt", "value": "Here."}]},
        "[system]Short.<|end|>\n[user]Where?",
        HERE,
    ),
    "alpaca": ({"instruction": "Where?", "input": "", "output": "Here."}, "[user]Where?<", HERE),
    "alpaca with input": ({"instruction": "Find.", "input": "Sea?", "output": "Here."}, "[user]Find.\nSea?<", HERE),
    "alpaca with input alone": ({"instruction": "", "input": "Sea?", "output": "Here."}, "[user]Sea?<", HERE),
    "alpaca with system and history": (
        {"system": "S", "instruction": "Where?", "output": "Here.", "history": [["Hi", "Ho"]]},
        "[system]S<|end|>\n[user]Hi<|end|>\n[assistant]Ho<|end|>\n[user]Where?",
        ["Ho" + END, *HERE],
    ),
    "alpaca with its rendering": ({"prompt": "### Where? Here.", "instruction": "Where?", "output": "Here."},
                                  "[user]Where?", HERE),
    "prompt": ({"prompt": "Where?", "completion": "Here."}, "[user]Where?", HERE),
    "prompt with input": ({"prompt": "Find.", "input": "Sea?", "completion": "Here."}, "[user]Find.\nSea?<", HERE),
    "prompt that holds its input": ({"prompt": "Find Sea?", "input": "Sea?", "completion": "Here."},
                                    "[user]Find Sea?<", HERE),
    "prompt with system": ({"system": "S", "prompt": "Where?", "completion": "Here."}, "[system]S<", HERE),
    "message lists": ({"prompt": [USER], "completion": [ANSWER]}, "[user]Where?", HERE),
    "a list and a text": ({"prompt": [says("system", "S"), USER], "completion": "Here."}, "[system]S<", HERE),
    "a completion that repeats its prompt": ({"prompt": [USER], "completion": [USER, ANSWER]}, "[user]Where?<", HERE),
    "as Python writes it": ({"messages": str([USER, ANSWER])}, "[user]Where?", HERE),
    "as numpy prints it": ({"messages": f"[{USER}\n {ANSWER}]"}, "[user]Where?", HERE),
    "lists by field": ({"messages": {"role": ["user", "assistant"], "content": ["Where?", "Here."]}}, "Where?", HERE),
    "ShareGPT by field": ({"conversations": {"from": ["human", "gpt"], "value": ["Where?", "Here."]}}, "Where?", HERE),
    "Gemini's parts": (
        {
            "messages": [
                {"role": "user", "parts": [{"text": "Where?"}]},
                {"role": "model", "parts": [{"text": "Here."}]},
            ],
            "system": {"parts": [{"text": "S"}]},
        },
        "[system]S<|end|>\n[user]Where?",
        HERE,
    ),
    "a system of parts": (
        {"system": [{"text": "S"}, {"text": "T"}], "messages": [USER, ANSWER]},
        "[system]S\nT<",
        HERE,
    ),
    "a chatbot": ({"messages": [says("User", "Where?"), says("Chatbot", "Here.")]}, "[user]Where?", HERE),
    "a field text": ({"messages": [{"role": "user", "text": "Where?"}, ANSWER]}, "[user]Where?", HERE),
    "message lists as text": ({"prompt": json.dumps([USER]), "completion": json.dumps([ANSWER])}, "[user]Where?", HERE),
    "a list that is meant": ({"prompt": '[{"a": 1}]', "completion": "Here."}, '[user][{"a": 1}]', HERE),
    "an answer that is one message": ({"prompt": [USER], "completion": ANSWER}, "[user]Where?", HERE),
    "an input that is a word of its instruction": (
        {"instruction": "Where to?", "input": "to", "output": "Here."}, "[user]Where to?\nto<", HERE),
    "a refusal": ({"messages": [USER, says("assistant", None, refusal="No.")]}, "[user]", ["No." + END]),
}  # fmt: skip


@pytest.mark.parametrize("shape", READ_RIGHT)
def test_a_common_shape_is_read_and_its_answers_alone_are_learned(shape):
    row, part, answers = READ_RIGHT[shape]
    text, learned, _ = encoded(row)
    assert part in text
    assert learned == answers
    assert text.count("Where?") <= 2
    task = Instruction()
    question = task.without_target(row)
    assert question
    assert "completion" not in question
    assert read_as(row).split(" (")[0] in ("messages", "ShareGPT", "Alpaca", "prompt and completion")


REFUSED = {
    "an unknown role": ({"messages": [says("robot", "Hm."), ANSWER]}, "role 'robot'.*Rename"),
    "no answer": ({"messages": [USER]}, "no answer to learn"),
    "an answer to nobody": ({"messages": [says("system", "S"), ANSWER]}, "no answer to learn"),
    "all marked": ({"messages": [USER, says("assistant", "x", weight=0)]}, "marked as not to be learned"),
    "half a weight": ({"messages": [USER, says("assistant", "x", weight=0.5)]}, r"'weight' 0\.5"),
    "marked parts": ({"messages": [USER, says("assistant", "x", train_detail=[])]}, "train_detail"),
    "an image": ({"messages": [says("user", [{"type": "image_url", "image_url": "x"}]), ANSWER]}, "'image_url'"),
    "an empty answer": ({"messages": [USER, says("assistant", " ")]}, r"message 2 \(assistant\) is empty"),
    "broken tools": ({"tools": "{", "messages": [USER, ANSWER]}, "no JSON"),
    "nameless tools": ({"tools": [{"type": "function"}], "messages": [USER, ANSWER]}, "without a function's name"),
    "a call of nothing": ({"messages": [USER, says("assistant", None, tool_calls=[{"id": "1"}])]}, "a function's name"),
    "an odd history": ({"instruction": "a", "output": "b", "history": [["a"]]}, "turn 1 of 'history'"),
    "a system of pictures": (
        {"system": [{"type": "image"}], "messages": [USER, ANSWER]},
        "'system' is of type list, and neither text nor parts of text",
    ),
    "no text": ({"messages": [says("user", 3), ANSWER]}, "of type int, not text"),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_what_cannot_be_read_is_one_bad_row_with_its_reason(shape):
    row, why = REFUSED[shape]
    with pytest.raises(RowError, match=why):
        encoded(row)
    for text in (Instruction().input_text, Instruction().target_text):
        found = attempt(text, row)
        assert isinstance(found, str) or re.search(why, str(found))


def test_one_unusable_conversation_of_a_named_split_is_one_row_left_out():
    good = {"messages": [USER, says("assistant", "In the sea.")]}
    rows = {
        name: [Row({**good, "id": number}, f"{name}.jsonl:{number + 1}") for number in range(20)]
        for name in ("train", "validation")
    }
    rows["validation"][4] = Row({"messages": [USER]}, "validation.jsonl:5")
    split = split_rows(rows, None, Instruction(), seed=0)
    assert len(split.rows["validation"]) == 19
    assert [(row.place, bool(reason)) for row, reason in split.left_out["validation"]] == [("validation.jsonl:5", True)]


CALLS = {
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
    "messages": [
        USER,
        says("assistant", None, tool_calls=[call()]),
        says("tool", "At sea.", tool_call_id="1"),
        says("assistant", "In the sea."),
    ],
}


def test_tools_calls_and_results_are_written_as_the_template_writes_them():
    text, learned, unsaid = encoded(CALLS, TOOLS)
    assert text.startswith('[tools][{"type"')
    assert "[tool]At sea." in text
    assert learned == ['{"name": "look", "arguments": {"where": "sea"}}<|end|>', "In the sea.<|end|>"]
    assert unsaid == ()


@pytest.mark.parametrize("template", [CHATML.replace("m.content", "(m.content or '')"), None])
def test_tools_are_written_as_text_where_the_template_knows_none_and_that_is_told(template):
    text, learned, unsaid = encoded(CALLS, template)
    assert '"parameters": {}' in text
    assert learned[0].startswith('{"name": "look", "arguments": {"where": "sea"}}')
    assert "At sea." in text
    assert bool(unsaid) == (template is not None)
    assert all("writes no tools" in clause for clause in unsaid)


def test_anthropics_parts_of_tools_are_calls_and_results():
    row = {
        "tools": [{"name": "look", "input_schema": {}}],
        "messages": [
            USER,
            says(
                "assistant",
                [
                    {"type": "thinking", "thinking": "Hm."},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "1", "name": "look", "input": {"where": "sea"}},
                ],
            ),
            says(
                "user",
                [
                    {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "At sea."}]},
                    {"type": "text", "text": "So?"},
                ],
            ),
            ANSWER,
        ],
    }
    text, learned, unsaid = encoded(row, TOOLS)
    assert '"parameters": {}' in text
    assert "[tool]At sea.<|end|>\n[user]So?<|end|>" in text
    assert learned == ['I look.{"name": "look", "arguments": {"where": "sea"}}<|end|>', "Here.<|end|>"]
    assert [clause for clause in unsaid if "reasoning_content" not in clause] == []
    row["messages"][2]["content"][0]["is_error"] = True
    assert "nothing reads the field 'is_error' of messages" in encoded(row, TOOLS)[2]


def test_sharegpts_function_calls_and_observations_are_calls_and_results():
    row = {
        "tools": '[{"name": "look", "parameters": {}}]',
        "conversations": [
            {"from": "human", "value": "Where?"},
            {"from": "function_call", "value": '{"name": "look", "arguments": {"where": "sea"}}'},
            {"from": "observation", "value": "At sea."},
            {"from": "gpt", "value": "In the sea."},
        ],
    }
    assert encoded(row, TOOLS)[1] == encoded(CALLS, TOOLS)[1]


@pytest.mark.parametrize(
    ("template", "row", "clause"),
    [
        (DEAF, {"messages": [says("system", "Be short."), USER, ANSWER]}, "system messages are not in the text"),
        (CHATML, {"messages": [{**USER, "name": "Ann Example"}, ANSWER]}, r"names \(name\)"),
        (CHATML, {"messages": [{**USER, "mood": 3}, ANSWER]}, "nothing reads the field 'mood'"),
        (CHATML, {"messages": [USER, ANSWER], "output": "other"}, "nothing reads the column 'output'"),
        (CHATML, {"messages": [USER, ANSWER, USER]}, "a question at the end has no answer"),
        (CHATML, {"messages": [USER, {**ANSWER, "reasoning_content": "Let me see"}]}, "thoughts"),
        (STRICT, {"messages": [says("user", "Hm."), USER, ANSWER]}, "one role in a row: they are joined"),
        (STRICT, {"messages": [says("system", "S"), USER, ANSWER]}, "head of the first question"),
        (
            THOUGHTLESS,
            {"messages": [USER, says("assistant", "<think>far</think>Here."), USER, ANSWER]},
            "thoughts.*before the last",
        ),
    ],
)
def test_what_does_not_reach_the_model_as_it_is_is_told_with_the_row(template, row, clause):
    import re

    _, learned, unsaid = encoded(row, template)
    assert learned[-1] == HERE[0]
    assert any(re.search(clause, each) for each in unsaid)
    assert encoded({"messages": [USER, ANSWER]}, template)[2] == ()


def test_messages_in_a_column_of_another_name_are_offered_by_that_name():
    with pytest.raises(DataError, match=r"data.columns=\{messages: dialog\}"):
        Instruction().check_columns(["dialog", "id"])


def test_a_context_beside_question_and_answer_is_offered_too():
    with pytest.raises(DataError, match=r"\{prompt: instruction, completion: response, input: context\}"):
        Instruction().check_columns(["instruction", "context", "response", "category"])


def test_langchains_and_open_assistants_speakers_are_known():
    asked = {"messages": [says("human", "Where?"), says("ai", "Here.")]}
    assert encoded(asked, CHATML) == encoded({"messages": [says("prompter", "Where?"), says("gpt", "Here.")]}, CHATML)


def test_an_answer_that_the_template_cuts_is_refused():
    with pytest.raises(RowError, match="cuts the thoughts"):
        encoded({"messages": [USER, says("assistant", "<think>far</think>Here.")]}, THOUGHTLESS)
    with pytest.raises(RowError, match="leaves an answer to learn out"):
        encoded({"messages": [USER, ANSWER]}, CHATML.replace("m.content", "m.content | upper"))


def test_the_last_answer_alone_is_learned_on_request():
    row = {"messages": [USER, says("assistant", "First."), USER, ANSWER]}
    assert encoded(row, learn="last")[1] == HERE
    assert len(encoded(row)[1]) == 2
    task = Instruction(learn="last")
    assert (task.input_text(row), task.target_text(row)) == ("Where?\nFirst.\nWhere?", "Here.")
    with pytest.raises(ConfigError, match=r"task\.learn"):
        Instruction(learn="first")


@pytest.mark.parametrize(
    "columns",
    [
        ("question", "answer"),
        ("query", "response"),
        ("input", "output"),
        ("problem", "solution"),
        ("prompt", "response"),
    ],
)
def test_columns_of_other_names_are_refused_with_a_remedy_that_works(columns):
    with pytest.raises(DataError) as refusal:
        Instruction().check_columns(columns)
    prompt, completion = columns
    assert f"data.columns={{prompt: {prompt}, completion: {completion}}}" in str(refusal.value)
    renamed = dict(zip(("prompt", "completion"), ("Where?", "Here."), strict=True))
    Instruction().check_columns(renamed)
    assert encoded(renamed)[1] == HERE


def test_a_question_is_written_as_the_example_begins_in_every_shape():
    tokenizer = byte_tokenizer(chat_template=CHATML, extra=[END])
    from ftsweep.tasks.encoding.chat import ChatFormat

    for shape, (row, _, answers) in READ_RIGHT.items():
        if len(answers) > 1 or shape in ("trainable",):
            continue
        task = Instruction()
        (ids,) = task._prompt_ids([task.without_target(row)], tokenizer, ChatFormat(tokenizer))
        text = encoded(row)[0]
        assert text.startswith(tokenizer.decode(ids)), shape


def test_an_answer_that_is_a_whole_number_is_its_digits():
    row = {"prompt": "How many?", "completion": 42}
    assert Instruction().target_text(row) == "42"
    with pytest.raises(RowError, match="completion is of type float, not text"):
        Instruction().target_text({**row, "completion": 4.2})
    with pytest.raises(RowError, match="completion is of type bool, not text"):
        Instruction().target_text({**row, "completion": True})
