"""Forgetting is what plain transformers and peft say it is; a scaled trial lies between base and trial."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_steps import step
from training_rows import sentences, write_rows

from ftsweep.domain.forgetting import FORGETTING, LOSS
from ftsweep.domain.measurement import Measurement
from ftsweep.errors import ModelError
from ftsweep.serving.model import load_predictor
from ftsweep.store.folders import TrialFolder
from ftsweep.tasks.base import IGNORED, Example
from ftsweep.tasks.masked_text import MaskedText
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # in PEFT

Job = dict[str, Any]
MakeJob = Callable[..., Job]
PAGES = [f"page {number}: nothing much happens by the quiet river, number {number * 7}" for number in range(12)]
LORA = {"_target_": "ftsweep.strategies.Lora", "rank": 4}
FULL = {"_target_": "ftsweep.strategies.Full"}
TEXT = {"_target_": "ftsweep.tasks.Text", "max_length": 64, "packed": False}


def run(engine: Engine, job: Job) -> tuple[list[Measurement], Job]:
    """A job to its end; what it measured and what it answered."""
    engine.admit(job)
    measured = []
    while True:
        for message in step(engine):
            if message["type"] == "ended":
                return measured, message.get("outcome") or message["result"]
            measured.append(Measurement.from_dict(message["measurement"]))
            engine.answer({"type": "continue", "job": job["job"]})


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    random_llama().save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def guarded(config: dict[str, Any], tmp_path: Path, llama: Path) -> dict[str, Any]:
    """The config with a random decoder, general text of its own, and the guard on."""
    rows = [{"text": page} for page in PAGES]
    config["model"] = {"_target_": "ftsweep.models.LocalModel", "path": str(llama), "dtype": "auto"}
    config["general"] = {
        "_target_": "ftsweep.data.Files",
        "train": write_rows(tmp_path / "replay.jsonl", [{"text": f"replayed {n}"} for n in range(8)]),
        "validation": write_rows(tmp_path / "general.jsonl", rows),
    }
    guard = {"_target_": "ftsweep.guards.Forgetting", "mode": "on", "limit": 0.01, "tokens": 8192}
    config["guards"] = {"forgetting": guard}
    config["rungs"]["count"] = 2
    config["training"] |= {"epochs": 1, "learning_rate": 2e-2}
    return config


def plain_loss(model: Any) -> float:
    """Nats per token of all pages and their ends, one by one, by transformers' own loss."""
    tokenizer, total, count = byte_tokenizer(), 0.0, 0
    model.eval()
    for page in PAGES:
        ids = torch.tensor([[*tokenizer(page)["input_ids"], tokenizer.eos_token_id]])
        with torch.no_grad():
            total += model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    return total / count


def masked_loss(model: Any, tokenizer: Any) -> float:
    """Nats per masked token of all pages, one by one, by transformers' own loss."""
    total, count = 0.0, 0
    model.eval()
    for example in MaskedText(max_length=256, packed=False).encode([{"text": page} for page in PAGES], tokenizer, {}):
        assert isinstance(example, Example)
        num_masked = sum(label >= 0 for label in example.labels)
        assert 0.1 < num_masked / len(example.labels) < 0.2
        with torch.no_grad():
            ids, labels = torch.tensor([example.input_ids]), torch.tensor([example.labels]).clamp(min=IGNORED)
            total += model(input_ids=ids, labels=labels).loss.item() * num_masked
        count += num_masked
    return total / count


@pytest.mark.parametrize("strategy", [LORA, FULL], ids=["lora", "full"])
def test_forgetting_of_a_text_model_is_what_transformers_and_peft_measure(
    engine: Engine, make_job: MakeJob, guarded: dict[str, Any], llama: Path, strategy: dict[str, Any]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    guarded["task"], guarded["strategy"] = TEXT, strategy
    job = make_job()
    measured, outcome = run(engine, job)
    kept = TrialFolder(Path(job["folder"])).best
    base = AutoModelForCausalLM.from_pretrained(llama)
    before = plain_loss(base)
    if strategy is LORA:
        after = plain_loss(PeftModel.from_pretrained(base, kept))
    else:
        after = plain_loss(AutoModelForCausalLM.from_pretrained(kept))
    best = measured[outcome["best_rung"]]
    assert best.values[FORGETTING] == pytest.approx(after - before, abs=1e-4)
    assert abs(after - before) > 0.01  # something happened
    assert best.values[LOSS] == pytest.approx(after, abs=1e-4)
    assert measured[0].values[FORGETTING] == pytest.approx(0, abs=1e-6)
    assert outcome["extra"]["metrics"][FORGETTING] == best.values[FORGETTING]
    assert [each.constraints["forgetting"] for each in measured] == [
        each.values[FORGETTING] - 0.01 for each in measured
    ]


def test_forgetting_of_a_classifier_is_that_of_its_body_under_the_head_of_the_base(
    engine: Engine, make_job: MakeJob, guarded: dict[str, Any], llama: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    guarded["strategy"] = LORA
    job = make_job()
    measured, outcome = run(engine, job)
    kept = TrialFolder(Path(job["folder"])).best
    classifier = AutoModelForSequenceClassification.from_pretrained(llama, num_labels=2)
    tuned = PeftModel.from_pretrained(classifier, kept).merge_and_unload()
    whole = AutoModelForCausalLM.from_pretrained(llama)
    before = plain_loss(whole)
    whole.model = tuned.model
    best = measured[outcome["best_rung"]]
    assert best.values[FORGETTING] == pytest.approx(plain_loss(whole) - before, abs=1e-4)
    assert measured[-1].values[FORGETTING] > 0.001
    assert measured[0].values[FORGETTING] == pytest.approx(0, abs=1e-6)


def test_a_frozen_body_forgets_nothing(engine: Engine, make_job: MakeJob, guarded: dict[str, Any]) -> None:
    guarded["strategy"] = {"_target_": "ftsweep.strategies.LinearProbe"}
    measured, _ = run(engine, make_job())
    assert [each.values[FORGETTING] for each in measured] == [0, 0, 0]


def test_base_is_measured_once_for_all_workers(make_job: MakeJob, guarded: dict[str, Any], tmp_path: Path) -> None:
    guarded["task"], guarded["strategy"] = TEXT, LORA
    job = make_job("prepare", "prepare-main")
    run(Engine(threads=1), job)
    (file,) = (tmp_path / "cache" / "forgetting").glob("[!o]*.json")
    known = json.loads(file.read_text())
    file.write_text(json.dumps({**known, "loss": 1.0}))
    measured, _ = run(Engine(threads=1), make_job())
    assert measured[0].values[FORGETTING] == pytest.approx(known["loss"] - 1.0)


def test_each_split_of_the_general_text_has_a_base_loss_of_its_own(
    make_job: MakeJob, guarded: dict[str, Any], tmp_path: Path
) -> None:
    guarded["task"], guarded["strategy"] = TEXT, LORA
    rows = [{"text": " ".join(chr(97 + number) * length for length in range(1, 12))} for number in range(20)]
    source = {"_target_": "ftsweep.data.Files", "train": write_rows(tmp_path / "pages.jsonl", rows)}
    guarded["general"] = {**source, "validation_fraction": 0.3}
    for seed in (0, 1):
        guarded["seed"] = {"data": seed, "model": 0, "sampler": 0}
        measured, _ = run(Engine(threads=1), make_job(name=f"trial-000{seed}"))
        assert measured[0].values[FORGETTING] == pytest.approx(0, abs=1e-6)
    assert len(list((tmp_path / "cache" / "forgetting").glob("[!o]*.json"))) == 2


def test_general_text_that_stands_in_train_is_found(
    engine: Engine, make_job: MakeJob, guarded: dict[str, Any], tmp_path: Path
) -> None:
    guarded["task"], guarded["strategy"] = TEXT, LORA
    letters = "abcdefghijklmnopqrst"
    pages = [" ".join(f"{first}{second}word" for second in letters) for first in letters]
    guarded["general"]["validation"] = write_rows(tmp_path / "general.jsonl", [{"text": page} for page in pages])
    _, clean = run(engine, make_job("prepare", "prepare-main"))
    assert not [each for each in clean["findings"] if each["check"] == "forgetting"]
    rows = [{"text": f"as ever {page} and so on"} for page in pages[:3]]
    guarded["data"]["train"] = write_rows(tmp_path / "leaky.jsonl", [*rows, *sentences(60)])
    _, leaky = run(Engine(threads=1), make_job("prepare", "prepare-main"))
    (finding,) = [each for each in leaky["findings"] if each["check"] == "forgetting"]
    assert (finding["count"], finding["severity"]) == (3, "warn")


def test_encoder_is_measured_by_masked_words(
    engine: Engine, make_job: MakeJob, guarded: dict[str, Any], tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification, BertForMaskedLM

    folder = tmp_path / "bert"
    BertForMaskedLM(random_bert().config).save_pretrained(folder)
    tokenizer = byte_tokenizer(mask_token="<mask>", extra=["<mask>"])
    tokenizer.eos_token = None  # as those of encoders
    tokenizer.save_pretrained(folder)
    guarded["model"]["path"] = str(folder)
    guarded["strategy"] = FULL
    _, prepared = run(engine, make_job("prepare", "prepare-main"))
    assert set(prepared["texts"]) == {"general"}
    job = make_job()
    measured, outcome = run(engine, job)
    assert measured[0].values[FORGETTING] == pytest.approx(0, abs=1e-6)
    whole = BertForMaskedLM.from_pretrained(folder)
    before = masked_loss(whole, tokenizer)
    tuned = AutoModelForSequenceClassification.from_pretrained(TrialFolder(Path(job["folder"])).best)
    whole.bert = tuned.bert  # the head keeps the base's embeddings, which are its weights
    forgotten = measured[outcome["best_rung"]].values[FORGETTING]
    assert forgotten == pytest.approx(masked_loss(whole, tokenizer) - before, abs=1e-4)
    assert abs(forgotten) > 1e-3


def test_encoder_without_its_head_for_masked_words_is_refused(
    engine: Engine, make_job: MakeJob, guarded: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "bare"
    random_bert().bert.save_pretrained(folder)
    byte_tokenizer(mask_token="<mask>", extra=["<mask>"]).save_pretrained(folder)
    guarded["model"]["path"] = str(folder)
    guarded["strategy"] = FULL
    with pytest.raises(ModelError, match=r"guards\.forgetting: .*one that is drawn tells none.*guards\.forgetting=off"):
        run(engine, make_job("prepare", "prepare-main"))


@pytest.mark.parametrize("strategy", [LORA, {**LORA, "init": "pissa"}, FULL], ids=["lora", "pissa", "full"])
def test_scale_0_is_the_base_and_scale_1_the_trial(
    engine: Engine, make_job: MakeJob, guarded: dict[str, Any], tmp_path: Path, strategy: dict[str, Any]
) -> None:
    guarded["task"], guarded["strategy"] = TEXT, strategy
    job = make_job()
    measured, outcome = run(engine, job)
    best = measured[outcome["best_rung"]].values
    _, scaled = run(engine, make_job("scale", "scale-0000", folder=job["folder"]))
    points = {each["scale"]: each["values"] for each in scaled["points"]}
    assert points[0.0][FORGETTING] == pytest.approx(0, abs=2e-5 if "init" in strategy else 1e-6)
    assert points[0.0]["validation/loss"] == pytest.approx(measured[0].values["validation/loss"], abs=2e-5)
    rows = [{"text": page} for page in PAGES[:4]]
    answers = {}
    for scale in (0.0, 0.5, 1.0):
        folder = tmp_path / f"scaled-{scale}"
        extra = {"destination": str(folder), "scale": scale, "folder": job["folder"]}
        run(engine, make_job("export", "export-0000", **extra))
        assert json.loads((folder / "ftsweep.json").read_text())["scale"] == scale
        answers[scale] = load_predictor(folder).predict(rows)
    losses = {scale: plain_loss(load_predictor(tmp_path / f"scaled-{scale}").model) for scale in answers}
    base_loss = best[LOSS] - best[FORGETTING]
    assert losses[0.0] == pytest.approx(base_loss, abs=1e-4)
    assert losses[0.5] == pytest.approx(points[0.5][LOSS], abs=1e-4)
    assert losses[1.0] == pytest.approx(best[LOSS], abs=1e-4)
    assert answers[0.0] != answers[0.5] != answers[1.0]


def test_scaled_adapter_is_what_peft_makes_of_it(
    engine: Engine, make_job: MakeJob, guarded: dict[str, Any], tmp_path: Path, llama: Path
) -> None:
    from peft import PeftModel
    from peft.helpers import rescale_adapter_scale
    from transformers import AutoModelForCausalLM

    guarded["task"], guarded["strategy"] = TEXT, LORA
    job = make_job()
    run(engine, job)
    kept = TrialFolder(Path(job["folder"])).best
    run(engine, make_job("export", "export", folder=job["folder"], destination=str(tmp_path / "half"), scale=0.5))
    base = AutoModelForCausalLM.from_pretrained(llama)
    adapted = PeftModel.from_pretrained(base, kept)
    with rescale_adapter_scale(adapted, multiplier=0.5):
        expected = plain_loss(adapted)
    found = plain_loss(load_predictor(tmp_path / "half").model)
    assert found == pytest.approx(expected, abs=1e-5)
