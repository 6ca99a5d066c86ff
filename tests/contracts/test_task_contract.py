from __future__ import annotations

import pytest

from ftsweep.models.tiny import TinyModel
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.text import Text
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama
from ftsweep.testing.task import TaskContract


class TestClassificationOfADecoder(TaskContract):
    rows = (
        {"text": "the first of them", "label": "b"},
        {"text": "another", "label": "a"},
        {"text": "and a third one that is the longest of all", "label": "c"},
        {"text": "short", "label": "a"},
        {"text": "the fifth", "label": "b"},
    )
    bad_rows = (
        {"text": "", "label": "a"},
        {"text": "  \n", "label": "a"},
        {"text": None, "label": "a"},
        {"text": 5, "label": "a"},
        {"label": "a"},
        {"text": "no label"},
        {"text": "no label", "label": ""},
        {"text": "not a label", "label": [1]},
        {"text": "half a label", "label": 1.5},
        {"text": "unknown", "label": "z"},
    )

    @pytest.fixture
    def task(self):
        return Classification()

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer()

    @pytest.fixture
    def model(self):
        return random_llama("sequence_classification")


class TestClassificationOfAnEncoder(TestClassificationOfADecoder):
    @pytest.fixture
    def model(self):
        return random_bert()


class TestInstructionWithPrompts(TaskContract):
    rows = (
        {"prompt": "What is it?", "completion": "A thing."},
        {"prompt": "And that, which is a long question?", "completion": "No."},
        {"prompt": "Why", "completion": "Because it is so, and has always been so."},
        {"prompt": "Who?", "completion": "You"},
    )
    bad_rows = (
        {"prompt": "no answer"},
        {"prompt": "empty answer", "completion": " "},
        {"prompt": "", "completion": "no question"},
        {"prompt": "a number", "completion": 5},
        {},
    )

    @pytest.fixture
    def task(self):
        return Instruction(max_new_tokens=4)

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer()

    @pytest.fixture
    def model(self):
        return random_llama()


def turns(*contents: str, first: tuple[str, ...] = ("user", "assistant")) -> dict[str, list[dict[str, str]]]:
    return {
        "messages": [{"role": first[index % len(first)], "content": content} for index, content in enumerate(contents)]
    }


class TestInstructionWithMessages(TestInstructionWithPrompts):
    rows = (
        turns("What is it?", "A thing."),
        turns("One", "two", "three and a little more", "four"),
        turns("Why", "Because it is so, and has always been so."),
        {"messages": [{"role": "system", "content": "Be short."}, *turns("Who?", "You")["messages"]]},
    )
    bad_rows = (
        turns("no answer"),
        turns("one", "two", "the last word is not the assistant's"),
        turns("begins with", "the wrong role", first=("assistant", "user")),
        turns("the same", "role twice", first=("user",)),
        turns("an unknown", "role", first=("user", "robot")),
        turns("an empty answer", ""),
        turns("a late", "system message", first=("user", "system")),
        {"messages": []},
        {"messages": "not a list"},
        {"messages": [{"role": "user"}, {"role": "assistant", "content": "x"}]},
        {"messages": ["not", "mappings"]},
        {"messages": [{"role": "system", "content": "alone"}]},
    )


class TestInstructionOfTheEmbeddedModel(TestInstructionWithMessages):
    @pytest.fixture
    def tokenizer(self):
        return TinyModel().tokenizer()

    @pytest.fixture
    def model(self):
        import torch

        return TinyModel().load("causal_lm", labels=None, dtype=torch.float32, device=torch.device("cpu"))


class TestText(TaskContract):
    rows = (
        {"text": "A first document. " * 5},
        {"text": "A second one, short."},
        {"text": "The third is so long that it fills more than one block. " * 12},
        {"text": "The last."},
    )
    bad_rows = ({"text": ""}, {"text": None}, {"text": 3}, {})

    @pytest.fixture
    def task(self):
        return Text(max_length=64)

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer()

    @pytest.fixture
    def model(self):
        return random_llama()
