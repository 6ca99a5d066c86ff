"""The README of an exported folder: how it is loaded, with the labels and scores that `ftsweep predict` gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftsweep.data.files.text_words import UNSPACED

_AUTO = {
    "sequence_classification": ("text-classification", "SequenceClassification"),
    "token_classification": ("token-classification", "TokenClassification"),
    "causal_lm": ("text-generation", "CausalLM"),
    "masked_lm": ("fill-mask", "MaskedLM"),
}
"""By head: the task of transformers' pipelines, and how its classes of such models end."""

_HEADS = {"SEQ_CLS": "sequence_classification", "TOKEN_CLS": "token_classification", None: "masked_lm"}
"""By PEFT's word for it; all others are language models."""

_PARTER = (
    "from tokenizers import Regex, pre_tokenizers",
    f'unspaced = pre_tokenizers.Split(Regex(r"{UNSPACED}"), "isolated")',
    "parter = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), unspaced])",
)
"""How train's texts were parted at their signs (`ftsweep.data.files.text_words`), for who has no ftsweep."""


def readme_of(folder: Path, manifest: Mapping[str, Any], end_ids: Sequence[int] = ()) -> str:
    """The text, by what lies in the folder. `end_ids`: the tokens at which an answer ends, where it is generated."""
    is_adapter = (folder / "adapter_config.json").is_file()
    is_whole = (folder / "config.json").is_file() and not is_adapter
    lines = [f"# Trial {manifest.get('trial')} of a study of ftsweep", ""]
    lines += ["`ftsweep predict FOLDER rows.csv` answers from it; `ftsweep.json` says how it was trained.", ""]
    if not is_adapter and not is_whole:
        lines += ["It is no model of its own: what it learned are prompts for its base, which only ftsweep asks."]
        return "\n".join(lines) + "\n"
    task = str(manifest["task"]["_target_"]).rpartition(".")[2]
    head = _head_in(folder, is_adapter=is_adapter)
    pipeline, auto = _AUTO[head]
    has_virtual = is_adapter and not (folder / "config.json").is_file() and (folder / "base").is_dir()
    lines += ["```python"]
    if not has_virtual:
        more = ', aggregation_strategy="first"' if head == "token_classification" else ""
        call = f'pipeline("{pipeline}", model="FOLDER"{more}){_arguments(head, task, manifest, folder, end_ids)}'
        lines += [*(_PARTER if "parter." in call else ()), "from transformers import pipeline", call]
    if is_adapter:
        if auto == "MaskedLM":  # PEFT has no class of its own for these
            lines += [
                "from peft import PeftModel",
                "from transformers import AutoModelForMaskedLM",
                'PeftModel.from_pretrained(AutoModelForMaskedLM.from_pretrained("BASE"), "FOLDER")  # BASE: the model',
            ]
        else:
            lines += [f"from peft import AutoPeftModelFor{auto}", f'AutoPeftModelFor{auto}.from_pretrained("FOLDER")']
    lines += ["```", ""]
    if (folder / "base").is_dir():
        lines += [
            "The adapter's base lies in `base/`. `adapter_config.json` names it by its absolute path, as PEFT wants",
            "it. When this folder was moved, write the new path there, or load",
            f'`PeftModel.from_pretrained(AutoModelFor{auto}.from_pretrained("FOLDER/base"), "FOLDER")`.',
            "",
        ]
    if has_virtual and head == "sequence_classification":
        lines += [
            "Ask it one text at a time: behind virtual tokens PEFT has a decoder take padding for the text's end.",
            "",
        ]
    if len(end_ids) > 1:
        lines += [f"An answer ends at any of the tokens {list(end_ids)} (vLLM: `stop_token_ids` of a request).", ""]
    return "\n".join([*lines, *_notes(task, manifest)]) + "\n"


def _head_in(folder: Path, *, is_adapter: bool) -> str:
    """The head of the model that lies there: its files tell, whatever class its task has."""
    file = folder / ("adapter_config.json" if is_adapter else "config.json")
    config = json.loads(file.read_text(encoding="utf-8"))
    if is_adapter:
        return _HEADS.get(config["task_type"], "causal_lm")
    name = (config.get("architectures") or [""])[0]
    return next((head for head, (_, ending) in _AUTO.items() if name.endswith(f"For{ending}")), "causal_lm")


def _arguments(head: str, task: str, manifest: Mapping[str, Any], folder: Path, end_ids: Sequence[int]) -> str:
    """What the pipeline is called with, so that it answers as it was measured."""
    length = manifest["task"].get("max_length")
    if head == "sequence_classification":
        more = ", top_k=None" if task == "MultiLabel" else ""
        return f'("a text", truncation=True, max_length={length}{more})'
    if head == "masked_lm":
        return f'("a {_tokenizer(folder).get("mask_token", "[MASK]")}")'
    if head == "token_classification" and manifest["schema"].get("parts_signs"):
        return '(" ".join(word for word, _ in parter.pre_tokenize_str("a text")))'
    if head == "token_classification" or task == "Text":
        return '("a text")'
    how = f", max_new_tokens={manifest['task'].get('max_new_tokens', 128)}, do_sample=False"
    how += f", eos_token_id={list(end_ids)}" if len(end_ids) > 1 else ""
    if has_chat_template(folder):
        return f'([{{"role": "user", "content": "a question"}}]{how})'
    return f'("a question\\n"{how})'


def has_chat_template(folder: Path) -> bool:
    """Whether the tokenizer in a folder has a template for conversations."""
    return (folder / "chat_template.jinja").is_file() or bool(_tokenizer(folder).get("chat_template"))


def _tokenizer(folder: Path) -> dict[str, Any]:
    """The tokenizer's settings, those of special tokens by their text; {} where none lies there."""
    file = folder / "tokenizer_config.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {
        key: value["content"] if isinstance(value, dict) and "content" in value else value
        for key, value in found.items()
    }


def _notes(task: str, manifest: Mapping[str, Any]) -> list[str]:
    schema = manifest["schema"]
    notes = []
    if labels := schema.get("labels"):
        notes.append(
            f"Labels: {', '.join(map(str, labels))}. Texts are cut at {manifest['task'].get('max_length')} tokens."
        )
    if task == "Regression":
        notes.append(
            f"The head's output is in units of train's deviation; the value is output x {schema['sd']!r} + "
            f"{schema['mean']!r}."
        )
    if task == "TokenClassification":
        notes.append(
            "A word has the label of its first token. `ftsweep predict` answers with words and entities as measured."
        )
        if schema.get("parts_signs"):
            notes.append(
                "In train signs of sentences are words of their own, so the text is parted at them first: `start` and "
                "`end` count in the parted text. An entity of white space alone is none."
            )
    return notes
