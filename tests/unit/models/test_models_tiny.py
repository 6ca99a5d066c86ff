from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ftsweep.models.tiny import FOLDER, TinyModel

CPU = torch.device("cpu")
VOCABULARY_HASH = "a214501d5eb63a806452da990b82ef3ecfe6d3d719f2ba132392dde860992685"
CONVERSATION = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "What is a list?"},
    {"role": "assistant", "content": "A mutable sequence."},
    {"role": "user", "content": "And a tuple?"},
    {"role": "assistant", "content": "An immutable one."},
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return TinyModel().tokenizer()


def test_the_weights_stay_small_and_in_float16() -> None:
    path = FOLDER / "model.safetensors"
    assert path.stat().st_size <= 4_000_000
    assert {value.dtype for value in load_file(path).values()} == {torch.float16}
    assert path.stat().st_mode & 0o444 == 0o444, "others must be able to read it when it is installed"


def test_the_vocabulary_never_changes() -> None:
    """Every prepared set and every adapter trained on the embedded model rests on these very tokens."""
    assert hashlib.sha256((FOLDER / "tokenizer.json").read_bytes()).hexdigest() == VOCABULARY_HASH


def test_any_text_survives_the_tokenizer(tokenizer: Any) -> None:
    text = "def f(x):\n\treturn x**2  # naïve 漢字 🙂\n\n    \x00 done. '' isn't , 1234567"
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_begin_end_and_padding_are_three_tokens(tokenizer: Any) -> None:
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3
    assert tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id


def test_the_template_marks_exactly_what_the_assistant_says(tokenizer: Any) -> None:
    encoded = tokenizer.apply_chat_template(CONVERSATION, return_dict=True, return_assistant_tokens_mask=True)
    said = [token for token, mask in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(said) == "A mutable sequence.<|eos|>An immutable one.<|eos|>"


def test_a_generation_prompt_is_the_beginning_of_the_whole_conversation(tokenizer: Any) -> None:
    prompt = tokenizer.apply_chat_template(CONVERSATION[:2], add_generation_prompt=True)["input_ids"]
    whole = tokenizer.apply_chat_template(CONVERSATION[:3])["input_ids"]
    assert whole[: len(prompt)] == prompt
    assert whole.count(tokenizer.bos_token_id) == 1


def test_an_unknown_role_is_refused_by_the_template(tokenizer: Any) -> None:
    with pytest.raises(Exception, match="roles are system, user and assistant, not tool"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "x"}])


def test_it_has_learned_the_language_that_it_was_shown(tokenizer: Any) -> None:
    """A model with random weights is at 8.3 nats per token."""
    model = TinyModel().load("causal_lm", labels=None, dtype=torch.float32, device=CPU)
    text = "This function returns a list of the names in the current module. If the argument is not given, it is None."
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        assert model(input_ids=ids, labels=ids).loss < 4.5


def test_the_card_states_the_measured_facts() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    model = TinyModel().load("causal_lm", labels=None, dtype=torch.float32, device=CPU)
    assert f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters" in card
    for word in ("PSF", "docstring", "held-out", "make_tiny_model"):
        assert word in card


def run_script(folder: Path) -> dict[str, Any]:
    """Two steps on a few files, in a process of its own: the script sets the seed and the threads for all of torch."""
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes((FOLDER / "tokenizer.json").read_bytes())
    options = ["--out", str(folder), "--steps", "2", "--files", "20"]
    command = [sys.executable, "-m", "ftsweep.models.tiny.make_tiny_model", *options]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout[process.stdout.index("{") :])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_script_makes_the_files_that_are_shipped(tmp_path: Path) -> None:
    facts = run_script(tmp_path / "made")
    shipped = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    made = {path.name: path.read_bytes() for path in (tmp_path / "made").glob("*.json")}
    assert made == shipped
    assert facts["num_parameters"] == 1_311_872
    assert facts["bytes"] == (FOLDER / "model.safetensors").stat().st_size
    assert facts["losses"]["held-out topics"] > 5, "two steps cannot teach it much"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_script_makes_the_same_model_twice(tmp_path: Path) -> None:
    assert run_script(tmp_path / "one")["losses"] == run_script(tmp_path / "two")["losses"]
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)
