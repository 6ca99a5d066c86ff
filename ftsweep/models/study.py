"""`model: study`: the best model of an earlier study as the base of a new one."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ftsweep.config.build import build
from ftsweep.domain.addresses import is_address
from ftsweep.domain.commands import study_command
from ftsweep.domain.paths import typed_path
from ftsweep.errors import ConfigError, ModelError, UsageError, suggest
from ftsweep.models.base import Head, ModelSource, Quantisation, check_dtype
from ftsweep.models.folder import folder_fingerprint
from ftsweep.models.local import LocalModel
from ftsweep.store.address.place import store_named
from ftsweep.store.atomic import read_json, written_folder
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.locks import made_by_one

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_MANIFEST = "ftsweep.json"
_ADAPTER = "adapter_config.json"
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_HEADS: dict[str | None, Head] = {
    "CAUSAL_LM": "causal_lm",
    "SEQ_CLS": "sequence_classification",
    "TOKEN_CLS": "token_classification",
    None: "masked_lm",  # PEFT has no word for it
}

_LOGGER = logging.getLogger(__name__)


class StudyModel(ModelSource):
    """The chosen model of the study `study`, its adapter merged into its base; `store` is the folder of its store.

    The body's weights carry over. A head does too when the new task has the same labels and kind of head; otherwise it
    is new. A sweep fills in its own store where `store` is null.
    """

    lasts: ClassVar[bool] = False

    def __init__(self, *, study: str, store: str | None = None, dtype: str = "auto") -> None:
        try:
            Store(Path()).study(study)
        except (UsageError, TypeError):
            raise ConfigError(
                f"{study!r} cannot be a study's name", where="model.study", remedy="`ftsweep status` lists the studies."
            ) from None
        self.study = study
        self.store = None if store is None else str(store if is_address(store) else typed_path(store).absolute())
        self.dtype = check_dtype(dtype)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        return self._base().tokenizer() if self._is_adapter() else self._whole().tokenizer()

    def fingerprint(self) -> str:
        if not self._is_adapter():
            return self._whole().fingerprint()
        folder = self._folder()
        total = hashlib.sha256((folder / _ADAPTER).read_bytes())
        total.update(f"{folder_fingerprint(folder)} {self._base().fingerprint()}".encode())
        return total.hexdigest()[:16]

    def load(
        self,
        head: Head,
        *,
        labels: Sequence[str] | None,
        dtype: torch.dtype,
        device: torch.device,
        quantisation: Quantisation | None = None,
    ) -> PreTrainedModel:
        whole = self._merged() if self._is_adapter() else self._whole()
        return whole.load(head, labels=labels, dtype=dtype, device=device, quantisation=quantisation)

    def reference(self) -> dict[str, Any]:
        return {
            "_target_": "ftsweep.models.StudyModel",
            "study": self.study,
            "store": self.store,
            "dtype": self.dtype,
        }

    # -- where it lies --------------------------------------------------------------------------------------------

    def _study_folder(self) -> StudyFolder:
        if self.store is None:
            raise ModelError("the store of the study is not known", where="model.store", remedy="Name its folder.")
        return store_named(self.store).study(self.study)

    def _folder(self) -> Path:
        """The exported model, or ModelError: what is missing, and how to get it."""
        study = self._study_folder()
        folder = study.path / "model"
        if (folder / _MANIFEST).is_file():
            return folder
        if study.sweep_file.exists():
            what = f"study {self.study!r} has no model: it has not come to its end, or no trial of it could be chosen"
            command = study_command("best", self.study, store=study.store.name)
            remedy = f"`{command}` says what it came to; `ftsweep run` of the same sweep goes on."
        else:
            what = f"there is no study {self.study!r} in the store {self.store}"
            remedy = suggest(self.study, [each.name for each in study.store.studies()])
        raise ModelError(what, where=self._where, remedy=remedy)

    def _is_adapter(self) -> bool:
        folder = self._folder()
        is_adapter = (folder / _ADAPTER).is_file()
        if is_adapter and self._adapter_head() is not None:
            return True
        if is_adapter or not (folder / "config.json").is_file():
            raise ModelError(
                f"the model of study {self.study!r} is no model of its own: what it learned stands beside its base",
                where=self._where,
                remedy="Choose a study whose winner was trained with lora, dora, ia3, full, head or top_layers.",
            )
        return False

    def _adapter_head(self) -> Head | None:
        """The head that the adapter was trained with; None for one that cannot be merged (virtual tokens)."""
        config = read_json(self._folder() / _ADAPTER)
        return None if "num_virtual_tokens" in config else _HEADS.get(config["task_type"])

    def _whole(self) -> LocalModel:
        return LocalModel(path=str(self._folder()), dtype=self.dtype)

    def _base(self) -> ModelSource:
        """The base that the study's adapter was trained on."""
        node = read_json(self._folder() / _MANIFEST)["model"]
        base: ModelSource = build(node, where=f"{self._where}: its base")
        return base

    # -- merging --------------------------------------------------------------------------------------------------

    def _merged(self) -> LocalModel:
        """The adapter merged into its base in float32, once for all workers, in the cache of the study's store."""
        import torch

        root = self._study_folder().store.cache / "merged"
        folder = root / self.fingerprint()
        root.mkdir(parents=True, exist_ok=True)
        if not (folder / _MANIFEST).exists():
            with made_by_one(root):
                if not (folder / _MANIFEST).exists():
                    with torch.random.fork_rng(devices=[]):  # whoever merges draws a new head like those who do not
                        self._merge_into(folder)
        with suppress(OSError):  # a cache that may only be read
            os.utime(folder / _MANIFEST)  # reading counts as use
        return LocalModel(path=str(folder), dtype=self.dtype)

    def _merge_into(self, destination: Path) -> None:
        import torch
        from peft import PeftModel
        from peft.utils import ModulesToSaveWrapper
        from safetensors import SafetensorError

        from ftsweep.models.saving import save_whole

        folder, base, head = self._folder(), self._base(), self._adapter_head()
        assert head is not None, "asked by _is_adapter"
        if not (folder / _ADAPTER_WEIGHTS).is_file():  # PEFT would open a pickle in its place
            remedy = "Run that study's last step again: remove its model/ folder and give its `ftsweep run` again."
            raise ModelError(f"its adapter has no {_ADAPTER_WEIGHTS}", where=self._where, remedy=remedy)
        labels = read_json(folder / _MANIFEST)["schema"].get("labels")
        model = base.load(head, labels=labels, dtype=torch.float32, device=torch.device("cpu"))
        try:
            with warnings.catch_warnings():
                # PEFT asks transformers by a name that transformers 5 calls deprecated
                warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is", category=FutureWarning)
                adapted = PeftModel.from_pretrained(model, str(folder))
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"its adapter cannot be put on its base: {error}", where=self._where) from error
        for name, module in list(model.named_modules()):
            if isinstance(module, ModulesToSaveWrapper):  # PEFT takes out single layers only
                model.set_submodule(name, module.modules_to_save[module.active_adapters[0]])
        whole = adapted.merge_and_unload()
        with written_folder(destination) as temporary:
            save_whole(whole, temporary)
            base.tokenizer().save_pretrained(temporary)
            (temporary / _MANIFEST).write_bytes((folder / _MANIFEST).read_bytes())
        _LOGGER.info("%s: its adapter is merged into its base, in %s", self._where, destination)

    @property
    def _where(self) -> str:
        return f"model.study={self.study}"
