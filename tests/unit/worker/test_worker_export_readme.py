"""The README of an exported folder asks the model as `ftsweep predict` does."""

from __future__ import annotations

import json
import string

import pytest
from exported_models import CPU, TASKS, exported
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ftsweep.models.local import LocalModel
from ftsweep.models.saving import save_whole
from ftsweep.serving.model import load_predictor
from ftsweep.tasks.encoding.bio import type_of
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.worker.portable_export import open_elsewhere

TURNS = "{% for message in messages %}{{ message['role'] + ':' + message['content'] + '<end>' }}{% endfor %}" + (
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)
"""A turn ends with a token that is not the end of a text."""
SEED = 1
"""Of a model that ends its answer so, after some tokens."""


def decoder(folder, tokenizer=None):
    save_whole(random_llama(seed=SEED), folder)
    (tokenizer or byte_tokenizer()).save_pretrained(folder)
    return LocalModel(path=str(folder))


def letters():
    """A token per letter, and one for the space before each word, the first one's as well, as SentencePiece has it."""
    vocabulary = {token: place for place, token in enumerate(["<pad>", "<unk>", "\u2581", *string.printable.strip()])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", model_max_length=512)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("strategy_name", "merge", "tokenizer"),
    [
        *(("lora", False, None), ("lora", True, None), ("pissa", False, None)),
        *(("full", False, byte_tokenizer), ("full", False, letters)),  # a space is a token of its own
    ],
)
def test_the_readme_tags_words_as_ftsweep_does(tmp_path, capsys, strategy_name, merge, tokenizer):
    base = decoder(tmp_path / "base", tokenizer()) if tokenizer else None
    folder = exported(tmp_path / "model", "token_classification", strategy_name, base)
    texts = ["the guard's boat, said U.S. harbours of 12", "Zoo a b", "quay", "12 boats", "x"]
    answers = load_predictor(folder, device=CPU).predict([{"text": text} for text in texts])
    open_elsewhere(folder, merge=merge)
    code = (folder / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    code = "\n".join(line for line in code.splitlines() if "peft" not in line.lower()).replace("FOLDER", str(folder))
    for text, answer in zip(texts, answers, strict=True):
        capsys.readouterr()
        exec(code.replace('"a text"', repr(text)), {})
        printed = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert [word for word, _ in printed] == text.split()
        assert [type_of(tag) for _, tag in printed] == [type_of(tag) for tag in answer["tags"]]
    assert len({tag for answer in answers for tag in answer["tags"]}) > 1


@pytest.mark.parametrize("is_decoder", [False, True])
def test_the_readme_asks_for_pairs_as_ftsweep_does(tmp_path, monkeypatch, is_decoder):
    target, schema = TASKS["classification"]
    monkeypatch.setitem(TASKS, "classification", (target, {**schema, "has_pairs": True}))
    folder = exported(tmp_path / "model", "classification", "full", decoder(tmp_path / "base") if is_decoder else None)
    row = {"text": "a text", "text_pair": "another text"}
    expected = load_predictor(folder, device=CPU).predict([row])[0]
    open_elsewhere(folder)
    found = by_line(folder)
    assert found["label"] == expected["label"]
    assert found["score"] == pytest.approx(expected["scores"][expected["label"]], abs=1e-6)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("template", "strategy_name", "merge"),
    [(TURNS, "lora", False), (TURNS, "lora", True), (TURNS, "full", False), (None, "lora", False)],
)
def test_the_line_in_the_readme_answers_as_ftsweep_does(tmp_path, template, strategy_name, merge):
    base = random_llama(seed=SEED)
    base.generation_config.update(do_sample=True, temperature=0.7, repetition_penalty=5.0)  # as Qwen's are
    save_whole(base, tmp_path / "base")
    byte_tokenizer(chat_template=template, extra=["<end>"]).save_pretrained(tmp_path / "base")
    folder = exported(tmp_path / "model", "instruction", strategy_name, LocalModel(path=str(tmp_path / "base")))
    expected = load_predictor(folder, device=CPU).predict([{"prompt": "a question"}])[0]["completion"]
    open_elsewhere(folder, merge=merge)
    assert json.loads((folder / "config.json").read_text())["use_cache"] is True
    answer = by_line(folder)["generated_text"]
    assert (answer if template is None else answer[-1]["content"]).strip().endswith(expected)
    if template is not None:
        assert len(expected) < 40, "it ends at the turn's end"
        assert answer[-1]["content"].strip() == expected
        ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
        assert ends == [2, 3], "for vLLM, which reads it there"


def by_line(folder):
    """What the README's own line makes of the folder."""
    from transformers import pipeline

    (line,) = (line for line in (folder / "README.md").read_text().splitlines() if line.startswith("pipeline("))
    found = eval(line, {"pipeline": lambda task, model: pipeline(task, model=str(folder), device=-1)})
    return found[0] if isinstance(found, list) else found
