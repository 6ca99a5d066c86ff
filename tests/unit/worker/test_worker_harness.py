"""Models that lm-eval asks: they answer as what is exported of them answers, and nothing else is printed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
from exported_models import CPU, exported

from ftsweep.models.local import LocalModel
from ftsweep.models.saving import save_whole
from ftsweep.serving.harness import _answering_as_exported, harness_scores
from ftsweep.serving.model import load_predictor
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.worker.portable_export import open_elsewhere

TURNS = "{% for message in messages %}{{ message['role'] + ':' + message['content'] + '<end>' }}{% endfor %}"


def answer(model, tokenizer):
    asked = tokenizer("a question", return_tensors="pt")
    return model.generate(**asked, max_new_tokens=40, do_sample=False)[0].tolist()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("strategy_name", ["lora", "full"])
def test_it_answers_as_the_exported_model_without_the_base_s_penalty(tmp_path, strategy_name):
    from transformers import AutoModelForCausalLM

    base = random_llama(seed=2)
    base.generation_config.update(repetition_penalty=5.0)
    save_whole(base, tmp_path / "base")
    byte_tokenizer(chat_template=TURNS, extra=["<end>"]).save_pretrained(tmp_path / "base")
    folder = exported(tmp_path / "model", "instruction", strategy_name, LocalModel(path=str(tmp_path / "base")))
    predictor = load_predictor(folder, device=CPU)
    penalised = answer(predictor.model, predictor.tokenizer)
    with _answering_as_exported(predictor):
        found = answer(predictor.model, predictor.tokenizer)
    assert answer(predictor.model, predictor.tokenizer) == penalised, "its own settings are back"
    open_elsewhere(folder)
    assert found == answer(AutoModelForCausalLM.from_pretrained(str(folder)), predictor.tokenizer)
    assert found != penalised


@pytest.mark.parametrize(("strategy_name", "size"), [("full", 8), ("prompt_tuning", 1)])
def test_what_lm_eval_prints_is_no_output_and_virtual_tokens_are_asked_row_by_row(
    tmp_path, capsys, monkeypatch, strategy_name, size
):
    def ask(**_):
        print("bootstrapping for stddev: bleu")
        return {"results": {"own": {"acc,none": 0.5}}}

    parts = {name: ModuleType(name) for name in ("lm_eval", "lm_eval.models", "lm_eval.models.huggingface")}
    parts["lm_eval"].simple_evaluate = ask
    parts["lm_eval"].evaluator = SimpleNamespace()
    sizes = []
    parts["lm_eval.models.huggingface"].HFLM = lambda *, batch_size, **_: sizes.append(batch_size)
    for name, module in parts.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0")
    predictor = load_predictor(exported(tmp_path / "model", "instruction", strategy_name), device=CPU)
    manager = SimpleNamespace(match_tasks=lambda names: names)
    assert harness_scores(predictor, ["own"], manager)["own"].values == {"acc": 0.5}
    said = capsys.readouterr()
    assert said.out == ""
    assert "bootstrapping" in said.err
    assert sizes == [size]
