"""An exported folder that opens without ftsweep: label names, problem type, padding token and base go with it.

An adapter alone has none of these: transformers would call the labels LABEL_0, LABEL_1, and would look for the base
where it lay on the machine that trained.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from ftsweep.config.build import build
from ftsweep.errors import UsageError
from ftsweep.models.base import LANGUAGE_HEADS
from ftsweep.models.origin import Origin
from ftsweep.models.saving import save_whole
from ftsweep.models.tokenizer import read_tokenizer
from ftsweep.serving.model import BASE, MANIFEST, NEW, is_whole, load_predictor, source_of
from ftsweep.serving.readme import readme_of
from ftsweep.store.atomic import read_json, remove, write_json, written_folder
from ftsweep.strategies.base import fresh_modules
from ftsweep.tasks.sequence import second_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.tasks.base import Task

ADAPTER = "adapter_config.json"
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_WEIGHTS = "model.safetensors"
_VERSION = "transformers_version"


def open_elsewhere(folder: Path, *, merge: bool = False, allowed: Sequence[str] | None = None) -> None:
    """Complete a folder that `export_model` wrote, on the CPU and in float32; with `merge` it becomes a whole model.

    An unmerged adapter gets its base beside it, with the task's labels in its configuration: in `base/` as PEFT looks
    for it, and at the top as transformers does. Of a language model on the hub the name of the base is enough.

    Raises:
        UsageError: the model is none that can be merged; nothing is written.
    """
    manifest = dict(read_json(folder / MANIFEST))
    is_adapter = (folder / ADAPTER).is_file()
    if merge and not is_whole(folder):
        check_mergeable(folder)
        _merge(folder, manifest, allowed)
    elif is_adapter:
        _add_base(folder, manifest, allowed)
    manifest = dict(read_json(folder / MANIFEST))
    tokenizer = read_tokenizer(Origin(str(folder), where=str(folder)))
    task = build(manifest["task"], allowed=manifest["allow"] if allowed is None else allowed)
    text = readme_of(
        folder, manifest, _end_answers(folder, task, tokenizer), second_text=second_text(tokenizer, "another text")
    )
    readme = folder / "README.md"
    readme.write_text(text, encoding="utf-8")
    for file in folder.rglob("*.safetensors"):  # they are written for their owner alone
        file.chmod(readme.stat().st_mode)


def check_mergeable(folder: Path) -> None:
    """Raise UsageError when the model in a folder is neither whole nor an adapter that can be merged."""
    if is_whole(folder):
        return
    is_adapter = (folder / ADAPTER).is_file()
    if not is_adapter or "num_virtual_tokens" in read_json(folder / ADAPTER):
        why = "its virtual tokens stand beside the base, not in it" if is_adapter else "what it learned are prompts"
        raise UsageError(f"this model cannot be merged: {why}", where="--merge", remedy="Export it without --merge.")


def _merge(folder: Path, manifest: dict[str, Any], allowed: Sequence[str] | None) -> None:
    predictor = load_predictor(folder, allowed=allowed, device=torch.device("cpu"), is_exact=True)
    model = predictor.strategy.merged(predictor.model)
    _describe(model, predictor.task)
    with written_folder(folder) as temporary:
        save_whole(model, temporary)
        predictor.tokenizer.save_pretrained(temporary)
        write_json(temporary / MANIFEST, {**manifest, "merged": True})


def _add_base(folder: Path, manifest: dict[str, Any], allowed: Sequence[str] | None) -> None:
    allowed = manifest["allow"] if allowed is None else allowed
    task, strategy = build(manifest["task"], allowed=allowed), build(manifest["strategy"], allowed=allowed)
    source = source_of(folder, manifest, allowed)
    config = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
    head = strategy.head_for(task)
    hub_name = manifest["model"].get("name")
    if head in LANGUAGE_HEADS and hub_name:
        config |= {"base_model_name_or_path": hub_name, "revision": manifest["model"].get("revision")}
    else:
        labels = manifest["schema"].get("labels")
        base = source.load(head, labels=labels, dtype=torch.float32, device=torch.device("cpu"))
        _describe(base, task)
        new = list(fresh_modules(base, head))
        remove(folder / BASE)
        save_whole(base, folder / BASE, _with_trained(base.state_dict(), new, folder / _ADAPTER_WEIGHTS))
        write_json(folder / MANIFEST, {**manifest, NEW: new})
        source.tokenizer().save_pretrained(folder / BASE)
        config["base_model_name_or_path"] = str((folder / BASE).absolute())
        if "num_virtual_tokens" not in config:  # transformers itself adds no virtual tokens
            _put_base_on_top(folder)
    write_json(folder / ADAPTER, config)


def _with_trained(weights: dict[str, Any], new: Sequence[str], adapter: Path) -> dict[str, Any]:
    """A base's weights with the new head as the adapter has it; transformers would say that it is missing, and is to be
    trained, before it reads the adapter.
    """
    trained = load_file(adapter)
    begins = tuple(f"{name}." for name in new)
    found: dict[str, Any] = {}
    for name, weight in weights.items():
        own = next((key for key in trained if key.endswith(f".{name}")), None) if name.startswith(begins) else None
        if own is not None:
            found[name] = trained[own]
        elif not name.startswith(begins):
            found[name] = weight
    return found


def _put_base_on_top(folder: Path) -> None:
    """The base at the top of the folder, too: so transformers finds it wherever the folder is moved to."""
    for name in ("config.json", "generation_config.json"):
        if (folder / BASE / name).is_file():
            shutil.copy2(folder / BASE / name, folder / name)
    target = folder / _WEIGHTS
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(folder / BASE / _WEIGHTS)
    except OSError:  # a file system without links
        shutil.copy2(folder / BASE / _WEIGHTS, target)


def _end_answers(folder: Path, task: Task, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Have other tools answer as was measured, by whole models' generation_config.json: the likeliest token each time,
    to where the task's answers end, without the base's own settings (sampling, penalties). The tokens that end an
    answer, [] for a task that generates none.
    """
    end_ids = list(task.answer_ends(tokenizer))
    if not end_ids:
        return []
    for place in (folder, folder / BASE):
        if (place / "config.json").is_file():
            file = place / "generation_config.json"
            said = read_json(file) if file.is_file() else {}
            kept = {key: value for key, value in said.items() if key.endswith("_token_id") or key == _VERSION}
            write_json(file, {**kept, "do_sample": False, "use_cache": True, "eos_token_id": end_ids})
    return end_ids


def _describe(model: PreTrainedModel, task: Any) -> None:
    """Put into the configuration what tools outside of ftsweep ask for."""
    if task.problem_type is not None:
        model.config.problem_type = task.problem_type
