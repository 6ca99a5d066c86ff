from __future__ import annotations

import pytest

from ftsweep.models.tiny import TinyModel
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.masked_text import MaskedText
from ftsweep.tasks.multi_label import MultiLabel
from ftsweep.tasks.preference import Preference
from ftsweep.tasks.regression import Regression
from ftsweep.tasks.text import Text
from ftsweep.tasks.token_classification import TokenClassification
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


class TestClassificationOfPairs(TestClassificationOfAnEncoder):
    rows = (
        {"text": "the first", "text_pair": "of them", "label": "b"},
        {"text": "another", "text_pair": "one, which goes on for longer", "label": "a"},
        {"text": "and a third one that is the longest", "text_pair": "of all", "label": "c"},
        {"text": "short", "text_pair": "too", "label": "a"},
    )
    bad_rows = (
        {"text": "no pair", "label": "a"},
        {"text": "an empty pair", "text_pair": "", "label": "a"},
        {"text_pair": "no text", "label": "a"},
        {"text": "no label", "text_pair": "either"},
    )


class TestClassificationWithWeightsAndSmoothing(TestClassificationOfAnEncoder):
    @pytest.fixture
    def task(self):
        return Classification(class_weights={"a": 3}, label_smoothing=0.2)


class TestMultiLabelOfADecoder(TaskContract):
    rows = (
        {"text": "the first of them", "labels": ["b", "a"]},
        {"text": "another", "labels": []},
        {"text": "and a third one that is the longest of all", "labels": ["c"]},
        {"text": "short", "labels": ("a", "b", "a")},
        {"text": "the fifth", "labels": ["b"]},
    )
    bad_rows = (
        {"text": "", "labels": ["a"]},
        {"labels": ["a"]},
        {"text": "no labels"},
        {"text": "text, not a list", "labels": "a, b"},
        {"text": "a mapping", "labels": {"a": 1}},
        {"text": "a number", "labels": 1},
        {"text": "an empty label", "labels": ["a", ""]},
        {"text": "a list in a list", "labels": [["a"]]},
        {"text": "unknown", "labels": ["a", "z"]},
    )

    @pytest.fixture
    def task(self):
        return MultiLabel()

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer()

    @pytest.fixture
    def model(self):
        return random_llama("sequence_classification")


class TestMultiLabelOfAnEncoder(TestMultiLabelOfADecoder):
    @pytest.fixture
    def model(self):
        return random_bert()


class TestRegressionOfADecoder(TaskContract):
    rows = (
        {"text": "the first of them", "label": 3},
        {"text": "another", "label": -0.5},
        {"text": "and a third one that is the longest of all", "label": "12.5"},
        {"text": "short", "label": 1e3},
        {"text": "the fifth", "label": 0},
    )
    bad_rows = (
        {"text": "", "label": 1},
        {"label": 1},
        {"text": "no number"},
        {"text": "no number", "label": ""},
        {"text": "no number", "label": "many"},
        {"text": "a boolean", "label": True},
        {"text": "no finite number", "label": float("nan")},
        {"text": "no finite number", "label": "inf"},
        {"text": "a list", "label": [1.0]},
    )

    @pytest.fixture
    def task(self):
        return Regression()

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer()

    @pytest.fixture
    def model(self):
        return random_llama("sequence_classification", num_labels=1)


class TestRegressionOfAnEncoder(TestRegressionOfADecoder):
    @pytest.fixture
    def model(self):
        return random_bert(num_labels=1)


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
        {"prompt": "a fraction, which may be written in many ways", "completion": 0.5},
        {"prompt": "a list", "completion": ["5"]},
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
        turns("one", "two", "the last word is not the assistant's"),
        turns("Why", "Because it is so, and has always been so."),
        {"messages": [{"role": "system", "content": "Be short."}, *turns("Who?", "You")["messages"]]},
    )
    bad_rows = (
        turns("no answer"),
        turns("answers", "nobody's question", first=("assistant", "user")),
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


class TestTextUnpacked(TestText):
    @pytest.fixture
    def task(self):
        return Text(max_length=64, packed=False)


class TestTokenClassificationOfADecoder(TaskContract):
    rows = (
        {"tokens": ["Ada", "Lovelace", "wrote", "to", "Babbage", "."], "tags": ["B-a", "I-a", "O", "O", "B-a", "O"]},
        {"tokens": ["London", "is", "naïve", "\u200b"], "tags": ["B-b", "O", "O", "O"]},
        {"tokens": ["nothing"], "tags": ["O"]},
        {"tokens": ("an", "I", "begins", "it", ""), "tags": ("O", "I-b", "I-b", "O", "O")},
    )
    bad_rows = (
        {"tokens": [], "tags": []},
        {"tokens": None, "tags": ["O"]},
        {"tokens": "one text", "tags": ["O", "O"]},
        {"tokens": {"a": 1}, "tags": ["O"]},
        {"tokens": ["a", 5], "tags": ["O", "O"]},
        {"tokens": [" ", ""], "tags": ["O", "O"]},
        {"tokens": ["a", "b"], "tags": ["O"]},
        {"tokens": ["a"], "tags": "O"},
        {"tokens": ["a"], "tags": [0]},
        {"tokens": ["a"], "tags": [None]},
        {"tokens": ["a"], "tags": ["S-a"]},
        {"tokens": ["a"], "tags": ["B-unknown"]},
        {"tokens": ["a"]},
        {"text": "only a text"},
        {},
    )

    @pytest.fixture
    def task(self):
        return TokenClassification()

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer()

    @pytest.fixture
    def model(self):
        return random_llama("token_classification", num_labels=5)


class TestTokenClassificationOfAnEncoder(TestTokenClassificationOfADecoder):
    @pytest.fixture
    def model(self):
        return random_bert("token_classification", num_labels=5)


class TestTokenClassificationThatIsCut(TestTokenClassificationOfADecoder):
    @pytest.fixture
    def task(self):
        return TokenClassification(max_length=16)


class TestTokenClassificationOfTheEmbeddedModel(TestTokenClassificationOfADecoder):
    @pytest.fixture
    def tokenizer(self):
        return TinyModel().tokenizer()

    @pytest.fixture
    def model(self):
        import torch

        labels = ["O", "B-a", "I-a", "B-b", "I-b"]
        return TinyModel().load("token_classification", labels=labels, dtype=torch.float32, device=torch.device("cpu"))


class TestPreferenceWithoutAReference(TaskContract):
    rows = (
        {"prompt": "What is it?", "chosen": "A thing.", "rejected": "No thing at all."},
        {"prompt": "And that, which is a long question?", "chosen": "No.", "rejected": "Yes"},
        {"prompt": "Why", "chosen": "Because it is so, and has always been so.", "rejected": "So"},
        {"prompt": "Who?", "chosen": "You", "rejected": "Me"},
    )
    bad_rows = (
        {"prompt": "no answers"},
        {"prompt": "one answer", "chosen": "yes"},
        {"prompt": "an empty answer", "chosen": "yes", "rejected": ""},
        {"prompt": "the same answer", "chosen": "yes", "rejected": "yes"},
        {"prompt": "fractions", "chosen": 0.1, "rejected": 0.2},
        {"chosen": "no question", "rejected": "at all"},
        {},
    )

    @pytest.fixture
    def task(self):
        return Preference(loss="orpo")

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer()

    @pytest.fixture
    def model(self):
        return random_llama()


class TestPreferenceWithAReference(TestPreferenceWithoutAReference):
    @pytest.fixture
    def task(self):
        return Preference(beta=0.5)

    def reference(self, example):
        chosen, chosen_start, rejected, rejected_start = example.labels
        return (-5.0 * (chosen - chosen_start), -4.9 * (rejected - rejected_start))


class TestPreferenceOfConversations(TestPreferenceWithAReference):
    rows = (
        {"chosen": turns("Hi", "Hello")["messages"], "rejected": turns("Hi", "Go away")["messages"]},
        {
            "prompt": "Hi",
            "chosen": turns("Hi", "Hello", "Who?", "Me")["messages"],
            "rejected": turns("Hi", "Hello", "Who?", "Nobody")["messages"],
        },
        {
            "prompt": [{"role": "user", "content": "Why"}],
            "chosen": [{"role": "assistant", "content": "Because"}],
            "rejected": [{"role": "assistant", "content": "Just so"}],
        },
        {"chosen": "\n\nHuman: One\n\nAssistant: Two", "rejected": "\n\nHuman: One\n\nAssistant: Three"},
    )
    bad_rows = (
        {"chosen": turns("Hi", "Hello")["messages"], "rejected": turns("Ho", "Hello")["messages"]},
        {"chosen": turns("Hi")["messages"], "rejected": turns("Hi", "Hello")["messages"]},
        {"chosen": [], "rejected": []},
    )

    @pytest.fixture
    def task(self):
        return Preference(loss="ipo", max_length=40)


class TestMaskedText(TaskContract):
    rows = TestText.rows
    bad_rows = TestText.bad_rows

    @pytest.fixture
    def task(self):
        return MaskedText(max_length=64)

    @pytest.fixture
    def tokenizer(self):
        return byte_tokenizer(extra=["<mask>"], mask_token="<mask>")

    @pytest.fixture
    def model(self):
        return random_bert("masked_lm")


class TestMaskedTextUnpacked(TestMaskedText):
    @pytest.fixture
    def task(self):
        return MaskedText(max_length=64, packed=False)
