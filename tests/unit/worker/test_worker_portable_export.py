"""Exported folders open in transformers and PEFT with the labels and scores that ftsweep gives."""

from __future__ import annotations

import shutil

import pytest
import torch

from ftsweep.errors import UsageError
from ftsweep.models.saving import save_whole
from ftsweep.models.tiny import TinyModel
from ftsweep.serving.model import export_model, load_predictor
from ftsweep.worker.portable_export import open_elsewhere

CPU = torch.device("cpu")
TEXT = "the guard said the boat near the harbour was slow"
WORDS = TEXT.split()
TASKS = {
    "classification": ("ftsweep.tasks.classification.Classification", {"labels": ["bad", "fair", "good"]}),
    "multi_label": ("ftsweep.tasks.multi_label.MultiLabel", {"labels": ["cold", "loud", "new"]}),
    "regression": ("ftsweep.tasks.regression.Regression", {"labels": ["value"], "mean": 3.0, "sd": 2.0}),
    "token_classification": (
        "ftsweep.tasks.token_classification.TokenClassification",
        {"labels": ["O", "B-LOC", "I-LOC"], "counts": [1, 1, 1]},
    ),
    "instruction": ("ftsweep.tasks.instruction.Instruction", {}),
}
STRATEGIES = {
    "lora": ("ftsweep.strategies.lora.Lora", {"rank": 2}),
    "ia3": ("ftsweep.strategies.ia3.Ia3", {}),
    "prompt_tuning": ("ftsweep.strategies.prompt_tuning.PromptTuning", {"num_virtual_tokens": 4}),
    "full": ("ftsweep.strategies.full.Full", {}),
    "head": ("ftsweep.strategies.head.LinearProbe", {}),
}


def exported(folder, task_name, strategy_name):
    """A folder as a study's end writes it, of weights drawn at random."""
    from ftsweep.config.build import build

    (target, schema), (kind, settings) = TASKS[task_name], STRATEGIES[strategy_name]
    nodes = {"task": {"_target_": target}, "strategy": {"_target_": kind, **settings}, "data": {}}
    task, strategy = build(nodes["task"], allowed=()), build(nodes["strategy"], allowed=())
    torch.manual_seed(1)
    model = TinyModel().load(task.head, labels=schema.get("labels"), dtype=torch.float32, device=CPU)
    if task.problem_type:
        model.config.problem_type = task.problem_type
    model = strategy.apply(model, task.head)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.05)
    write = save_whole if strategy.exports_whole else strategy.save
    spec = {"config": nodes, "number": 3, "params": {}}
    reference = TinyModel().reference()
    tokenizer = TinyModel().tokenizer()
    export_model(
        folder,
        lambda place: write(model.eval(), place),
        tokenizer,
        spec=spec,
        reference=reference,
        schema=schema,
        allowed=[],
    )
    return folder


def ours(folder, task_name):
    row = {"prompt": TEXT} if task_name == "instruction" else {"text": TEXT}
    row = {"tokens": WORDS} if task_name == "token_classification" else row
    return load_predictor(folder, device=CPU).predict([row])[0]


def by_pipeline(folder, task_name):
    """The answer of transformers' pipeline in our form."""
    from transformers import pipeline

    if task_name == "token_classification":
        found = pipeline("token-classification", model=str(folder), device=-1)(TEXT)
        return {each["entity"] for each in found}
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
        ("classification", "ia3"),
        ("classification", "full"),
        ("classification", "head"),
        ("multi_label", "lora"),
        ("regression", "lora"),
    ],
)
def test_a_pipeline_gives_our_labels_and_scores_wherever_the_folder_lies(tmp_path, task_name, strategy_name, merge):
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
@pytest.mark.parametrize("strategy_name", ["lora", "ia3", "prompt_tuning"])
@pytest.mark.parametrize("task_name", ["classification", "token_classification", "instruction"])
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
    found = logits(model, folder)
    found = found[:, -expected.shape[1] :] if found.ndim == 3 else found  # PEFT gives virtual tokens outputs, too
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    if task_name != "instruction":
        assert list(model.config.id2label.values()) == TASKS[task_name][1]["labels"]
    assert model.config.pad_token_id == TinyModel().tokenizer().pad_token_id
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


def test_virtual_tokens_cannot_be_merged_and_the_folder_stays_as_it_was(tmp_path):
    folder = exported(tmp_path / "model", "classification", "prompt_tuning")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UsageError, match="virtual tokens"):
        open_elsewhere(folder, merge=True)
    assert sorted(path.name for path in folder.iterdir()) == before
