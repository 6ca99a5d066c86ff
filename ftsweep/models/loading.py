"""Loads models for every source: checked, quiet, in the asked dtype, with the asked head.

No pickle is opened (`use_safetensors`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ftsweep.models.base import LANGUAGE_HEADS, Head, Quantisation, check_dtype
from ftsweep.models.origin import Origin, failures_told, load_config, quiet
from ftsweep.models.padding_read import check_padding
from ftsweep.models.quantised import quantised_arguments
from ftsweep.models.segments import tell_segments
from ftsweep.models.tokenizer import load_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

HEAD_PHRASES: dict[Head, str] = {
    "causal_lm": "text generation (causal_lm)",
    "masked_lm": "telling masked words (masked_lm)",
    "sequence_classification": "classification of whole texts (sequence_classification)",
    "token_classification": "classification of tokens (token_classification)",
}


def resolve_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The torch type of `auto`, `float32` or `bfloat16`: auto is bfloat16 where CUDA computes in it, else float32."""
    import torch

    if check_dtype(dtype) == "auto":
        is_native = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        dtype = "bfloat16" if is_native else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]


def load_model(
    origin: Origin,
    head: Head,
    *,
    labels: Sequence[str] | None,
    dtype: torch.dtype,
    device: torch.device,
    quantisation: Quantisation | None = None,
) -> PreTrainedModel:
    """The model as `ModelSource.load` promises it."""
    is_classifier = head in ("sequence_classification", "token_classification")
    if is_classifier and not labels:
        raise ValueError(f"the head {head} needs labels")
    config = load_config(origin)
    _check_architecture(origin, config, head)
    architectures = config.architectures
    saved_labels = [config.id2label[index] for index in sorted(config.id2label or {})]
    if is_classifier:
        _set_labels(config, labels or ())
    extra = {} if quantisation is None else quantised_arguments(config, _auto_class(head), dtype, device)
    with failures_told(origin, "weights"), quiet():
        model: Any
        model, report = _auto_class(head).from_pretrained(
            **origin.arguments(),
            config=config,
            dtype=dtype,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # a head for other labels; anything else is refused below
            output_loading_info=True,
            **extra,
        )
    has_new_head = _check_weights(origin, model, report, head)
    _check_numbers(origin, model)
    is_other_kind = bool(architectures) and type(model).__name__ not in architectures  # of tokens, not of texts
    if is_classifier and not has_new_head and (is_other_kind or saved_labels != list(labels or ())):
        model = _with_new_head(model)
    _settle(origin, model, load_tokenizer(origin))
    placed: PreTrainedModel = (model if quantisation else model.to(device)).eval()
    return placed


def _auto_class(head: Head) -> Any:
    import transformers

    if head == "causal_lm":
        return transformers.AutoModelForCausalLM
    if head == "masked_lm":
        return transformers.AutoModelForMaskedLM
    if head == "sequence_classification":
        return transformers.AutoModelForSequenceClassification
    return transformers.AutoModelForTokenClassification


def _check_architecture(origin: Origin, config: PreTrainedConfig, head: Head) -> None:
    """Refuse, before any weights are read, an architecture that cannot do what the task needs."""
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
        MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
    )

    for part in ("_attn_implementation", "_experts_implementation"):
        value = str(getattr(config, part, None))
        if "/" in value:  # transformers would fetch and run it where the package `kernels` is installed
            raise origin.error(
                f"its config.json asks for code of {value!r}, which ftsweep does not run",
                "Remove attn_implementation and experts_implementation from config.json.",
            )
    if getattr(config, "quantization_config", None):
        raise origin.error("its weights are quantised, and their type cannot be chosen", "Name the unquantised model.")
    kind = type(config)
    # BertLMHeadModel and its kin would load an encoder's weights and read the text to the right of each token.
    is_encoder = kind in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    if head == "masked_lm" and config.is_encoder_decoder:
        raise origin.error(f"{config.model_type!r} is an encoder-decoder and masks no single words", "Choose another.")
    if head == "causal_lm" and (is_encoder or config.is_encoder_decoder):
        shape = "an encoder-decoder" if config.is_encoder_decoder else "an encoder"
        raise origin.error(
            f"{config.model_type!r} is {shape} and cannot do {HEAD_PHRASES[head]}",
            "Choose a decoder (model=tiny, model=smollm2_135m), or task=classification for this model.",
        )
    mappings: dict[Head, Any] = {
        "causal_lm": MODEL_FOR_CAUSAL_LM_MAPPING,
        "masked_lm": MODEL_FOR_MASKED_LM_MAPPING,
        "sequence_classification": MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
        "token_classification": MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
    }
    if kind not in mappings[head]:
        raise origin.error(
            f"transformers has no head for {HEAD_PHRASES[head]} on {config.model_type!r}",
            "Choose another model, or a task that this one can do.",
        )
    check_padding(origin, config, head)


def _set_labels(config: PreTrainedConfig, labels: Sequence[str]) -> None:
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}


def _check_weights(origin: Origin, model: PreTrainedModel, report: dict[str, Any], head: Head) -> bool:
    """Whether the head was newly drawn. Anything else that the files lack is refused: half a backbone looks well."""
    parameters = {name for name, _ in model.named_parameters()}  # buffers (position_ids) are computed, not learned
    missing = set(report["missing_keys"]) | {key[0] for key in report["mismatched_keys"]}
    missing &= parameters
    prefix = f"{model.base_model_prefix}."
    outside = {name for name in parameters if not name.startswith(prefix)}
    if head == "masked_lm" and _is_drawable_head(model, missing, outside):
        logger.info("%s: no head for masked words in its files; one is drawn over its embeddings", origin.where)
        return True
    new = {name for name in missing if head not in LANGUAGE_HEADS and _belongs_to_head(name, prefix)}
    lost = sorted(missing - new)
    if lost:
        listed = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
        if not any(name.startswith(prefix) for name in lost):
            raise origin.error(
                f"the model is saved without its head for {HEAD_PHRASES[head]}, or with a part of it ({listed})",
                "Choose a model with this head. Of an encoder whose output layer is tied to its embeddings "
                "(tie_word_embeddings), a head for masked words may be absent as a whole: it is drawn.",
            )
        raise origin.error(
            f"the files do not fit the architecture {type(model).__name__}: {len(lost)} of {len(parameters)} weights "
            f"are absent or of another shape ({listed})",
            "Get the whole model again: config.json and the safetensors files must belong together.",
        )
    return any(not name.startswith(prefix) for name in new)


def _check_numbers(origin: Origin, model: PreTrainedModel) -> None:
    """Refuse weights that are no numbers: every loss would be NaN."""
    import torch

    weights = ((name, weight) for name, weight in model.named_parameters() if weight.is_floating_point())
    # a sum, in which one NaN or infinity shows: looking at each weight would take the memory of them all
    broken = [name for name, weight in weights if not torch.isfinite(weight.detach().sum(dtype=torch.float32))]
    if broken:
        listed = ", ".join(broken[:3]) + (", ..." if len(broken) > 3 else "")
        raise origin.error(
            f"there are NaN or infinite numbers among its weights ({listed})",
            "Take the model as it was before: its training has diverged, or a conversion to float16 was too narrow.",
        )


def _is_drawable_head(model: PreTrainedModel, missing: set[str], outside: set[str]) -> bool:
    """Whether what is missing is a head for masked words whose output layer is the input embeddings: encoders that
    embed sentences have lost it, and it is learned soon. outside: all parameters outside of the backbone.
    """
    inputs: Any = model.get_input_embeddings()
    outputs: Any = model.get_output_embeddings()
    if outputs is None or outputs.weight is not inputs.weight:
        return False
    layers = {name for name in outside if outputs not in model.get_submodule(name.rpartition(".")[0]).modules()}
    return bool(layers) and layers <= missing <= outside


def _belongs_to_head(name: str, prefix: str) -> bool:
    """A pooler stands inside the backbone and yet serves classification alone; language models are saved without."""
    return not name.startswith(prefix) or "pooler" in name.split(".")


def _with_new_head(model: PreTrainedModel) -> PreTrainedModel:
    """The same backbone under a fresh head: the one in the files was trained for other labels of the same number."""
    heads = [module for name, module in model.named_children() if name != model.base_model_prefix]
    for weight in (weight for module in heads for weight in module.parameters()):
        weight._is_hf_initialized = False  # type: ignore[attr-defined]  # what is marked is not drawn
    for part in (part for module in heads for part in module.modules()):
        model._init_weights(part)
    return model


def _settle(origin: Origin, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Bring model and tokenizer together, and keep no key-value cache while training."""
    table = getattr(model.get_input_embeddings(), "weight", None)
    if table is None:
        raise origin.error(f"{type(model).__name__} has no table with a row for each token", "Choose another model.")
    num_embeddings = len(table)
    if len(tokenizer) > num_embeddings:
        raise origin.error(
            f"the tokenizer has {len(tokenizer)} tokens and the model only {num_embeddings} embeddings",
            "Take tokenizer and weights from the same place. Tokens that were added need embeddings: "
            "model.resize_token_embeddings(len(tokenizer)), saved with the tokenizer.",
        )
    # After construction: an embedding built with padding_idx gets no gradient there, and eos may be the padding.
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    if tokenizer.sep_token_id is not None:
        tell_segments(model, tokenizer.sep_token_id)
    model.config.use_cache = model.config.get_text_config().use_cache = False
    if model.can_generate() and model.generation_config is not None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.generation_config.use_cache = True  # answering is another matter than training


def mark_new(model: PreTrainedModel, names: Iterable[str]) -> None:
    """Have the modules of these names count as those that no checkpoint brought."""
    for weight in (weight for name in names for weight in model.get_submodule(name).parameters()):
        weight._is_hf_initialized = False  # type: ignore[attr-defined]
