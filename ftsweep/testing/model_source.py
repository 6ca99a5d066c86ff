"""What every model source must do. Subclass, give the fixture `source`, and say which heads the model can have."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import pytest

from ftsweep.errors import ConfigError, ModelError
from ftsweep.models.base import LANGUAGE_HEADS, Head, ModelSource

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ALL_HEADS: tuple[Head, ...] = get_args(Head)
DECODER_HEADS: tuple[Head, ...] = ("causal_lm", "sequence_classification", "token_classification")
LABELS = ("apple", "pear", "plum")

REBUILD = """
import importlib, json, sys
reference = json.loads(sys.argv[1])
module, _, name = reference.pop("_target_").rpartition(".")
source = getattr(importlib.import_module(module), name)(**reference)
heavy = {"torch", "transformers", "peft", "datasets"} & set(sys.modules)
print(json.dumps({"fingerprint": source.fingerprint(), "reference": source.reference(), "heavy": sorted(heavy)}))
"""


class ModelSourceContract:
    """Test class for authors of model sources; the name of the subclass begins with Test."""

    heads: ClassVar[tuple[Head, ...]] = DECODER_HEADS
    """The heads that this model can have; all others must be refused with a ModelError."""

    @pytest.fixture
    def source(self) -> ModelSource:
        raise NotImplementedError("give the model source as a fixture")

    def test_another_process_rebuilds_the_source_without_torch(self, source: ModelSource) -> None:
        reference = source.reference()
        command = [sys.executable, "-c", REBUILD, json.dumps(reference)]
        rebuilt = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert rebuilt == {"fingerprint": source.fingerprint(), "reference": reference, "heavy": []}

    def test_every_setting_is_a_keyword(self, source: ModelSource) -> None:
        with pytest.raises(TypeError):
            type(source)(*source.reference().values())

    def test_an_unknown_dtype_is_refused_when_built(self, source: ModelSource) -> None:
        settings: dict[str, Any] = {**source.reference(), "dtype": "float8"}
        del settings["_target_"]
        with pytest.raises(ConfigError, match="float8"):
            type(source)(**settings)

    def test_the_tokenizer_pads(self, source: ModelSource) -> None:
        tokenizer = source.tokenizer()
        batch = tokenizer(["one", "one two three four"], padding=True)
        short, long = batch["input_ids"]
        assert len(short) == len(long)
        assert short[-1] == tokenizer.pad_token_id

    def test_every_tokenizer_is_a_fresh_one(self, source: ModelSource) -> None:
        source.tokenizer().padding_side = "left"
        assert source.tokenizer().padding_side == "right"

    def test_models_are_in_eval_mode_in_the_asked_dtype(self, source: ModelSource) -> None:
        import torch

        for head in self.heads:
            for dtype in (torch.float32, torch.bfloat16):
                model = self.loaded(source, head, dtype=dtype)
                assert not model.training
                assert {parameter.dtype for parameter in model.parameters()} == {dtype}, head

    def test_model_and_tokenizer_agree(self, source: ModelSource) -> None:
        tokenizer = source.tokenizer()
        for head in self.heads:
            model = self.loaded(source, head)
            assert model.config.pad_token_id == tokenizer.pad_token_id
            embeddings: Any = model.get_input_embeddings()
            assert embeddings.num_embeddings >= len(tokenizer)

    def test_padding_does_not_change_an_answer(self, source: ModelSource) -> None:
        import torch

        tokenizer = source.tokenizer()
        texts = ["a short one", "a text that is quite a lot longer than the short one is"]
        padded = tokenizer(texts, padding=True, return_tensors="pt")
        alone = tokenizer(texts[:1], return_tensors="pt")
        length = alone["input_ids"].shape[1]
        for head in self.heads:
            model = self.loaded(source, head)
            with torch.no_grad():
                together = model(**padded).logits[:1]
                by_itself = model(**alone).logits
            if head != "sequence_classification":
                together = together[:, :length]
            torch.testing.assert_close(together, by_itself, rtol=1e-3, atol=1e-4)

    def test_labels_size_and_name_the_head(self, source: ModelSource) -> None:
        for head in self.classifiers():
            model = self.loaded(source, head)
            assert model.config.num_labels == len(LABELS)
            assert model.config.id2label == dict(enumerate(LABELS))
            assert model.config.label2id == {label: index for index, label in enumerate(LABELS)}
            assert self.logits(source, model).shape[-1] == len(LABELS)

    def test_the_seed_decides_new_weights_and_nothing_else(self, source: ModelSource) -> None:
        import torch

        for head in self.classifiers():
            first, again, other = (self.loaded(source, head, seed=seed).state_dict() for seed in (1, 1, 2))
            assert all(torch.equal(first[name], again[name]) for name in first)
            changed = {name for name in first if not torch.equal(first[name], other[name])}
            assert changed
            assert len(changed) < len(first) / 4, "the pre-trained weights depend on the seed"

    def test_nothing_is_random_without_a_new_head(self, source: ModelSource) -> None:
        import torch

        if "causal_lm" in self.heads:
            first, other = (self.loaded(source, "causal_lm", seed=seed).state_dict() for seed in (1, 2))
            assert all(torch.equal(first[name], other[name]) for name in first)

    def test_a_head_that_the_architecture_lacks_is_refused(self, source: ModelSource) -> None:
        for head in set(ALL_HEADS) - set(self.heads):
            with pytest.raises(ModelError) as caught:
                self.loaded(source, head)
            assert caught.value.where
            assert caught.value.remedy

    def test_loading_prints_and_warns_nothing(self, source: ModelSource, capfd: pytest.CaptureFixture[str]) -> None:
        messages = _Messages()
        library = logging.getLogger("transformers")  # its own handler holds the stream that was there at import
        library.addHandler(messages)
        try:
            for head in self.heads:
                self.loaded(source, head)
        finally:
            library.removeHandler(messages)
        assert capfd.readouterr() == ("", "")
        assert messages.texts == []

    def classifiers(self) -> tuple[Head, ...]:
        return tuple(head for head in self.heads if head not in LANGUAGE_HEADS)

    def loaded(
        self, source: ModelSource, head: Head, *, dtype: torch.dtype | None = None, seed: int = 0
    ) -> PreTrainedModel:
        import torch

        torch.manual_seed(seed)
        labels = None if head == "causal_lm" else LABELS
        return source.load(head, labels=labels, dtype=dtype or torch.float32, device=torch.device("cpu"))

    def logits(self, source: ModelSource, model: PreTrainedModel) -> torch.Tensor:
        import torch

        with torch.no_grad():
            logits: torch.Tensor = model(**source.tokenizer()(["a text"], return_tensors="pt")).logits
        return logits


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
