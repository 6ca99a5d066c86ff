from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from operator import itemgetter

import pytest
import torch

from ftsweep.errors import ConfigError, DataError, ModelError
from ftsweep.models.tiny import TinyModel
from ftsweep.tasks.base import IGNORED, RowError
from ftsweep.tasks.encoding.answers import tokens_in
from ftsweep.tasks.encoding.chat import ChatFormat
from ftsweep.tasks.encoding.conversations import conversation_of
from ftsweep.tasks.instruction import Instruction
from ftsweep.testing.random_models import byte_tokenizer, random_llama

END = "<|end|>"
CHATML = (
    "{% for m in messages %}{{ '[' + m.role + ']' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
MARKED = (
    "{{ bos_token }}{% for m in messages %}{{ '[' + m.role + ']' }}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{{ '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
# As Qwen3's: an answer is written with an empty thought block while it is the last one.
THOUGHTFUL = (
    "{% for m in messages %}{{ '[' + m.role + ']' }}{% if m.role == 'assistant' and loop.last %}{{ '(no thought)' }}"
    "{% endif %}{{ m.content + '<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
UNENDED = "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
# The number of messages stands first, so that no shorter conversation begins as a longer one.
COUNTING = "{{ messages | length }}{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
SYSTEMLESS = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML

PAIR = {"prompt": "Hi?", "completion": "Yes."}
TURNS = {
    "messages": [
        {"role": "system", "content": "Short."},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "Three?"},
        {"role": "assistant", "content": "four"},
    ]
}


def tokenizer_with(template=None):
    return byte_tokenizer(chat_template=template, extra=[END])


def encoded(row, template=None, **settings):
    (result,) = Instruction(**settings).encode([row], tokenizer_with(template), {})
    if isinstance(result, RowError):
        raise result
    return result


def learned(example):
    """The runs of learned tokens, as text."""
    tokenizer, runs, before = tokenizer_with(), [], False
    for label in example.labels:
        if label != IGNORED:
            runs = [*runs[:-1], [*runs[-1], label]] if before else [*runs, [label]]
        before = label != IGNORED
    return [tokenizer.decode(run) for run in runs]


@pytest.mark.parametrize(
    ("template", "row", "text", "answers"),
    [
        (None, PAIR, "Hi?\nYes.<eos>", ["Yes.<eos>"]),
        (None, TURNS, "Short.\nOne?\ntwo<eos>Three?\nfour<eos>", ["two<eos>", "four<eos>"]),
        (CHATML, PAIR, "[user]Hi?<|end|>\n[assistant]Yes.<|end|>", ["Yes.<|end|>"]),
        (
            CHATML,
            TURNS,
            "[system]Short.<|end|>\n[user]One?<|end|>\n[assistant]two<|end|>\n[user]Three?<|end|>\n[assistant]four<|end|>",
            ["two<|end|>", "four<|end|>"],
        ),
        (
            MARKED,
            TURNS,
            "<bos>[system]Short.<|end|>\n[user]One?<|end|>\n[assistant]two<|end|>\n[user]Three?<|end|>\n"
            "[assistant]four<|end|>",
            ["two<|end|>", "four<|end|>"],
        ),
        (
            THOUGHTFUL,
            TURNS,
            "[system]Short.<|end|>\n[user]One?<|end|>\n[assistant]two<|end|>\n[user]Three?<|end|>\n"
            "[assistant](no thought)four<|end|>",
            ["two<|end|>", "(no thought)four<|end|>"],
        ),
        (UNENDED, PAIR, "user: Hi?\nassistant: Yes.<eos>", ["assistant: Yes.<eos>"]),
    ],
    ids=["plain", "plain turns", "prefix", "prefix turns", "marked", "thoughtful", "unended"],
)
def test_answers_are_learned_with_the_token_that_ends_them_and_nothing_else(template, row, text, answers):
    example = encoded(row, template)
    assert tokenizer_with().decode(example.input_ids) == text
    assert learned(example) == answers
    assert all(label in (IGNORED, token) for label, token in zip(example.labels, example.input_ids, strict=True))
    assert (example.was_cut, example.was_target_cut) == (False, False)


@pytest.mark.parametrize(
    ("template", "row"),
    [*((template, row) for template in (None, CHATML, MARKED, THOUGHTFUL) for row in (PAIR, TURNS)), (UNENDED, PAIR)],
)
def test_what_predict_shows_the_model_is_how_the_example_begins(template, row):
    chat, task = ChatFormat(tokenizer_with(template)), Instruction()
    (question,) = task._prompt_ids([task.without_target(row)], tokenizer_with(template), chat)
    example = encoded(row, template)
    assert list(example.input_ids[: len(question)]) == question
    assert example.labels[len(question)] != IGNORED
    assert example.labels[len(question) - 1] == IGNORED


def test_a_conversation_whose_answers_a_template_hides_is_a_bad_row():
    with pytest.raises(RowError, match="chat template"):
        encoded(PAIR, COUNTING)
    with pytest.raises(RowError, match="marks no answer"):
        encoded(
            PAIR,
            MARKED.replace("'assistant'", "'nobody'"),
        )


def test_what_a_template_refuses_is_a_bad_row():
    with pytest.raises(RowError, match="no questions"):
        encoded(TURNS, "{{ raise_exception('no questions') }}")
    assert learned(encoded(PAIR, SYSTEMLESS)) == ["Yes.<|end|>"]


def test_without_an_end_token_an_answer_has_no_end():
    tokenizer = byte_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="end-of-text"):
        list(Instruction().encode([PAIR], tokenizer, {}))


def test_a_row_with_both_forms_is_read_as_messages():
    assert conversation_of({**PAIR, **TURNS}).messages == TURNS["messages"]
    assert conversation_of({**PAIR, "messages": None}).messages[0]["content"] == "Hi?"


@pytest.mark.parametrize("make_tokenizer", [byte_tokenizer, lambda: TinyModel().tokenizer()])
def test_the_tokens_of_characters_are_all_that_have_a_part_in_them(make_tokenizer):
    chance, tokenizer = random.Random(0), make_tokenizer()
    pieces = ["hello ", "wörld", "日本", "🙂", "  ", "\n", "a", "e\u0301", tokenizer.eos_token]
    for _ in range(300):
        text = "".join(chance.choices(pieces, k=chance.randint(1, 20)))
        tokens = tokenizer([text], add_special_tokens=False)[0]
        start, end = sorted(chance.sample(range(len(text) + 1), 2)) if len(text) > 1 else (0, 1)
        offsets = tokens.offsets
        among = slice(bisect_right(offsets, start, key=itemgetter(1)), bisect_left(offsets, end, key=itemgetter(0)))
        assert tokens_in(tokens, (start, end)) == among, (text, start, end)


def test_rows_keep_their_order_over_many_calls_of_the_tokenizer():
    tokenizer = byte_tokenizer()
    rows = [{"prompt": "p", "completion": "" if place % 7 == 3 else f"answer {place}"} for place in range(2500)]
    for place, example in enumerate(Instruction().encode(rows, tokenizer, {})):
        if place % 7 == 3:
            assert isinstance(example, RowError)
        else:
            assert f"answer {place}" in tokenizer.decode(example.input_ids)


def test_a_long_prompt_is_cut_from_the_left_and_keeps_the_start_token():
    row = {"prompt": "x" * 40 + "end", "completion": "Yes."}
    plain = encoded(row, max_length=16)
    assert tokenizer_with().decode(plain.input_ids) == "x" * 7 + "end\nYes.<eos>"
    assert (plain.was_cut, plain.was_target_cut) == (True, False)
    marked = encoded(row, MARKED, max_length=32)
    text = tokenizer_with().decode(marked.input_ids)
    assert text.startswith("<bos>x")
    assert text.endswith("end<|end|>\n[assistant]Yes.<|end|>")
    assert len(marked.input_ids) == 32


@pytest.mark.parametrize("template", [None, MARKED])
def test_an_answer_too_long_loses_its_end_but_not_its_first_token(template):
    example = encoded({"prompt": "why?", "completion": "y" * 40}, template, max_length=16)
    assert (example.was_cut, example.was_target_cut) == (True, True)
    assert len(example.input_ids) == 16
    assert learned(example) == ["y" * 15]
    assert tokenizer_with().decode(example.input_ids[:1]) == ("<bos>" if template else "\n")


def test_a_cut_at_exactly_the_length_cuts_nothing():
    example = encoded(PAIR, max_length=len("Hi?\nYes.") + 1)
    assert (example.was_cut, example.was_target_cut) == (False, False)


def test_completions_are_those_of_greedy_decoding_one_token_at_a_time():
    model, tokenizer = random_llama(tie_word_embeddings=False), tokenizer_with(CHATML)
    questions = [{"prompt": "a"}, {"prompt": "a much longer question"}, {"messages": TURNS["messages"]}]
    answers = Instruction(max_new_tokens=6).predict(model, tokenizer, {}, questions, batch_size=3)
    for question, answer in zip(questions, answers, strict=True):
        messages = question.get("messages", [{"role": "user", "content": question.get("prompt")}])
        messages = messages[:-1] if len(messages) > 1 else messages
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        new = []
        while len(new) < 6 and not {2, tokenizer.convert_tokens_to_ids(END)} & set(new):
            new.append(model(input_ids=torch.tensor([ids + new])).logits[0, -1].argmax().item())
        assert answer == {"completion": tokenizer.decode(new, skip_special_tokens=True).strip()}


@pytest.mark.parametrize(("template", "end"), [(CHATML, END), (None, "<eos>")])
def test_an_answer_ends_with_its_turn(template, end):
    tokenizer = tokenizer_with(template)
    ends = ChatFormat(tokenizer).end_ids()
    assert tokenizer.convert_tokens_to_ids(end) in ends
    assert tokenizer.eos_token_id in ends
    model = random_llama(tie_word_embeddings=False)
    with torch.no_grad():  # whatever the hidden state is, this token is the likeliest
        model.lm_head.weight.zero_()
        model.model.norm.register_forward_hook(lambda module, args, output: torch.ones_like(output))
        model.lm_head.weight[tokenizer.convert_tokens_to_ids(end)] = 1.0
    lengths = []
    generate = model.generate
    model.generate = lambda **settings: lengths.append(generate(**settings)) or lengths[-1]
    answers = Instruction(max_new_tokens=20).predict(model, tokenizer, {}, [{"prompt": "a"}], 1)
    assert answers == [{"completion": ""}]
    questions = Instruction()._prompt_ids([{"prompt": "a"}], tokenizer, ChatFormat(tokenizer))
    assert lengths[0].shape[1] == len(questions[0]) + 1


def test_a_models_own_sampling_settings_do_not_make_answers_random(recwarn):
    model, tokenizer = random_llama(), tokenizer_with()
    plain = Instruction(max_new_tokens=6).predict(model, tokenizer, {}, [{"prompt": "a"}], 1)
    model.generation_config.update(do_sample=True, temperature=5.0, top_p=0.5, repetition_penalty=9.0)
    model.generation_config.update(no_repeat_ngram_size=1, max_length=20)
    own = model.generation_config
    assert Instruction(max_new_tokens=6).predict(model, tokenizer, {}, [{"prompt": "a"}], 1) == plain
    assert model.generation_config is own


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (
            {"rag": "{{ messages }}", "tool_use": "{{ messages }}"},
            "chat templates for rag, tool_use, and none named default",
        ),
        ("{% for m in messages %}", "the tokenizer's chat template is no template: Unexpected end of template"),
    ],
)
def test_a_template_that_serves_no_row_is_the_models_fault(template, told):
    rows = [{"prompt": "a", "completion": "b"}]
    with pytest.raises(ModelError, match=told):
        list(Instruction().encode(rows, tokenizer_with(template), {}))


def test_the_template_named_default_is_taken():
    several = tokenizer_with(
        {"default": "{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}", "rag": "nothing"}
    )
    (example,) = Instruction().encode([{"prompt": "a", "completion": "b"}], several, {})
    assert several.decode(example.input_ids) == "a<eos>b<eos>"


def test_a_long_question_leaves_room_for_its_answer():
    task, tokenizer = Instruction(max_length=60, max_new_tokens=20), byte_tokenizer(model_max_length=64)
    (ids,) = task._prompt_ids([{"prompt": "x" * 200 + "end"}], tokenizer, ChatFormat(tokenizer))
    assert len(ids) == 44
    assert tokenizer.decode(ids).endswith("xend\n")
    with pytest.raises(ConfigError, match=r"task\.max_new_tokens"):
        Instruction(max_new_tokens=64)._prompt_ids([{"prompt": "x"}], tokenizer, ChatFormat(tokenizer))


@pytest.mark.parametrize("max_new_tokens", [0, -1, 1.5, True, None])
def test_an_answer_without_length_is_refused(max_new_tokens):
    with pytest.raises(ConfigError, match=r"task\.max_new_tokens"):
        Instruction(max_new_tokens=max_new_tokens)


def test_a_question_that_cannot_be_asked_is_named_by_its_row():
    with pytest.raises(DataError, match=r"^row 2: prompt is empty"):
        Instruction().predict(random_llama(), tokenizer_with(), {}, [{"prompt": "a"}, {"prompt": " "}], 1)


def test_inputs_are_what_is_said_to_the_model_and_targets_what_it_says():
    task = Instruction()
    assert (task.input_text(PAIR), task.target_text(PAIR)) == ("Hi?", "Yes.")
    assert (task.input_text(TURNS), task.target_text(TURNS)) == ("Short.\nOne?\nThree?", "two\nfour")


@pytest.mark.parametrize("columns", [("prompt",), ("completion", "text"), ()])
def test_half_a_pair_of_columns_is_not_enough(columns):
    with pytest.raises(DataError, match="'prompt' and 'completion', or 'messages'"):
        Instruction().check_columns(columns)
    Instruction().check_columns((*columns, "messages"))
