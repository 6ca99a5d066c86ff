"""The model card of an exported winner: Hugging Face's metadata, and where the model comes from and what it scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftsweep.domain.result import StudyResult
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.harness import winner_harness_table
from ftsweep.report.wording import number, param
from ftsweep.store.atomic import read_json

_PIPELINES = {
    "Classification": "text-classification",
    "MultiLabel": "text-classification",
    "Regression": "text-classification",
    "TokenClassification": "token-classification",
    "MaskedText": "fill-mask",
}
"""By task; all others generate text."""


def with_card(readme: str, overview: StudyOverview, folder: Path, manifest: Mapping[str, Any]) -> str:
    """An exported folder's README.md behind the card: metadata, origin, setting, scores.

    `manifest` is the folder's `ftsweep.json`; the study has a chosen model.
    """
    result = overview.result
    metadata = _metadata(overview, folder, manifest)
    parts = [f"---\n{metadata}\n---", f"# {_line(overview.name)}", _line(result.sentence), _origin(overview, manifest)]
    parts += [_scores(result), _harness(overview), _serving(folder, manifest), readme.replace("# Trial", "## Trial", 1)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


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


def _origin(overview: StudyOverview, manifest: Mapping[str, Any]) -> str:
    """Base, data, and the setting that it was trained with."""
    model = manifest["model"]
    base = " at ".join(str(model[key]) for key in ("name", "revision") if model.get(key)) or _class_name(model)
    rows: list[tuple[str, str]] = [("base", base), ("task", _class_name(manifest["task"]))]
    rows.append(("strategy", _class_name(manifest["strategy"])))
    for data in overview.data:
        sizes = ", ".join(f"{split} {count}" for split, count in data.num_rows.items())
        rows.append(("data", f"{sizes}; fingerprint {data.fingerprint[:16]}"))
    rows += [(name, param(value)) for name, value in manifest["params"].items()]
    return _table(("", ""), rows)


def _scores(result: StudyResult) -> str:
    if result.model is None:
        return ""
    return _table(("metric", "validation", "test", "95 % interval on test"), list(_score_rows(result)))


def _harness(overview: StudyOverview) -> str:
    """What lm-eval's tasks say of it, if they were asked."""
    table = winner_harness_table(overview)
    if table is None:
        return ""
    heads = [column.name for column in table.columns]
    return "lm-eval:\n\n" + _table(heads, [[cell.text for cell in row.cells] for row in table.rows])


def _score_rows(result: StudyResult) -> Iterator[Sequence[str]]:
    assert result.model is not None
    name, prefix = result.model.name, "validation/"
    validation = {key.removeprefix(prefix): v for key, v in result.model.values.items() if key.startswith(prefix)}
    tested, intervals = result.test.get(name, {}), result.intervals.get(name, {})
    for metric in dict.fromkeys([*validation, *tested]):
        sure = intervals.get(metric)
        interval = "" if sure is None else f"{number(sure.low)} .. {number(sure.high)}"
        yield metric, number(validation.get(metric)), number(tested.get(metric)), interval


def _serving(folder: Path, manifest: Mapping[str, Any]) -> str:
    """How vLLM takes it, of a model that generates text."""
    kind = _kind(folder)
    if _class_name(manifest["task"]) in _PIPELINES or kind in ("", "PROMPT_TUNING", "PREFIX_TUNING"):
        return ""
    if kind == "whole":
        return "vLLM: `vllm serve FOLDER`."
    if kind != "LORA":
        return "vLLM takes the folder that `ftsweep best --export FOLDER --merge` writes: `vllm serve FOLDER`."
    base = manifest["model"].get("name") or "FOLDER/base"
    return f"vLLM: `vllm serve {base} --enable-lora --lora-modules tuned=FOLDER`."


def _kind(folder: Path) -> str:
    """What lies there: `whole`, an adapter of PEFT by its type, or "" for no model of its own."""
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        return str(read_json(adapter).get("peft_type", ""))
    return "whole" if (folder / "config.json").is_file() else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(_line, line)) + " |" for line in lines)


def _line(text: object) -> str:
    """Text from outside in one line of Markdown, as text."""
    plain = " ".join(str(text).split())
    for sign in "\\`*_[]<>|":
        plain = plain.replace(sign, f"\\{sign}")
    return plain


def _class_name(node: Mapping[str, Any]) -> str:
    return str(node["_target_"]).rpartition(".")[2]
