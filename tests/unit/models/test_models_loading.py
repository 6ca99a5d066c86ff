from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel

from ftsweep.errors import ConfigError, ModelError
from ftsweep.models.base import Head
from ftsweep.models.loading import resolve_dtype
from ftsweep.models.local import LocalModel
from ftsweep.strategies.base import fresh_modules, redraw_fresh_modules
from ftsweep.testing.random_models import byte_tokenizer, random_bert

CPU = torch.device("cpu")


def load(folder: Path, head: Head, labels: list[str] | None = None, dtype: torch.dtype = torch.float32) -> Any:
    return LocalModel(path=str(folder)).load(head, labels=labels, dtype=dtype, device=CPU)


def edit_json(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file; None removes one."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def edit_weights(folder: Path, *, drop: str | None = None, **changes: torch.Tensor) -> None:
    path = folder / "model.safetensors"
    weights = {**load_file(path), **changes}
    weights = {name: value for name, value in weights.items() if drop is None or drop not in name}
    save_file(weights, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("dtype", "expected"), [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_dtype_names_on_the_cpu(dtype: str, expected: torch.dtype) -> None:
    assert resolve_dtype(dtype, CPU) is expected


@pytest.mark.parametrize(("capability", "expected"), [((9, 0), torch.bfloat16), ((7, 5), torch.float32)])
def test_auto_is_bfloat16_only_where_cuda_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_dtype("auto", torch.device("cuda", 0)) is expected
    assert resolve_dtype("float32", torch.device("cuda", 0)) is torch.float32


@pytest.mark.parametrize("dtype", ["float16", "int8", ""])
def test_an_unusable_dtype_names_the_usable_ones(dtype: str) -> None:
    with pytest.raises(ConfigError, match="auto, float32, bfloat16"):
        resolve_dtype(dtype, CPU)


def test_float16_on_disk_becomes_the_asked_dtype(tiny_folder: Path) -> None:
    on_disk = load_file(tiny_folder / "model.safetensors")
    assert {value.dtype for value in on_disk.values()} == {torch.float16}
    model = load(tiny_folder, "causal_lm")
    assert torch.equal(model.model.norm.weight, on_disk["model.norm.weight"].float())


def test_attention_is_sdpa_and_training_keeps_no_cache(tiny_folder: Path) -> None:
    model = load(tiny_folder, "causal_lm")
    assert model.config._attn_implementation == "sdpa"
    assert model.config.use_cache is False
    assert model(input_ids=torch.tensor([[1, 5, 6]])).past_key_values is None


def test_answering_still_uses_a_cache(tiny_folder: Path) -> None:
    model = load(tiny_folder, "causal_lm")
    answer = model.generate(
        input_ids=torch.tensor([[1, 5, 6]]),
        attention_mask=torch.ones(1, 3, dtype=torch.long),
        max_new_tokens=2,
        return_dict_in_generate=True,
    )
    assert answer.past_key_values is not None


def test_an_encoder_is_refused_for_generation(bert_folder: Path) -> None:
    with pytest.raises(ModelError, match="'bert' is an encoder and cannot do text generation"):
        load(bert_folder, "causal_lm")


def test_an_encoder_that_was_trained_as_decoder_is_one(bert_folder: Path) -> None:
    edit_json(bert_folder / "config.json", is_decoder=True)
    assert type(load(bert_folder, "causal_lm")).__name__ == "BertLMHeadModel"


@pytest.mark.parametrize("head", ["sequence_classification", "token_classification"])
def test_an_encoder_without_pooler_takes_a_classification_head(bert_folder: Path, head: Head) -> None:
    assert not any("pooler" in name for name in load_file(bert_folder / "model.safetensors"))
    assert load(bert_folder, head, ["a", "b"]).classifier.out_features == 2


def test_an_architecture_without_the_head_is_refused(tiny_folder: Path) -> None:
    (tiny_folder / "config.json").write_text(json.dumps({"model_type": "clip_vision_model"}))
    with pytest.raises(ModelError, match=r"no head for classification of whole texts.*clip_vision_model"):
        load(tiny_folder, "sequence_classification", ["a", "b"])


def test_quantised_weights_are_refused(tiny_folder: Path) -> None:
    edit_json(tiny_folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(ModelError, match="quantised"):
        load(tiny_folder, "causal_lm")


def test_code_of_the_model_is_never_run(tiny_folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (tiny_folder / "configuration_own.py").write_text(f"open({str(trace)!r}, 'w').close()")
    edit_json(tiny_folder / "config.json", model_type="own", auto_map={"AutoConfig": "configuration_own.OwnConfig"})
    with pytest.raises(ModelError, match="which ftsweep does not run"):
        load(tiny_folder, "causal_lm")
    assert not trace.exists()


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "experts_implementation"])
def test_kernels_of_a_repository_are_never_fetched(tiny_folder: Path, key: str) -> None:
    edit_json(tiny_folder / "config.json", **{key: "kernels-community/flash-attn"})
    with pytest.raises(ModelError, match=r"asks for code of 'kernels-community/flash-attn'"):
        load(tiny_folder, "causal_lm")


@pytest.mark.parametrize("head", ["causal_lm", "sequence_classification"])
def test_a_backbone_that_loads_in_part_is_refused(tiny_folder: Path, head: Head) -> None:
    edit_weights(tiny_folder, drop="layers.2.")
    with pytest.raises(ModelError, match=r"9 of 39 weights are absent|9 of 38 weights are absent"):
        load(tiny_folder, head, ["a", "b"])


def test_a_backbone_of_another_shape_is_refused(tiny_folder: Path) -> None:
    edit_weights(tiny_folder, **{"model.norm.weight": torch.ones(64)})
    with pytest.raises(ModelError, match=r"model\.norm\.weight"):
        load(tiny_folder, "sequence_classification", ["a", "b"])


def test_a_base_saved_without_its_language_head_is_refused_for_generation(tiny_folder: Path) -> None:
    edit_json(tiny_folder / "config.json", tie_word_embeddings=False)
    with pytest.raises(ModelError, match=r"lm_head\.weight"):
        load(tiny_folder, "causal_lm")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tiny_folder: Path, number: float) -> None:
    weights = load_file(tiny_folder / "model.safetensors")
    weights["model.norm.weight"][3] = number
    save_file(weights, tiny_folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"NaN or infinite numbers among its weights \(model\.norm\.weight\)"):
        load(tiny_folder, "sequence_classification", ["a", "b"])


def test_a_setting_of_another_type_is_one_paragraph(tiny_folder: Path) -> None:
    edit_json(tiny_folder / "config.json", hidden_size="large")
    with pytest.raises(
        ModelError, match="the configuration cannot be loaded: Validation error for field 'hidden_size'"
    ):
        load(tiny_folder, "causal_lm")


def test_a_damaged_weight_file_is_one_paragraph(tiny_folder: Path) -> None:
    path = tiny_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="the weights cannot be loaded") as caught:
        load(tiny_folder, "causal_lm")
    assert "\n" not in str(caught.value)


def test_a_damaged_configuration_is_one_paragraph(tiny_folder: Path) -> None:
    (tiny_folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="the configuration cannot be loaded"):
        load(tiny_folder, "causal_lm")


def test_a_damaged_tokenizer_is_one_paragraph(tiny_folder: Path) -> None:
    (tiny_folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="the tokenizer cannot be loaded"):
        LocalModel(path=str(tiny_folder)).tokenizer()


def test_a_tokenizer_of_another_model_is_refused(tiny_folder: Path) -> None:
    tokenizer = LocalModel(path=str(tiny_folder)).tokenizer()
    tokenizer.add_tokens(["<a token that has no embedding>"])
    tokenizer.save_pretrained(tiny_folder)
    with pytest.raises(ModelError, match="4097 tokens and the model only 4096 embeddings"):
        load(tiny_folder, "causal_lm")


def test_without_a_padding_token_the_end_token_pads_and_the_log_says_so(
    tiny_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edit_json(tiny_folder / "tokenizer_config.json", pad_token=None)
    edit_json(tiny_folder / "config.json", pad_token_id=None)
    with caplog.at_level(logging.INFO, logger="ftsweep"):
        tokenizer = LocalModel(path=str(tiny_folder)).tokenizer()
    assert tokenizer.pad_token == tokenizer.eos_token
    assert "padding with the end token" in caplog.text
    model = load(tiny_folder, "causal_lm")
    assert model.config.pad_token_id == tokenizer.eos_token_id
    assert model.get_input_embeddings().padding_idx is None, "the end token's embedding would get no gradient"


def test_a_tokenizer_that_cannot_pad_is_refused(tiny_folder: Path) -> None:
    edit_json(tiny_folder / "tokenizer_config.json", pad_token=None, eos_token=None)
    with pytest.raises(ModelError, match="neither a padding token nor an end token") as caught:
        LocalModel(path=str(tiny_folder)).tokenizer()
    remedy = json.loads("{" + str(caught.value.remedy).partition("{")[2].rstrip("."))
    edit_json(tiny_folder / "tokenizer_config.json", **remedy)
    load(tiny_folder, "causal_lm")


def test_texts_are_padded_and_cut_on_the_right_whatever_was_saved(tiny_folder: Path) -> None:
    edit_json(tiny_folder / "tokenizer_config.json", padding_side="left", truncation_side="left")
    tokenizer = LocalModel(path=str(tiny_folder)).tokenizer()
    assert (tokenizer.padding_side, tokenizer.truncation_side) == ("right", "right")


def test_a_sentencepiece_file_is_told_what_reads_it(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_arguments: Any) -> None:
        raise ValueError("`tiktoken` is required to read a `tiktoken` file. Install it with `pip install tiktoken`.")

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", refuse)
    with pytest.raises(ModelError, match="pip install tiktoken"):
        LocalModel(path=str(tiny_folder)).tokenizer()


def classifier_folder(tiny_folder: Path, labels: list[str]) -> torch.Tensor:
    """Make the folder a trained classifier of these labels; returns its head."""
    torch.manual_seed(7)
    model = load(tiny_folder, "sequence_classification", labels)
    model.save_pretrained(tiny_folder)
    return model.score.weight.detach().clone()


def test_a_trained_head_of_the_same_labels_is_kept(tiny_folder: Path) -> None:
    head = classifier_folder(tiny_folder, ["a", "b"])
    assert torch.equal(load(tiny_folder, "sequence_classification", ["a", "b"]).score.weight, head)


@pytest.mark.parametrize("labels", [["b", "a"], ["x", "y"], ["a", "b", "c"]])
def test_a_head_trained_for_other_labels_is_drawn_anew(tiny_folder: Path, labels: list[str]) -> None:
    head = classifier_folder(tiny_folder, ["a", "b"])
    torch.manual_seed(1)
    model = load(tiny_folder, "sequence_classification", labels, dtype=torch.bfloat16)
    torch.manual_seed(1)
    again = load(tiny_folder, "sequence_classification", labels, dtype=torch.bfloat16)
    assert model.score.weight.shape == (len(labels), 128)
    assert not torch.equal(model.score.weight[:2], head.bfloat16())
    assert torch.equal(model.score.weight, again.score.weight)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    expected = load_file(tiny_folder / "model.safetensors")["model.norm.weight"].bfloat16()
    assert torch.equal(model.model.norm.weight, expected)
    assert not model.training


def test_only_the_report_of_new_heads_is_silenced(tiny_folder: Path) -> None:
    from transformers.utils import logging as transformers_logging

    source = transformers_logging.get_logger("transformers.modeling_utils")
    before = (transformers_logging.get_verbosity(), list(source.filters), source.level)
    load(tiny_folder, "sequence_classification", ["a", "b"])
    assert (transformers_logging.get_verbosity(), list(source.filters), source.level) == before
    assert transformers_logging.set_tqdm_hook(None) is None


def test_a_classifier_without_labels_is_a_defect_of_the_caller(tiny_folder: Path) -> None:
    with pytest.raises(ValueError, match="needs labels"):
        load(tiny_folder, "sequence_classification", [])


def small_encoder(kind: str) -> PreTrainedModel:
    """A body of two layers without a head for masked words, as encoders that embed sentences are saved."""
    sizes = {"vocab_size": 264, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "pad_token_id": 0}
    config = AutoConfig.for_model(kind, **sizes, num_attention_heads=4, max_position_embeddings=64)
    if kind == "distilbert":
        config.n_layers, config.dim, config.hidden_dim, config.n_heads = 2, 32, 64, 4
    return AutoModel.from_config(config)


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", "distilbert", "modernbert", "albert", "electra"])
def test_an_encoder_that_lost_its_head_for_masked_words_gets_one_over_its_embeddings(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small_encoder(kind).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    torch.manual_seed(1)
    with caplog.at_level(logging.WARNING):
        model = load(tmp_path, "masked_lm")
    assert "corrupted" not in caplog.text, "as transformers calls such files"
    drawn = fresh_modules(model, "masked_lm")
    assert drawn
    outputs, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    assert outputs.weight is embeddings.weight
    saved = load_file(tmp_path / "model.safetensors")
    own = next(weight for name, weight in saved.items() if "word_emb" in name or "tok_emb" in name)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    torch.manual_seed(2)
    redraw_fresh_modules(model, "masked_lm")
    changed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert torch.equal(embeddings.weight, own)
    assert changed
    assert all(name.startswith(tuple(drawn)) for name in changed)
    model.save_pretrained(tmp_path)
    assert not fresh_modules(load(tmp_path, "masked_lm"), "masked_lm"), "what was trained along is there the next time"


@pytest.mark.parametrize("lost", ["a part of the head", "an output layer of its own"])
def test_a_head_for_masked_words_that_cannot_be_drawn_is_missed(lost: str, tmp_path: Path) -> None:
    model = random_bert("masked_lm")
    if lost == "a part of the head":
        weights = {name: each for name, each in model.state_dict().items() if "transform.dense" not in name}
        model.save_pretrained(tmp_path, state_dict=weights)
    else:
        model.config.tie_word_embeddings = False
        model.base_model.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"saved without its head for telling masked words"):
        load(tmp_path, "masked_lm")
