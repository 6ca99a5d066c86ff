"""Instruction by demonstration: what stands in a prompt, and its answer's loss, that of the whole prompt."""

from __future__ import annotations

import pytest
import torch

from ftsweep.models.tiny import TinyModel
from ftsweep.tasks.base import IGNORED, RowError
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.prompts.answer_likelihood import answer_losses
from ftsweep.tasks.prompts.answer_prompts import COLUMNS, TARGET, AnswerPrompts
from ftsweep.tasks.prompts.prompt_tokens import PromptTooLongError
from ftsweep.tasks.prompts.templates import Template
from ftsweep.testing.random_models import byte_tokenizer, random_llama

ROWS = [
    {"prompt": "What is red?", "completion": "A colour."},
    {"prompt": "What is a cow?", "completion": "An animal that eats grass."},
    {"prompt": "What is two and two?", "completion": "Four."},
]
CHAT = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TEMPLATE = Template.parse("Q: {prompt}\nA: {completion}", target=TARGET, columns=COLUMNS)


def prompts(**settings) -> AnswerPrompts:
    usual = {
        "task": Instruction(max_length=60),
        "tokenizer": byte_tokenizer(chat_template=CHAT),
        "template": None,
        "separator": "\n\n",
        "instruction": "",
        "max_demonstration_tokens": None,
    }
    return AnswerPrompts(**{**usual, **settings})


def text_of(ids) -> str:
    return byte_tokenizer().decode(ids)


def answer_of(example) -> str:
    return text_of([label for label in example.labels if label != IGNORED])


def test_without_demonstrations_a_prompt_is_what_the_task_encodes():
    tokenizer, task = TinyModel().tokenizer(), Instruction(max_length=20)
    rows = [
        *ROWS,
        {"messages": [{"role": "user", "content": "hi " * 30}, {"role": "assistant", "content": "no " * 30}]},
    ]
    found = prompts(task=task, tokenizer=tokenizer).examples([], rows)
    encoded = list(task.encode(rows, tokenizer, {}))
    assert [(each.input_ids, each.labels) for each in found] == [(each.input_ids, each.labels) for each in encoded]


def test_demonstrations_are_earlier_turns_and_only_the_rows_own_answer_is_scored():
    (example,) = prompts().examples(ROWS[:2], ROWS[2:])
    assert text_of(example.input_ids) == (
        "<user>What is red?<assistant>A colour.<eos>"
        "<user>What is a cow?<assistant>An animal that eats grass.<eos>"
        "<user>What is two and two?<assistant>Four.<eos>"
    )
    assert answer_of(example) == "Four.<eos>"


def test_template_writes_demonstrations_and_ends_every_answer():
    (example,) = prompts(template=TEMPLATE, instruction="Answer.").examples(ROWS[:1], ROWS[2:])
    expected = "Answer.\n\nQ: What is red?\nA: A colour.<eos>\n\nQ: What is two and two?\nA: Four.<eos>"
    assert text_of(example.input_ids) == expected
    assert answer_of(example) == " Four.<eos>"


def test_instruction_is_the_conversations_system_message():
    (example,) = prompts(instruction="Be brief.").examples(ROWS[:1], ROWS[2:])
    assert text_of(example.input_ids).startswith("<system>Be brief.<user>What is red?")
    own = {"messages": [{"role": "system", "content": "x"}, *_turns("hi", "ho")]}
    with pytest.raises(RowError, match="system message of its own"):
        prompts(instruction="Be brief.").examples([], [own])


def test_all_answers_of_a_conversation_are_scored_and_none_of_a_demonstrations():
    row = {"messages": [*_turns("one", "two"), *_turns("three", "four")]}
    (example,) = prompts().examples([row], [row])
    assert answer_of(example) == "two<eos>four<eos>"


def test_demonstration_is_cut_and_its_answer_is_ended_all_the_same():
    (example,) = prompts(max_demonstration_tokens=8).examples(ROWS[1:2], ROWS[2:])
    assert text_of(example.input_ids).startswith("<user>What<assistant>An a<eos><user>What is two")


def test_row_behind_demonstrations_is_cut_as_the_task_cuts_it():
    asks = prompts(task=Instruction(max_length=30))
    (example,) = asks.examples(ROWS[:1], ROWS[1:2])
    head = "<user>What is red?<assistant>A colour.<eos><user>"
    assert text_of(example.input_ids).startswith(head)
    assert len(example.input_ids) == len(byte_tokenizer()(head)["input_ids"]) + 30


@pytest.mark.parametrize("template", [None, TEMPLATE])
@pytest.mark.parametrize("k", [0, 2])
def test_losses_behind_a_shared_prefix_equal_those_of_whole_prompts(k, template):
    model = random_llama(max_position_embeddings=512)
    rows = [*ROWS, {"prompt": "Why?", "completion": "B" * 40}]
    examples = prompts(template=template).examples(ROWS[:k], rows)
    found = torch.empty(len(examples))
    num_correct = 0
    with torch.no_grad():
        for batch in answer_losses(model, examples, pad_id=0, tokens_per_batch=90):
            found[batch.rows] = batch.losses
            num_correct += int(batch.num_correct)
        expected_correct = 0
        for row, example in enumerate(examples):
            logits = model(torch.tensor([example.input_ids])).logits[0]
            places = [at for at, label in enumerate(example.labels) if label != IGNORED]
            log_probs = logits.log_softmax(-1)
            expected = -sum(log_probs[at - 1, example.labels[at]] for at in places)
            expected_correct += sum(int(logits[at - 1].argmax()) == example.labels[at] for at in places)
            torch.testing.assert_close(found[row], expected, atol=1e-4, rtol=0)
    assert num_correct == expected_correct


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_question_ends_where_the_model_answers(template):
    asks = prompts(template=template, task=Instruction(max_length=60, max_new_tokens=8))
    (question,) = asks.questions(ROWS[:1], [{"prompt": ROWS[2]["prompt"]}])
    (example,) = asks.examples(ROWS[:1], ROWS[2:])
    first = next(at for at, label in enumerate(example.labels) if label != IGNORED)
    assert question == example.input_ids[:first]


def test_conversation_that_leaves_no_room_is_told_with_the_numbers():
    asks = prompts(tokenizer=byte_tokenizer(chat_template=CHAT, model_max_length=100))
    with pytest.raises(PromptTooLongError, match=r"1 demonstrations.*: 4\d tokens.*up to 60.*takes 100"):
        asks.examples(ROWS[:1], ROWS[2:])


@pytest.mark.parametrize("row", [{"prompt": "a"}, {"prompt": "a", "completion": " "}, {"messages": []}])
def test_row_that_the_template_cannot_show_is_told(row):
    with pytest.raises(RowError):
        prompts(template=TEMPLATE).examples([], [row])


def _turns(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
