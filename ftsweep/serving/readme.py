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


_TAGS = (
    'asked = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")',
    "ids, offsets = asked.input_ids[0].tolist(), asked.pop('offset_mapping')[0].tolist()",
    "best = model(**asked).logits[0].argmax(-1).tolist()",
    'spaces = tokenizer(" ", add_special_tokens=False).input_ids',
    "ends = [0 if token in spaces else end for token, (_, end) in zip(ids, offsets)]",
    "start = 0",
    "for word in text.split():  # its first token tells that is no space",
    "    place = next((place for place, end in enumerate(ends) if end > start), -1)",
    "    print(word, model.config.id2label[best[place]])",
    "    start += len(word) + 1",
)
"""The tags of a text's words as they are measured: transformers' pipeline takes signs inside of words, and spaces that
are tokens of their own, for words."""


def readme_of(
    folder: Path, manifest: Mapping[str, Any], end_ids: Sequence[int] = (), *, second_text: str = "another text"
) -> str:
    """The text, by what lies in the folder.

    Args:
        end_ids: The tokens at which an answer ends, where it is generated.
        second_text: The second text of an example of a pair, as the tokenizer is given it.
    """
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
    if head == "token_classification" and not has_virtual:
        lines += _tagging(manifest)
    elif not has_virtual:
        call = f'pipeline("{pipeline}", model="FOLDER"){_arguments(head, task, manifest, folder, end_ids, second_text)}'
        lines += ["from transformers import pipeline", call]
    lines += [*(_with_peft(auto) if is_adapter else ()), "```", ""]
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


def _with_peft(auto: str) -> list[str]:
    """How PEFT opens an adapter."""
    if auto != "MaskedLM":
        return [f"from peft import AutoPeftModelFor{auto}", f'AutoPeftModelFor{auto}.from_pretrained("FOLDER")']
    return [  # PEFT has no class of its own for these
        "from peft import PeftModel",
        "from transformers import AutoModelForMaskedLM",
        'PeftModel.from_pretrained(AutoModelForMaskedLM.from_pretrained("BASE"), "FOLDER")  # BASE: the model',
    ]


def _head_in(folder: Path, *, is_adapter: bool) -> str:
    """The head of the model that lies there: its files tell, whatever class its task has."""
    file = folder / ("adapter_config.json" if is_adapter else "config.json")
    config = json.loads(file.read_text(encoding="utf-8"))
    if is_adapter:
        return _HEADS.get(config["task_type"], "causal_lm")
    name = (config.get("architectures") or [""])[0]
    return next((head for head, (_, ending) in _AUTO.items() if name.endswith(f"For{ending}")), "causal_lm")


def _tagging(manifest: Mapping[str, Any]) -> list[str]:
    """How the words of a text are tagged."""
    is_parted = bool(manifest["schema"].get("parts_signs"))
    words = '(word for word, _ in parter.pre_tokenize_str("a text"))' if is_parted else '("a text".split())'
    return [
        *(_PARTER if is_parted else ()),
        "from transformers import AutoModelForTokenClassification, AutoTokenizer",
        'tokenizer = AutoTokenizer.from_pretrained("FOLDER")',
        'model = AutoModelForTokenClassification.from_pretrained("FOLDER")',
        f'text = " ".join{words}',
        *_TAGS,
    ]


def _arguments(
    head: str, task: str, manifest: Mapping[str, Any], folder: Path, end_ids: Sequence[int], second_text: str
) -> str:
    """What the pipeline is called with, so that it answers as it was measured."""
    length = manifest["task"].get("max_length")
    if head == "sequence_classification":
        more = ", top_k=None" if task == "MultiLabel" else ""
        has_pairs = manifest["schema"].get("has_pairs")
        text = json.dumps({"text": "a text", "text_pair": second_text} if has_pairs else "a text")
        return f"({text}, truncation=True, max_length={length}{more})"
    if head == "masked_lm":
        return f'("a {_tokenizer(folder).get("mask_token", "[MASK]")}")'
    if task == "Text":
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
        how = "`ftsweep predict` asks longer texts in parts of" if task == "TokenClassification" else "Texts are cut at"
        notes.append(f"Labels: {', '.join(map(str, labels))}. {how} {manifest['task'].get('max_length')} tokens.")
    if task == "Regression":
        notes.append(
            f"The head's output is in units of train's deviation; the value is output x {schema['sd']!r} + "
            f"{schema['mean']!r}."
        )
    if task == "TokenClassification":
        notes.append(
            "A word has the label of its first token. `ftsweep predict` answers with words and entities. transformers' "
            '`pipeline("token-classification", model="FOLDER", aggregation_strategy="first")` takes signs '
            "inside of words for words of their own and may answer otherwise."
        )
        if schema.get("parts_signs"):
            notes.append("In train signs of sentences are words of their own, so the text is parted at them first.")
    return notes
