"""What a model's folder must hold to be fine-tuned, and what is said of one that holds something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ftsweep.errors import ModelError

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
)
"""Any one of them is a vocabulary."""
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
"""All weights, or which file each of them lies in."""
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_BY_RUNTIME = {"*.gguf": "GGUF", "*.onnx": "ONNX", "onnx/*.onnx": "ONNX", "openvino_model.xml": "OpenVINO"}
"""Formats of programs that only answer."""
_BY_FRAMEWORK = {"tf_model.h5": "TensorFlow", "flax_model.msgpack": "Flax"}
"""Formats that transformers read before version 5."""
_POINTER = b"version https://git-lfs"
_MOST_NAMED = 3


def check_folder(folder: Path) -> None:
    """Raise ModelError when something is absent that loading needs, saying what and how to get it."""
    where = where_of(folder)
    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        raise ModelError(
            what, where=where, remedy="Name a folder with config.json, a tokenizer and safetensors weights."
        )
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"this folder holds a PEFT adapter, not a base model{_base_of_adapter(folder)}",
            where=where,
            remedy="Name the base model, or merge the adapter into it first (peft's merge_and_unload) and save that.",
        )
    if not (folder / "config.json").is_file():
        _refuse_without_config(folder, where)
    _check_weight_files(folder, where)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            "the folder has no tokenizer",
            where=where,
            remedy="Put the tokenizer's files there: AutoTokenizer.from_pretrained(...).save_pretrained(folder).",
        )
    _check_no_pointers(folder, where)


def where_of(folder: Path) -> str:
    """The key and value that a person would change."""
    return f"model.path={folder}"


def _refuse_without_config(folder: Path, where: str) -> None:
    below = sorted((file.parent for level in ("*", "*/*") for file in folder.glob(f"{level}/config.json")), key=_order)
    below = [each for each in below if any(each.glob("*.safetensors")) or _pickles_in(each)]
    if below:
        names = [str(each.relative_to(folder)) for each in below]
        raise ModelError(
            f"the folder has no config.json, and {_listed(names)} below it {'has' if len(names) == 1 else 'have'}",
            where=where,
            remedy=f"Name the folder of the model itself, for example {where_of(below[-1])}.",
        )
    _refuse_other_formats(folder, where)
    raise ModelError("the folder has no config.json", where=where, remedy="Save the model there with save_pretrained.")


def _check_weight_files(folder: Path, where: str) -> None:
    if (folder / WEIGHTS).is_file():
        return
    if (folder / INDEX).is_file():
        _check_parts(folder, where)
        return
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        raise ModelError(
            f"the folder has {_listed(others)}, but no {WEIGHTS}, and no {INDEX} that says what lies in which file",
            where=where,
            remedy="Get all files of the model again, as transformers reads it: save_pretrained writes them.",
        )
    pickles = _pickles_in(folder)
    if pickles:
        raise ModelError(
            f"the weights are pickled ({pickles[0]}), and a pickle can run any code when it is opened",
            where=where,
            remedy="If you trust it, convert it once with transformers: load it with from_pretrained and write it with "
            "save_pretrained, which makes model.safetensors.",
        )
    _refuse_other_formats(folder, where)
    raise ModelError("the folder has no *.safetensors weights", where=where, remedy="Save the model there again.")


def _check_parts(folder: Path, where: str) -> None:
    try:
        parts = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(
            f"{INDEX} does not say which weights lie in which file", where=where, remedy="Get this file again."
        ) from None
    lost = sorted(str(part) for part in parts if not (folder / str(part)).is_file())
    if lost:
        raise ModelError(
            f"of the {len(parts)} files with its weights {_listed(lost)} {'is' if len(lost) == 1 else 'are'} absent",
            where=where,
            remedy="Get these files again.",
        )


def _refuse_other_formats(folder: Path, where: str) -> None:
    """Where the weights are written for something else than training with torch."""
    for pattern, form in (_BY_RUNTIME | _BY_FRAMEWORK).items():
        found = sorted(str(path.relative_to(folder)) for path in folder.glob(pattern))
        if not found:
            continue
        if pattern in _BY_RUNTIME:
            what = f"the weights are in the format {form} ({found[0]}), which is for answering and cannot be trained"
            remedy = "Name the model that it was made from, in safetensors."
        else:
            what = f"the weights are those of {form} ({found[0]})"
            remedy = "Get the model in safetensors, or convert it once with a version of transformers below 5."
        raise ModelError(what, where=where, remedy=remedy)


def _check_no_pointers(folder: Path, where: str) -> None:
    """Refuse a clone without its large files: of each it has a few lines that say what should stand there."""
    for path in sorted((*folder.glob("*.safetensors"), *(folder / name for name in TOKENIZER_FILES))):
        if path.is_file() and _begins_as_pointer(path):
            raise ModelError(
                f"{path.name} is no more than git's pointer to the file",
                where=where,
                remedy=f"Fetch the files themselves: git -C {folder} lfs pull.",
            )


def _begins_as_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def _pickles_in(folder: Path) -> list[str]:
    return sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))


def _base_of_adapter(folder: Path) -> str:
    try:
        name = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" (its base is {name!r})"


def _order(folder: Path) -> list[tuple[int, str]]:
    """Numbers in names count as numbers: checkpoint-1000 after checkpoint-500."""
    return list(_numbers_and_words(str(folder)))


def _numbers_and_words(name: str) -> Iterator[tuple[int, str]]:
    for part in re.split(r"(\d+)", name):
        yield (int(part), "") if part.isdecimal() else (-1, part)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
