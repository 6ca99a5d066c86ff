"""Dimensions as Optuna's distributions, and values to and fro. Imports optuna: only the study's side may import it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ftsweep.domain.space import Branch, Choice, Dimension, FloatInterval, IntInterval
from ftsweep.errors import ConfigError

Scalar = str | int | float | bool | None


class Encoding:
    """One dimension as Optuna stores it."""

    def __init__(self, dimension: Dimension, *, where: str) -> None:
        self.dimension = dimension
        try:
            self.distribution: BaseDistribution = self._make_distribution()
        except ValueError as error:
            raise ConfigError(
                f"the dimension {dimension} cannot be searched: {error}",
                where=where,
                remedy="Mend its bounds, `log` or `step`.",
            ) from None

    @cached_property
    def _labels(self) -> tuple[Scalar, ...]:
        """A choice's values as Optuna takes them: scalars as they are, anything else as JSON.

        Values that Python holds equal (1 and true) and texts that look like another value's JSON make all of them JSON.
        """
        assert isinstance(self.dimension, Choice)
        values = self.dimension.values
        labels = tuple(value if isinstance(value, Scalar) else _json(value) for value in values)
        return labels if len(set(labels)) == len(labels) else tuple(_json(value) for value in values)

    def _make_distribution(self) -> BaseDistribution:
        match self.dimension:
            case Choice():
                return CategoricalDistribution(self._labels)
            case IntInterval(low, high, log, step):
                return IntDistribution(low, high - (high - low) % step, log=log, step=step)
            case FloatInterval(low, high, log, step):
                if step is not None:  # in decimal, as Optuna does: 0.1 + 2 * 0.1 is not 0.3
                    whole = (Decimal(str(high)) - Decimal(str(low))) // Decimal(str(step))
                    high = float(Decimal(str(low)) + whole * Decimal(str(step)))
                return FloatDistribution(low, high, log=log, step=step)

    def encode(self, value: Any) -> Scalar:
        """A value of the dimension as Optuna takes it."""
        match self.dimension:
            case Choice():
                return self._labels[self.dimension.key(value)]
            case IntInterval():
                return int(value)
            case FloatInterval():
                return float(value)

    def decode(self, stored: Any) -> Any:
        """What Optuna stored, as the value of the dimension."""
        match self.dimension:
            case Choice():
                for label, value in zip(self._labels, self.dimension.values, strict=True):
                    if label is stored or (type(label) is type(stored) and label == stored):
                        return value
                raise ValueError(f"{stored!r} is none of the choices {self.dimension}")
            case IntInterval():
                return int(stored)
            case FloatInterval():
                return float(stored)


class BranchEncoding:
    """A branch's dimensions by parameter name."""

    def __init__(self, branch: Branch) -> None:
        self.branch = branch
        self.by_name = {
            branch.param_name(path): Encoding(dimension, where=f"space.{path}")
            for path, dimension in branch.space.dimensions.items()
        }

    @cached_property
    def varying(self) -> dict[str, BaseDistribution]:
        """The distributions that have more than one value: the space that a sampler is asked about."""
        return {
            name: encoding.distribution
            for name, encoding in sorted(self.by_name.items())
            if not encoding.distribution.single()
        }

    def encode(self, params: Mapping[str, Any]) -> dict[str, Scalar]:
        return {name: encoding.encode(params[name]) for name, encoding in self.by_name.items()}

    def decode(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        return {name: encoding.decode(stored[name]) for name, encoding in self.by_name.items()}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=list)
