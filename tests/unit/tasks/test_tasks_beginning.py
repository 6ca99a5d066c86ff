"""Where no chat template says how a text begins, its tokens are those that the tokenizer alone makes of it."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ftsweep.tasks.instruction import Instruction

VOCABULARY = ["<unk>", "<s>", "</s>", "▁", "\n", *"abc", "▁a", "ab", "▁ab"]
MERGES = [("▁", "a"), ("a", "b"), ("▁a", "b")]


def sentencepiece(prepend: str, template: str) -> PreTrainedTokenizerFast:
    """As Llama's: a word's beginning is a sign of its own, put before a text without a space (first, always) or not."""
    backend = Tokenizer(
        models.BPE({token: number for number, token in enumerate(VOCABULARY)}, MERGES, unk_token="<unk>")
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=False)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<s>", "</s>")])
    backend.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("<s>", 1), ("</s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="</s>", unk_token="<unk>"
    )


@pytest.mark.parametrize("prepend", ["first", "always", "never"])
@pytest.mark.parametrize("template", ["<s> $A", "<s> $A </s>", "$A"])
def test_a_prompt_begins_with_the_tokens_that_it_has_alone(prepend: str, template: str) -> None:
    tokenizer = sentencepiece(prepend, template)
    (example,) = Instruction().encode([{"prompt": "ab c", "completion": "b"}], tokenizer, {})
    alone = tokenizer("ab c")["input_ids"]
    alone = alone[:-1] if template.endswith("</s>") else alone
    assert list(example.input_ids[: len(alone)]) == alone
    assert [label for label in example.labels if label >= 0] == [tokenizer.convert_tokens_to_ids("b"), 2]
