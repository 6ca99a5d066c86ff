"""Exported folders as a study's end writes them, of models with weights drawn at random."""

from __future__ import annotations

import torch

from ftsweep.models.saving import save_whole
from ftsweep.models.tiny import TinyModel
from ftsweep.serving.model import export_model, load_predictor

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
    "text": ("ftsweep.tasks.text.Text", {}),
    "preference": ("ftsweep.tasks.preference.Preference", {}),
    "masked_text": ("ftsweep.tasks.masked_text.MaskedText", {}),
}
LORA = "ftsweep.strategies.lora.Lora"
STRATEGIES = {
    "lora": (LORA, {"rank": 2}),
    "rslora": (LORA, {"rank": 2, "rslora": True}),
    "dora": (LORA, {"rank": 2, "dora": True}),
    "pissa": (LORA, {"rank": 2, "init": "pissa"}),
    "ia3": ("ftsweep.strategies.ia3.Ia3", {}),
    "prompt_tuning": ("ftsweep.strategies.prompt_tuning.PromptTuning", {"num_virtual_tokens": 4}),
    "prefix_tuning": ("ftsweep.strategies.prefix_tuning.PrefixTuning", {"num_virtual_tokens": 4}),
    "full": ("ftsweep.strategies.full.Full", {}),
    "head": ("ftsweep.strategies.head.LinearProbe", {}),
    "top_layers": ("ftsweep.strategies.top_layers.TopLayers", {"num_layers": 1}),
    "head_then_full": ("ftsweep.strategies.head_then_full.HeadThenFull", {}),
    "few_shot_tuned": (
        "ftsweep.strategies.few_shot_tuned.FewShotTuned",
        {"inner": {"_target_": LORA, "rank": 2}, "k": 2},
    ),
}


def exported(folder, task_name, strategy_name, base=None, data=None):
    """A folder as a study's end writes it, of weights drawn at random."""
    from ftsweep.config.build import build

    base = base or TinyModel()
    (target, schema), (kind, settings) = TASKS[task_name], STRATEGIES[strategy_name]
    nodes = {"task": {"_target_": target}, "strategy": {"_target_": kind, **settings}, "data": data or {}}
    task, strategy = build(nodes["task"], allowed=()), build(nodes["strategy"], allowed=())
    torch.manual_seed(1)
    model = base.load(task.head, labels=schema.get("labels"), dtype=torch.float32, device=CPU)
    if task.problem_type:
        model.config.problem_type = task.problem_type
    model = strategy.apply(model, task.head)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.05)
    write = save_whole if strategy.exports_whole else strategy.save
    spec = {"config": nodes, "number": 3, "params": {}}
    export_model(
        folder,
        lambda place: write(model.eval(), place),
        base.tokenizer(),
        spec=spec,
        reference=base.reference(),
        schema=schema,
        allowed=[],
    )
    return folder


def ours(folder, task_name):
    row = {"prompt": TEXT} if task_name == "instruction" else {"text": TEXT}
    row = {"tokens": WORDS} if task_name == "token_classification" else row
    return load_predictor(folder, device=CPU).predict([row])[0]
