"""The README of an exported winner: Hugging Face's metadata, the model's card, how it is served and loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftsweep.analysis.model_card import model_card, text_table
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.harness import winner_harness_table
from ftsweep.store.atomic import read_json

_PIPELINES = {
    "Classification": "text-classification",
    "MultiLabel": "text-classification",
    "Regression": "text-classification",
    "TokenClassification": "token-classification",
    "MaskedText": "fill-mask",
}
"""By task; all others generate text."""

_ADAPTER = "adapter_config.json"
_VLLM_RANKS = (16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` may be; the first is what vLLM takes without it."""


def with_card(readme: str, overview: StudyOverview, folder: Path, manifest: Mapping[str, Any]) -> str:
    """An exported folder's README.md behind the metadata and the model's card.

    `manifest` is the folder's `ftsweep.json`; the study has a chosen model.
    """
    result = overview.result
    trial = overview.state.trial(result.number) if result.number is not None else None
    parts = [_harness(overview), _serving(folder, manifest), readme.replace("# Trial", "## Trial", 1).strip()]
    loading = "\n\n".join(filter(None, parts))
    card = model_card(
        result,
        overview.objective,
        study=overview.name,
        branch=trial.proposal.branch if trial else "",
        config=manifest,
        params=manifest["params"],
        loading=loading,
    )
    return f"---\n{_metadata(overview, folder, manifest)}\n---\n\n{card}\n"


def _metadata(overview: StudyOverview, folder: Path, manifest: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    task = _class_name(manifest["task"])
    pipeline = _PIPELINES.get(task, "text-generation")
    result, name = overview.result, overview.name
    tested = result.test.get(result.model.name, {}) if result.model is not None else {}
    scores = {metric: value for metric, value in tested.items() if math.isfinite(value)}
    base = manifest["model"].get("name")
    card = ModelCardData(
        base_model=base,
        library_name={"": "ftsweep", "whole": "transformers"}.get(_kind(folder), "peft"),
        pipeline_tag=pipeline,
        tags=["ftsweep", _class_name(manifest["strategy"]).lower()],
        metrics=sorted(scores) or None,
        model_name=name,
        eval_results=[
            EvalResult(pipeline, "custom", f"test split of {name}", metric, value) for metric, value in scores.items()
        ]
        or None,
    )
    return str(card.to_yaml()).strip()


def _harness(overview: StudyOverview) -> str:
    """What lm-eval's tasks say of it, if they were asked."""
    table = winner_harness_table(overview)
    if table is None:
        return ""
    heads = [column.name for column in table.columns]
    return "lm-eval:\n\n" + text_table(heads, [[cell.text for cell in row.cells] for row in table.rows])


def _serving(folder: Path, manifest: Mapping[str, Any]) -> str:
    """How vLLM takes it, of a model that generates text."""
    kind = _kind(folder)
    if _class_name(manifest["task"]) in _PIPELINES or kind == "":
        return ""
    if kind in ("PROMPT_TUNING", "PREFIX_TUNING"):
        return "vLLM does not take virtual tokens; transformers with PEFT does."
    if kind == "whole":
        return "vLLM: `vllm serve FOLDER`."
    adapter = read_json(folder / _ADAPTER)
    if kind != "LORA" or adapter.get("use_dora") or adapter.get("modules_to_save"):
        return "vLLM takes the folder that `ftsweep best --export FOLDER --merge` writes: `vllm serve FOLDER`."
    base = manifest["model"].get("name") or "FOLDER/base"
    rank = max([int(adapter.get("r") or 0), *(adapter.get("rank_pattern") or {}).values()])
    room = next((size for size in _VLLM_RANKS if size >= rank), rank)
    more = f" --max-lora-rank {room}" if rank > _VLLM_RANKS[0] else ""
    return f"vLLM: `vllm serve {base} --enable-lora{more} --lora-modules tuned=FOLDER`."


def _kind(folder: Path) -> str:
    """What lies there: `whole`, an adapter of PEFT by its type, or "" for no model of its own."""
    adapter = folder / _ADAPTER
    if adapter.is_file():
        return str(read_json(adapter).get("peft_type", ""))
    return "whole" if (folder / "config.json").is_file() else ""


def _class_name(node: Mapping[str, Any]) -> str:
    return str(node["_target_"]).rpartition(".")[2]
