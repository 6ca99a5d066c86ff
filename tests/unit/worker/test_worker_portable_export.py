"""Exported folders open in transformers and PEFT with the labels and scores that ftsweep gives."""

from __future__ import annotations

import shutil

import pytest
import torch
from exported_models import CPU, TASKS, TEXT, exported, ours
from safetensors.torch import load_file, save_file

from ftsweep.errors import UsageError
from ftsweep.models.local import LocalModel
from ftsweep.models.saving import save_whole
from ftsweep.models.tiny import TinyModel
from ftsweep.serving.model import export_model, load_predictor
from ftsweep.store.atomic import read_json
from ftsweep.testing.random_models import byte_tokenizer, random_bert
from ftsweep.worker.portable_export import open_elsewhere


def by_pipeline(folder, task_name):
    """The answer of transformers' pipeline in our form."""
    from transformers import pipeline

    found = pipeline("text-classification", model=str(folder), device=-1, top_k=None)(TEXT)
    (found,) = found if isinstance(found[0], list) else (found,)
    return {each["label"]: each["score"] for each in found}


def logits(model, folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    with torch.no_grad():
        return model.eval()(**tokenizer(TEXT, return_tensors="pt")).logits.float()


def expected_logits(folder):
    return logits(load_predictor(folder, device=CPU).model, folder)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize(
    ("task_name", "strategy_name"),
    [
        ("classification", "lora"),
        ("multi_label", "rslora"),
        ("classification", "dora"),
        ("classification", "pissa"),
        ("classification", "ia3"),
        ("classification", "few_shot_tuned"),
        ("regression", "lora"),
    ],
)
def test_a_pipeline_gives_our_labels_and_scores_wherever_the_folder_lies(tmp_path, task_name, strategy_name, merge):
    check_pipeline(tmp_path, task_name, strategy_name, merge)


@pytest.mark.parametrize(
    ("task_name", "strategy_name"),
    [
        ("classification", "full"),
        ("classification", "head"),
        ("classification", "top_layers"),
        ("multi_label", "head_then_full"),
        ("regression", "full"),
    ],
)
def test_a_whole_model_opens_as_it_is(tmp_path, task_name, strategy_name):
    check_pipeline(tmp_path, task_name, strategy_name, merge=False)


def check_pipeline(tmp_path, task_name, strategy_name, merge):
    folder = exported(tmp_path / "model", task_name, strategy_name)
    answer = ours(folder, task_name)
    open_elsewhere(folder, merge=merge)
    moved = tmp_path / "elsewhere"
    shutil.move(folder, moved)
    scores = by_pipeline(moved, task_name)
    if task_name == "regression":
        assert scores["value"] * 2.0 + 3.0 == pytest.approx(answer["value"], abs=1e-4)
    else:
        assert scores == pytest.approx(answer["scores"], abs=1e-4)
    again = ours(moved, task_name)
    assert again == pytest.approx(answer, abs=1e-4) if task_name == "regression" else again.keys() == answer.keys()
    assert "pipeline(" in (moved / "README.md").read_text()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("task_name", "strategy_name"),
    [
        ("classification", "lora"),
        ("classification", "dora"),
        ("classification", "pissa"),
        ("classification", "prompt_tuning"),
        ("token_classification", "ia3"),
        ("token_classification", "prefix_tuning"),
        ("instruction", "lora"),
        ("instruction", "prefix_tuning"),
        ("instruction", "prompt_tuning"),
    ],
)
def test_peft_opens_an_unmerged_adapter_with_its_base_and_labels(tmp_path, task_name, strategy_name):
    import peft

    folder = exported(tmp_path / "model", task_name, strategy_name)
    expected = expected_logits(folder)
    open_elsewhere(folder)
    kind = {
        "classification": peft.AutoPeftModelForSequenceClassification,
        "token_classification": peft.AutoPeftModelForTokenClassification,
        "instruction": peft.AutoPeftModelForCausalLM,
    }[task_name]
    model = kind.from_pretrained(str(folder))
    modes = {file.stat().st_mode for file in folder.rglob("*") if file.is_file()}
    assert len(modes) == 1, "whoever may read one file may read the weights"
    _, loading = kind._target_class.from_pretrained(str(folder / "base"), output_loading_info=True)
    assert not loading["missing_keys"], "the head that the adapter brings: transformers would say it is to be trained"
    found = logits(model, folder)
    found = found[:, -expected.shape[1] :] if found.ndim == 3 else found  # PEFT gives virtual tokens outputs, too
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    if task_name != "instruction":
        assert list(model.config.id2label.values()) == TASKS[task_name][1]["labels"]
    assert model.config.pad_token_id == TinyModel().tokenizer().pad_token_id
    torch.testing.assert_close(expected_logits(folder), expected, atol=1e-4, rtol=1e-4)
    assert bool(zero_new(folder)) == (task_name != "instruction")
    torch.testing.assert_close(expected_logits(folder), expected, atol=1e-4, rtol=1e-4)  # by the adapter's head


def zero_new(folder):
    """The names of the modules that the base beside an adapter did not bring, which answer 0 there from now on."""
    (file,) = (folder / "base").glob("*.safetensors")
    new = read_json(folder / "ftsweep.json")["new_modules"]
    weights = {name: weight * (name.split(".")[0] not in new) for name, weight in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})
    return new


def test_a_head_of_two_layers_is_the_adapters(tmp_path):
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    config = DistilBertConfig(vocab_size=300, dim=32, hidden_dim=64, n_layers=2, n_heads=4, initializer_range=0.2)
    save_whole(DistilBertForMaskedLM(config), tmp_path / "base")
    byte_tokenizer().save_pretrained(tmp_path / "base")
    folder = exported(tmp_path / "model", "classification", "lora", LocalModel(path=str(tmp_path / "base")))
    expected = expected_logits(folder)
    open_elsewhere(folder)
    assert zero_new(folder) == ["classifier", "pre_classifier"]  # PEFT's own knows the first alone
    torch.testing.assert_close(expected_logits(folder), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("task_name", ["token_classification", "instruction"])
def test_transformers_alone_opens_what_is_exported(tmp_path, task_name, merge):
    import transformers

    folder = exported(tmp_path / "model", task_name, "lora")
    expected = expected_logits(folder)
    open_elsewhere(folder, merge=merge)
    kind = {
        "token_classification": transformers.AutoModelForTokenClassification,
        "instruction": transformers.AutoModelForCausalLM,
    }[task_name]
    model = kind.from_pretrained(str(folder))
    torch.testing.assert_close(logits(model, folder), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("task_name", ["text", "preference"])
def test_a_language_model_writes_what_ours_writes(tmp_path, task_name, merge):
    from transformers import pipeline

    folder = exported(tmp_path / "model", task_name, "lora")
    model, tokenizer = load_predictor(folder, device=CPU).model, TinyModel().tokenizer()
    settings = {"do_sample": False, "max_new_tokens": 5}
    asked = tokenizer(TEXT, return_tensors="pt")
    expected = tokenizer.decode(model.generate(**asked, **settings)[0], skip_special_tokens=True)
    open_elsewhere(folder, merge=merge)
    (found,) = pipeline("text-generation", model=str(folder), device=-1)(TEXT, **settings)
    assert found["generated_text"] == expected


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("merge", [False, True])
def test_a_model_of_masked_words_opens_in_transformers(tmp_path, merge):
    import transformers

    save_whole(random_bert("masked_lm"), tmp_path / "base")
    byte_tokenizer(extra=["<mask>"], mask_token="<mask>").save_pretrained(tmp_path / "base")
    folder = exported(tmp_path / "model", "masked_text", "lora", LocalModel(path=str(tmp_path / "base")))
    expected = expected_logits(folder)
    open_elsewhere(folder, merge=merge)
    shutil.rmtree(tmp_path / "base")
    model = transformers.AutoModelForMaskedLM.from_pretrained(str(folder))
    torch.testing.assert_close(logits(model, folder), expected, atol=1e-4, rtol=1e-4)
    assert '("a <mask>")' in (folder / "README.md").read_text(), "the tokenizer's own"


def test_prompts_are_said_to_be_no_model_of_their_own(tmp_path):
    nodes = {
        "task": {"_target_": TASKS["classification"][0]},
        "strategy": {"_target_": "ftsweep.strategies.few_shot.FewShot", "k": 2},
    }
    export_model(
        tmp_path / "model",
        lambda place: (place / "few_shot.json").write_text("{}"),
        TinyModel().tokenizer(),
        spec={"config": nodes, "number": 3, "params": {}},
        reference=TinyModel().reference(),
        schema={"labels": ["bad", "good"]},
        allowed=[],
    )
    with pytest.raises(UsageError, match="what it learned are prompts"):
        open_elsewhere(tmp_path / "model", merge=True)
    open_elsewhere(tmp_path / "model")
    assert "no model of its own" in (tmp_path / "model" / "README.md").read_text()


def test_virtual_tokens_cannot_be_merged_and_the_folder_stays_as_it_was(tmp_path):
    folder = exported(tmp_path / "model", "classification", "prompt_tuning")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UsageError, match="virtual tokens"):
        open_elsewhere(folder, merge=True)
    assert sorted(path.name for path in folder.iterdir()) == before
