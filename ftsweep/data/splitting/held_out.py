"""Rows that an earlier stage may not read: those that tell what the trial itself holds out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from ftsweep.data.base import DataSource, Row, TaskEncoding
from ftsweep.data.likeness.duplicates import TEMPLATE_TEXTS, normalise
from ftsweep.data.prepared import PreparedSet
from ftsweep.errors import DataError

_LOGGER = logging.getLogger(__name__)

RUN = 13
"""Words of a run that counts as copied (the usual n of n-gram decontamination)."""

COPIED_SHARE = 0.5
"""A document that holds this share of a held-out text's runs tells that text."""

_FACTORS = np.random.default_rng(13).integers(1, 2**63, size=RUN, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


class HeldOutTexts:
    """Inputs and targets of held-out rows, and whether a document tells one of them."""

    def __init__(self, texts: Iterable[str]) -> None:
        by_form: dict[str, set[str]] = {}
        for text in texts:
            form = normalise(text)
            if form is not None and " " in form:  # a label of one word is no text
                by_form.setdefault(form, set()).add(text)
        templates = [form for form, members in by_form.items() if len(members) > TEMPLATE_TEXTS]
        self._exact = {text for form in templates for text in by_form.pop(form)}
        self._forms = set(by_form)
        runs = [_runs(form) for form in sorted(by_form)]
        self._num_runs = np.array([len(each) for each in runs], dtype=np.int64)
        hashes = np.concatenate([np.empty(0, np.uint64), *runs])
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._owners = np.repeat(np.arange(len(runs)), self._num_runs)[order]
        known = json.dumps([sorted(self._forms), sorted(self._exact)])
        self.fingerprint = hashlib.sha256(known.encode()).hexdigest()[:32]

    @classmethod
    def of(cls, prepared: PreparedSet, task: TaskEncoding) -> HeldOutTexts:
        """Of the validation and test rows of a prepared set."""
        rows = [row.values for name in ("validation", "test") for row in prepared.rows(name)]
        return cls(text for values in rows for text in (task.input_text(values), task.target_text(values)))

    def are_told_by(self, document: str) -> bool:
        """Whether the document, normalised, is one of the texts, or holds half of one's runs of 13 words.

        Of texts that differ in numbers alone (a template) only equal ones count.
        """
        form = normalise(document)
        if form is None:
            return False
        if form in self._forms or document in self._exact:
            return True
        runs = _runs(form)
        first, last = (np.searchsorted(self._hashes, runs, side=side) for side in ("left", "right"))
        owners = [self._owners[start:end] for start, end in zip(first, last, strict=True) if start < end]
        if not owners:
            return False
        counts = np.bincount(np.concatenate(owners), minlength=len(self._num_runs))
        return bool(np.any((counts > 0) & (counts >= COPIED_SHARE * self._num_runs)))


class WithoutHeldOut(DataSource):
    """Another source's rows but for those that tell a held-out text."""

    def __init__(self, source: DataSource, task: TaskEncoding, held_out: HeldOutTexts) -> None:
        self._source = source
        self._task = task
        self._held_out = held_out
        self.group = source.group
        self.validation_fraction = source.validation_fraction
        self.test_fraction = source.test_fraction

    def fingerprint(self) -> str:
        facts = f"{self._source.fingerprint()} without {self._held_out.fingerprint}"
        return hashlib.sha256(facts.encode()).hexdigest()[:32]

    def load(self, columns: Iterable[str]) -> dict[str, list[Row]]:
        loaded = self._source.load(columns)
        self.findings = self._source.findings
        kept = {name: [row for row in rows if not self._is_told(row)] for name, rows in loaded.items()}
        num_rows = sum(map(len, loaded.values()))
        num_left_out = num_rows - sum(map(len, kept.values()))
        if not kept["train"]:
            raise DataError(
                f"all {len(loaded['train'])} rows tell what the trial holds out for validation and test",
                where="data.train",
                remedy="Bring text of its own for the stage.",
            )
        if num_left_out:
            _LOGGER.info("%d of %d rows tell what the trial holds out, and are left out", num_left_out, num_rows)
        return kept

    def _is_told(self, row: Row) -> bool:
        try:
            texts = (self._task.input_text(row.values), self._task.target_text(row.values))
        except ValueError:  # a row that cannot be used: preparing it says so
            return False
        return any(self._held_out.are_told_by(text) for text in texts)


def _runs(form: str) -> np.ndarray:
    """Hashes of the different runs of 13 words of a normalised text. uint64."""
    words = np.array([_word_hash(word) for word in form.split()], dtype=np.uint64)
    if len(words) < RUN:
        return np.empty(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(words, RUN)
    return np.unique((windows * _FACTORS).sum(axis=1, dtype=np.uint64))


@lru_cache(maxsize=1 << 18)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
