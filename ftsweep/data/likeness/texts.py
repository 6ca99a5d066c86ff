"""What rows say, made comparable: keys of inputs, words, near-duplicates; computed when first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ftsweep.data.likeness.alike import Likeness
from ftsweep.data.likeness.duplicates import InputKeys, input_keys, normalise
from ftsweep.data.likeness.near_duplicates import NearDuplicates
from ftsweep.data.likeness.words import WordTable


class Texts:
    """Inputs, targets and contents of all usable rows, by the row's number.

    The content is what near-duplicates and shared passages are judged by: of a task that writes text the input with its
    answer (one template may ask for many things), of all others the input.
    """

    def __init__(self, inputs: Sequence[str], targets: Sequence[str], likeness: Likeness, *, writes_text: bool) -> None:
        """`writes_text`: whether the task's targets are texts, and no labels."""
        self._likeness = likeness
        self.inputs = inputs
        self.targets = targets
        self.has_text_targets = writes_text and any(targets)

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def keys(self) -> InputKeys:
        """Exact and normalised keys of the inputs. Over all rows at once: what is a template must be so everywhere."""
        return input_keys(self.inputs, self.forms)

    @cached_property
    def forms(self) -> list[str | None]:
        """The inputs normalised."""
        return [normalise(text) for text in self.inputs]

    @cached_property
    def target_forms(self) -> list[str]:
        """The targets normalised; "" for what has no such form."""
        return [normalise(text) or "" for text in self.targets]

    @cached_property
    def words(self) -> WordTable:
        """The words of the contents."""
        return WordTable(self._content_forms)

    @cached_property
    def near(self) -> NearDuplicates:
        """Near-duplicates among the contents."""
        first: dict[str, int] = {}
        for number, form in enumerate(self._content_forms):
            first.setdefault(form, number)
        return NearDuplicates(self.words, self._likeness, among=np.fromiter(first.values(), np.int64, len(first)))

    @cached_property
    def _content_forms(self) -> list[str]:
        if not self.has_text_targets:
            return [form or "" for form in self.forms]
        return [f"{form or ''} {target}" for form, target in zip(self.forms, self.target_forms, strict=True)]
