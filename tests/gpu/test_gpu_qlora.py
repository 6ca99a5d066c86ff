"""LoRA on a base in 4 bits: it is smaller, it trains, it is kept, and it answers alike when it is loaded again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_gpu_training import finish

torch = pytest.importorskip("torch")
pytest.importorskip("bitsandbytes", reason="needs bitsandbytes: pip install '.[qlora]'")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]


@pytest.mark.parametrize("checkpointing", [False, True])
def test_trial_on_four_bits_learns_and_its_model_answers_alike_when_exported(
    engine: Any, tmp_path: Path, config: dict[str, Any], checkpointing: bool
) -> None:
    from ftsweep.serving.model import load_predictor

    config["strategy"] = {"_target_": "ftsweep.strategies.QLora", "rank": 4}
    config["training"]["gradient_checkpointing"] = checkpointing
    measured, outcome = finish(engine, tmp_path, config)
    assert outcome["kind"] == "complete"
    assert measured[-1] < 0.7 * measured[0]
    (base,) = engine.components.bases._bases
    kinds = [type(module).__name__ for module in base.model.modules()]
    assert kinds.count("Linear4bit") == 28
    assert not isinstance(base.model.score.weight, type(base.model.model.layers[0].mlp.up_proj.weight))

    destination = tmp_path / "model"
    job = {
        "type": "export",
        "job": "export-0000",
        "folder": str(tmp_path / "trial-0000"),
        "cache": str(tmp_path / "cache"),
        "destination": str(destination),
        "spec": {"number": 0, "branch": "", "is_default": True, "params": {}, "config": config},
    }
    engine.admit(job)
    (ended,) = engine.step()
    rows, answers = ended["result"]["rows"], ended["result"]["answers"]
    assert load_predictor(destination, allowed=()).predict(rows) == answers


def test_lora_and_qlora_share_no_base_and_no_start(engine: Any, tmp_path: Path, config: dict[str, Any]) -> None:
    plain, _ = finish(engine, tmp_path, config)
    config["strategy"] = {"_target_": "ftsweep.strategies.QLora", "rank": 4}
    small, _ = finish(engine, tmp_path, config, "trial-0001")
    assert small[0] != plain[0], "a base in 4 bits answers a little otherwise"
    assert small[0] == pytest.approx(plain[0], abs=0.3)
    sizes = [base.num_bytes for base in engine.components.bases._bases]
    assert min(sizes) < 0.8 * max(sizes)


def test_divergence_from_a_base_in_four_bits_is_nothing_at_the_start(tmp_path: Path) -> None:
    from ftsweep.models.tiny import TinyModel
    from ftsweep.strategies.qlora import QLora
    from ftsweep.testing.weights import token_batch

    strategy = QLora(rank=4)
    strategy.check_machine()
    device = torch.device("cuda", 0)
    base = TinyModel().load("causal_lm", labels=None, dtype=torch.bfloat16, device=device, quantisation="nf4")
    model: Any = strategy.apply(base, "causal_lm").eval()
    batch = {name: tensor.to(device) for name, tensor in token_batch().items()}
    with torch.no_grad():
        tuned = model(**batch).logits
        with strategy.base_answers(model)() as untouched:
            assert torch.equal(untouched(**batch).logits, tuned)
    strategy.save(model, tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["r"] == 4
    assert strategy.remove(model) is base
