"""`model: hub`: any model of the Hugging Face hub, from its local cache when the network is away."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.errors import ConfigError, ModelError
from ftsweep.models.base import Head, ModelSource, Quantisation, check_dtype

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftsweep.models.origin import Origin

NAME_PATTERN = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")


class HubModel(ModelSource):
    """The model `name` (`organisation/model`) at `revision`: a branch, a tag or a commit. Safetensors only."""

    def __init__(self, *, name: str, revision: str = "main", dtype: str = "auto") -> None:
        if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
            raise ConfigError(
                f"{name!r} is no name of a model on the hub",
                where="model.name",
                remedy="Write organisation/model, or use model=local model.path=... for a folder.",
            )
        if not isinstance(revision, str) or not revision:
            raise ConfigError(
                f"{revision!r} is no revision", where="model.revision", remedy="Name a branch, a tag or a commit."
            )
        self.name = name
        self.revision = revision
        self.dtype = check_dtype(dtype)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        from ftsweep.models.tokenizer import load_tokenizer

        with self._absence_told():
            return load_tokenizer(self._origin())

    def fingerprint(self) -> str:
        """Of name and commit; while the model is not in the cache, of name and revision. Reads no network."""
        return hashlib.sha256(f"{self.name}@{self._cached_commit() or self.revision}".encode()).hexdigest()[:16]

    def load(
        self,
        head: Head,
        *,
        labels: Sequence[str] | None,
        dtype: torch.dtype,
        device: torch.device,
        quantisation: Quantisation | None = None,
    ) -> PreTrainedModel:
        from ftsweep.models.loading import load_model

        with self._absence_told():
            return load_model(
                self._origin(), head, labels=labels, dtype=dtype, device=device, quantisation=quantisation
            )

    def reference(self) -> dict[str, Any]:
        return {
            "_target_": "ftsweep.models.HubModel",
            "name": self.name,
            "revision": self._cached_commit() or self.revision,
            "dtype": self.dtype,
        }

    def _origin(self) -> Origin:
        from ftsweep.models.origin import Origin

        if Path(self.name).is_dir():  # from_pretrained would read it instead of the hub
            raise ModelError(
                "a folder of this name lies where the command runs",
                where=self._where,
                remedy=f"Use model=local model.path={self.name}, or run from another folder.",
            )
        return Origin(name=self.name, where=self._where, revision=self.revision)

    @property
    def _where(self) -> str:
        return f"model.name={self.name}" + ("" if self.revision == "main" else f" model.revision={self.revision}")

    def _cached_commit(self) -> str | None:
        """The commit that the cache holds of this revision; its folder is `snapshots/<commit>/`."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.name, "config.json", revision=self.revision)
        return Path(found).parent.name if isinstance(found, str) else None

    @contextmanager
    def _absence_told(self) -> Iterator[None]:
        """Tell apart what the hub refuses and what the network does, and say what to do about each."""
        try:
            yield
        except ModelError as error:
            told = _told_absence(error)
            if told is None:
                raise
            raise ModelError(told[0], where=self._where, remedy=told[1]) from error


def _told_absence(error: BaseException) -> tuple[str, str] | None:
    """What happened and the remedy, when the hub or the network is the reason of an error."""
    from huggingface_hub import errors

    instead = "or download it elsewhere and name its folder: model=local model.path=..."
    for cause in _causes(error):
        if isinstance(cause, errors.GatedRepoError):
            return "the hub asks for consent to this model's licence", f"Accept it on its page and log in, {instead}"
        if isinstance(cause, errors.RevisionNotFoundError):
            return "the hub has no such revision of this model", "Name a branch, a tag or a commit that it has."
        if isinstance(cause, errors.RepositoryNotFoundError):
            return "the hub has no such model, or it is private", f"Check the name, log in, {instead}"
        if isinstance(cause, errors.EntryNotFoundError) and not isinstance(cause, errors.LocalEntryNotFoundError):
            return (
                "the model has no safetensors weights on the hub, or lacks another file",
                f"Choose another, {instead}",
            )
        if isinstance(cause, errors.LocalEntryNotFoundError | ConnectionError):  # or HF_HUB_OFFLINE
            return (
                "the model is not in the local cache, and the hub cannot be reached",
                f"Connect this machine to huggingface.co once, {instead}",
            )
        if isinstance(cause, errors.HfHubHTTPError):
            return f"the hub answered with an error ({cause})", f"Try again later, {instead}"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, from the outermost in."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
