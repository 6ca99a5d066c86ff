"""Conversations in one text: what is learned is the assistant's words alone, and the last question is what is asked."""

from __future__ import annotations

import pytest

from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.instruction import Instruction
from ftsweep.testing.random_models import byte_tokenizer

TEMPLATE = (
    "{% for m in messages %}{{ '[' + m.role + ']' + m.content + '<eos>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
ASKED, SAID, MORE, LAST = "Où est 'User:'?", "  if 1:\n    là 😀", "And [/x] now", "Here: ### it is"
FORMS = {
    "ChatML": "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n{1}<|im_end|>\n"
    "<|im_start|>user\n{2}<|im_end|>\n<|im_start|>assistant\n{3}<|im_end|>  \n",
    "Llama 3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user"
    "<|end_header_id|>\n\n{0}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{1}<|eot_id|><|start_header_id|>"
    "user<|end_header_id|>\n\n{2}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{3}<|eot_id|>",
    "Gemma": "<bos><start_of_turn>user\n{0}<end_of_turn>\n<start_of_turn>model\n{1}<end_of_turn>\n<start_of_turn>user\n"
    "{2}<end_of_turn>\n<start_of_turn>model\n{3}<end_of_turn>\n",
    "Zephyr": "<|system|>\nS</s>\n<|user|>\n{0}</s>\n<|assistant|>\n{1}</s>\n<|user|>\n{2}</s>\n"
    "<|assistant|>\n{3}</s> ",
    "Llama 2": "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\n{0} [/INST]\n{1} </s><s>[INST] {2} [/INST] {3} </s>",
    "Guanaco": "### Human: {0}\n### Assistant:\n{1}\n### Human: {2}\n### Assistant: {3}\n\n",
    "Alpaca": "S\n\n### Instruction:\n{0}\n\n### Response:\n{1}\n\n### Instruction:\n{2}\n\n### Response:\n{3}",
    "Vicuna": "S USER: {0} ASSISTANT:\n{1}</s>USER: {2} ASSISTANT: {3}</s>",
    "HH-RLHF": "\n\nHuman: {0}\n\nAssistant:\n{1}\n\nHuman: {2}\n\nAssistant: {3}\n",
    "lines": "User: {0}\r\nAssistant:\n{1}\r\nUser: {2}\r\nAssistant: {3}",
}
WITHOUT_SYSTEM = ("Gemma", "Guanaco", "HH-RLHF", "lines")


def encoded(text: str) -> Example | RowError:
    tokenizer = byte_tokenizer(chat_template=TEMPLATE)
    (example,) = Instruction().encode([{"messages": text}], tokenizer, {})
    return example


def learned(example: Example) -> str:
    """The learned text, with a bar for what is not learned before it."""
    found: list[int] = []
    bar = byte_tokenizer()("|", add_special_tokens=False)["input_ids"][0]
    for label, before in zip(example.labels, [IGNORED, *example.labels], strict=False):
        if label != IGNORED:
            found += [bar, label] if before == IGNORED else [label]
    return str(byte_tokenizer().decode(found))


@pytest.mark.parametrize("form", FORMS)
def test_the_assistants_words_alone_are_learned(form: str) -> None:
    example = encoded(FORMS[form].format(ASKED, SAID, MORE, LAST))
    assert not isinstance(example, RowError), example
    assert learned(example) == f"|{SAID}<eos>|{LAST}<eos>"
    system = "[system]S<eos>" * (form not in WITHOUT_SYSTEM)
    assert byte_tokenizer().decode(example.input_ids) == (
        f"{system}[user]{ASKED}<eos>[assistant]{SAID}<eos>[user]{MORE}<eos>[assistant]{LAST}<eos>"
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("has_answer", [True, False])
def test_the_last_question_is_asked_with_or_without_its_answer(form: str, has_answer: bool) -> None:
    text = FORMS[form].format(ASKED, SAID, MORE, LAST if has_answer else "")
    values = Instruction().without_target({"messages": text})
    turns = [(each["role"], each["content"]) for each in values["messages"] if each["role"] != "system"]
    assert turns == [("user", ASKED), ("assistant", SAID), ("user", MORE)]


def test_a_mark_inside_of_a_question_is_no_answer() -> None:
    found = encoded("<|user|>\nWhat does <|assistant|> mean?</s>\n<|assistant|>\nA mark</s>")
    assert isinstance(found, RowError)
    assert "where the user's has to be: a mark is missing, or stands inside of a message" in str(found)
