"""Conversations in one text: every form is read whole, nothing of a text is lost, doubtful ones are refused."""

from __future__ import annotations

import re

import pytest

from ftsweep.domain.transcripts import is_transcript, marks_in, transcript_in

HELP, ASK, SAY, ASK2, SAY2 = (
    "You help.",
    "Where is it?\nTell me!",
    "  Here:\n\n- left\n- right",
    "And the other?",
    "Gone.",
)
ONE = [("user", ASK), ("assistant", SAY)]
TWO = [*ONE, ("user", ASK2), ("assistant", SAY2)]
SYSTEM = [("system", HELP), *ONE]


def tidy(turns):
    return [(role, text.strip()) for role, text in turns]


FORMS = {
    "ChatML": (
        "ChatML",
        lambda who, text: f"<|im_start|>{who}\n{text}<|im_end|>\n",
        [*SYSTEM, ("user", "More?"), ("assistant", "No.")],
    ),
    "Llama 3": (
        "Llama 3's",
        lambda who, text: f"<|start_header_id|>{who}<|end_header_id|>\n\n{text}<|eot_id|>",
        SYSTEM,
    ),
    "Gemma": (
        "Gemma's",
        lambda who, text: f"<start_of_turn>{who.replace('assistant', 'model')}\n{text}<end_of_turn>\n",
        TWO,
    ),
    "Zephyr": ("Zephyr's", lambda who, text: f"<|{who}|>\n{text}</s>\n", SYSTEM),
    "Phi": ("Zephyr's", lambda who, text: f"<|{who}|>\n{text}<|end|>\n", TWO),
    "OpenAssistant": (
        "Zephyr's",
        lambda who, text: f"<|{who.replace('user', 'prompter')}|>{text}<|endoftext|>",
        TWO,
    ),
    "Guanaco": ("Guanaco's", lambda who, text: f"### {'Human' if who == 'user' else 'Assistant'}: {text}", TWO),
    "Orca": ("Guanaco's", lambda who, text: f"### {who.title()}:\n{text}\n\n", SYSTEM),
    "Alpaca": (
        "Alpaca's",
        lambda who, text: f"### {'Instruction' if who == 'user' else 'Response'}:\n{text}\n\n",
        TWO,
    ),
    "Vicuna": ("Vicuna's", lambda who, text: f"{who.upper()}: {text}{'</s>' if who == 'assistant' else ' '}", TWO),
    "HH-RLHF": ("HH-RLHF's", lambda who, text: f"\n\n{'Human' if who == 'user' else 'Assistant'}: {text}", TWO),
    "OpenChatKit": ("OpenChatKit's", lambda who, text: f"<{'human' if who == 'user' else 'bot'}>: {text}\n", TWO),
    "lines": ("lines of speakers", lambda who, text: f"{'User' if who == 'user' else 'Bot'}: {text}\n", TWO),
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_its_messages_and_holds_nothing_else(name):
    form, write, turns = FORMS[name]
    text = "".join(write(*turn) for turn in turns)
    found = transcript_in(text)
    assert found is not None
    assert found.form == form
    assert [(each["role"], each["content"].strip()) for each in found.messages] == tidy(turns)
    assert found.messages[1 + (turns is not TWO)]["content"] in text
    left = text
    for part in [*found.marks, *(each["content"] for each in found.messages)]:
        left = left.replace(part, "", 1 if part not in found.marks else -1)
    left = re.sub(r"<\|im_end\|>|<\|eot_id\|>|<end_of_turn>|</s>|<\|end\|>|<\|endoftext\|>", "", left)
    assert not left.strip()
    assert is_transcript(text)


def test_an_answers_first_line_keeps_its_indent():
    found = transcript_in("### Instruction:\nWrite it\n\n### Response:\n    def f():\n        return 1\n")
    assert found is not None
    assert found.messages[1]["content"] == "    def f():\n        return 1"


def test_llama_2_has_its_system_message_in_the_first_question():
    text = "<s>[INST] <<SYS>>\nYou help.\n<</SYS>>\n\nWhere? [/INST] Here. </s><s>[INST] And? [/INST] Gone. </s>"
    found = transcript_in(text)
    said = [
        ("system", "You help."),
        ("user", "Where?"),
        ("assistant", "Here."),
        ("user", "And?"),
        ("assistant", "Gone."),
    ]
    assert found is not None
    assert [tuple(each.values()) for each in found.messages] == said
    assert found.marks == ("[INST]", "<<SYS>>", "<</SYS>>", "[/INST]")


def test_text_before_the_first_mark_is_the_systems():
    found = transcript_in("A chat with a helper. USER: Where? ASSISTANT: Here.</s>")
    assert found is not None
    assert found.messages[0] == {"role": "system", "content": "A chat with a helper."}


def test_alpacas_input_stands_behind_its_instruction():
    found = transcript_in("Below is a task.\n\n### Instruction:\nAdd.\n\n### Input:\n1 and 2\n\n### Response:\n3")
    assert found is not None
    assert [tuple(each.values()) for each in found.messages] == [
        ("system", "Below is a task."), ("user", "Add.\n1 and 2"), ("assistant", "3"),
    ]  # fmt: skip


def test_a_mark_at_the_end_waits_for_an_answer():
    found = transcript_in("<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\n")
    assert found is not None
    assert found.messages == [{"role": "user", "content": "Where?"}]
    assert not is_transcript("### Human: Where? ### Assistant:")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<|im_start|>user\nWhere?\n<|im_start|>assistant\nHere.<|im_end|>", "<|im_end|> is missing behind message 1"),
        ("<|im_start|>user\nWhere?<|im_end|> so\n<|im_start|>assistant\nHere.", "text stands behind the <|im_end|> of"),
        ("### Human: a ### Human: b ### Assistant: c", "message 2 is the user's by its mark (Guanaco's), where the as"),
        ("USER: a ASSISTANT: b ASSISTANT: c", "message 3 is the assistant's"),
        ("[INST] a [/INST] b [INST] c", "[INST] and [/INST] are not in pairs"),
        ("### Instruction:\na\n### Response:\nb\n### Input:\nc", "### Input: stands behind something else"),
        ("Human: a\n\nAssistant: b\nHuman: c", "without a blank line before it"),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused_in_words(text, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        transcript_in(text)
    assert not is_transcript(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Assistant: I only answer.",
        "The user: a person. The assistant: a machine.",
        "# Notes\n\n### Response:\nsome",
        "He asked. User: a role\nAssistant: another",
        "Question: why?\nAnswer: so.",
        "<|system|> alone",
    ],
)
def test_other_texts_are_no_conversations(text):
    assert not is_transcript(text)


def test_marks_of_the_commonest_form_are_told():
    texts = ["### Human: a### Assistant: b"] * 3 + ["USER: a ASSISTANT: b", "nothing"]
    assert marks_in(texts) == "Guanaco's (### Human:, ### Assistant:)"
    assert marks_in(["nothing"]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "### Human: a ### Assistant:" + " " * 300_000 + "x",
        "### Human: " + "\n\n" * 200_000 + "x### Assistant: b" + " </s>" * 100_000,
        "[INST]" * 100_000,
        "[INST]" + "[/INST]" * 50_000 + "[INST]" * 49_999,
        "User: " + "a " * 500_000,
    ],
    ids=["spaces", "ends", "open", "closed", "words"],
)
def test_long_texts_take_no_more_than_their_length(text):
    assert is_transcript(text) == text.startswith("### Human")
