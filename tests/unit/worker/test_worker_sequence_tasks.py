"""Tasks with one answer per text through a worker's engine: from rows to an exported model that answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from engine_steps import finish
from tokenizers import processors
from training_rows import write_rows
from transformers import BartForSequenceClassification, Gemma3Config, PreTrainedModel, T5ForSequenceClassification

from ftsweep.errors import ConfigError, DataError, ModelError
from ftsweep.serving.model import load_predictor
from ftsweep.testing.random_models import byte_tokenizer
from ftsweep.worker.end_tokens import check_end_tokens
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

MakeJob = Callable[..., dict[str, Any]]
TASKS = "ftsweep.tasks"
PARTS = ("layers", "attention_heads", "ffn_dim")
WORDS = {"sea": ("wave", "ship", "harbour", "tide"), "farm": ("cow", "barn", "wheat", "plough")}


def sentences(count: int, offset: int = 0) -> list[dict[str, Any]]:
    """Sentences of the sea, the farm, both or neither, and how many words they have."""
    rows = []
    for number in range(offset, offset + count):
        labels = [label for index, label in enumerate(("sea", "farm")) if number >> index & 1]
        words = [WORDS[label][(number * step) % 4] for label in labels for step in range(1, 3 + number % 4)]
        rows.append({"text": " ".join([*words, str(number)]), "labels": labels, "label": 1000.0 * len(words)})
    return rows


@pytest.fixture
def config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    for split, (count, offset) in {"train": (48, 0), "validation": (16, 1000), "test": (16, 2000)}.items():
        config["data"][split] = write_rows(tmp_path / f"{split}.jsonl", sentences(count, offset))
    config["strategy"] = {"_target_": "ftsweep.strategies.Full"}
    config["training"] |= {"learning_rate": 1e-3, "batch_size": 16, "epochs": 2}
    config["rungs"] = {"count": 2}
    return config


@pytest.mark.parametrize("kind", ["multi_label.MultiLabel", "regression.Regression"])
def test_a_task_goes_from_rows_to_a_model_that_transformers_reads_alike(
    engine: Engine,
    make_job: MakeJob,
    config: dict[str, Any],
    tmp_path: Path,
    kind: str,
) -> None:
    from transformers import pipeline

    config["task"] = {"_target_": f"{TASKS}.{kind}", "max_length": 24}
    _, prepared = finish(engine, make_job("prepare", "prepare-main"))
    _, baseline = finish(engine, make_job("baseline", "baseline-main"))
    job = make_job()
    measured, ended = finish(engine, job)
    assert ended["outcome"]["kind"] == "complete"
    assert measured[-1].values["train/loss"] < measured[0].values["train/loss"]
    _, tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))
    assert all(math.isfinite(value) for value in [*tested["result"]["test"].values()])
    assert set(tested["result"]["test"]) == set(baseline["result"]["validation"])

    folder = tmp_path / "model"
    _, exported = finish(engine, make_job("export", "export-0000", folder=job["folder"], destination=str(folder)))
    assert [set(row) for row in exported["result"]["rows"]] == [{"text"}] * 3
    answers = load_predictor(folder, device=torch.device("cpu")).predict(exported["result"]["rows"])
    assert answers == exported["result"]["answers"]

    texts = [row["text"] for row in exported["result"]["rows"]]
    others = pipeline("text-classification", model=str(folder), top_k=None, device="cpu")(texts)
    for answer, other in zip(answers, others, strict=True):
        scores = {each["label"]: each["score"] for each in other}
        if "scores" in answer:
            assert scores == pytest.approx(answer["scores"], rel=1e-4)
        else:
            schema = prepared["result"]["schema"]
            assert scores["value"] * schema["sd"] + schema["mean"] == pytest.approx(answer["value"], rel=1e-4)


def test_trials_that_differ_in_weights_share_data_and_what_is_measured_but_train_apart(
    engine: Engine,
    make_job: MakeJob,
    config: dict[str, Any],
) -> None:
    for split in ("train", "validation", "test"):
        rows = [row for row in sentences(60) if len(row["labels"]) == 1]
        config["data"][split] = write_rows(Path(config["data"][split]), [{**r, "label": r["labels"][0]} for r in rows])
    found = {}
    for name, settings in {"plain": {}, "weighed": {"class_weights": {"sea": 9.0}, "label_smoothing": 0.1}}.items():
        config["task"] = {"_target_": f"{TASKS}.classification.Classification", "max_length": 24, **settings}
        _, prepared = finish(engine, make_job("prepare", "prepare-main"))
        found[name] = prepared["result"]["hash"], finish(engine, make_job("train", f"trial-{name}"))[0]
    (plain_hash, plain), (hash_, weighed) = found["plain"], found["weighed"]
    assert plain_hash == hash_
    assert plain[0].values == weighed[0].values, "before training: the same model, measured alike"
    assert plain[-1].values["validation/loss"] != weighed[-1].values["validation/loss"]


def test_weights_for_a_label_that_train_lacks_are_refused_when_data_is_prepared(
    engine: Engine,
    make_job: MakeJob,
    config: dict[str, Any],
) -> None:
    rows = [{**row, "label": str(row["labels"])} for row in sentences(60)]
    for split in ("train", "validation", "test"):
        config["data"][split] = write_rows(Path(config["data"][split]), rows)
    task = {"_target_": f"{TASKS}.classification.Classification", "max_length": 24}
    config["task"] = {**task, "class_weights": {"see": 2}}
    with pytest.raises(ConfigError, match="no label 'see'"):
        finish(engine, make_job("prepare", "prepare-main"))
    config["task"] = task
    searched = [{**task, "class_weights": weights} for weights in ("none", {"see": 2})]
    with pytest.raises(ConfigError, match="no label 'see'"):
        finish(engine, make_job("prepare", "prepare-main", tasks=searched))


def test_models_that_find_no_text_by_its_end_need_none() -> None:
    parts: Any = None
    base: Any = SimpleNamespace(config=Gemma3Config())
    assert not hasattr(base.config, "eos_token_id")
    check_end_tokens(parts, base)


@pytest.mark.parametrize(
    ("kind", "ends_texts", "told"),
    [
        (
            BartForSequenceClassification,
            True,
            r"1 rows of train hold '<eos>' in their text \(as \S*train\.jsonl:4 does\)",
        ),
        (T5ForSequenceClassification, False, "the tokenizer puts no '<eos>' behind a text"),
    ],
)
def test_an_encoder_decoder_is_given_texts_whose_end_it_finds(
    engine: Engine,
    make_job: MakeJob,
    config: dict[str, Any],
    tmp_path: Path,
    kind: type[PreTrainedModel],
    ends_texts: bool,
    told: str,
) -> None:
    rows = sentences(24)
    rows[3]["text"] = "a <eos> b"
    config["data"]["train"] = write_rows(tmp_path / "train.jsonl", rows)
    config["task"] = {"_target_": f"{TASKS}.MultiLabel", "max_length": 24}
    sizes = {"vocab_size": 264, "d_model": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8, "d_ff": 16}
    sizes |= {f"{part}_{name}": 16 if name == "ffn_dim" else 1 for part in ("encoder", "decoder") for name in PARTS}
    settings = kind.config_class(**sizes, eos_token_id=2, pad_token_id=0, bos_token_id=1, decoder_start_token_id=0)
    kind(settings).base_model.save_pretrained(tmp_path / "base")
    tokenizer: Any = byte_tokenizer()
    if ends_texts:
        ended = processors.TemplateProcessing(
            single="$A <eos>", pair="$A <eos> $B <eos>", special_tokens=[("<eos>", 2)]
        )
        tokenizer.backend_tokenizer.post_processor = ended
    tokenizer.save_pretrained(tmp_path / "base")
    config["model"] = {"_target_": "ftsweep.models.LocalModel", "path": str(tmp_path / "base"), "dtype": "auto"}
    with pytest.raises((DataError, ModelError), match=told):
        finish(engine, make_job("baseline", "baseline-main"))
