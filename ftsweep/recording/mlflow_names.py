"""What a study's experiment and registered model are called in MLflow."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftsweep.errors import ConfigError

_EXPERIMENT = re.compile(r"[A-Za-z0-9/][A-Za-z0-9 ._/@-]{0,199}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,199}")  # MLflow's addresses of models end at `/`, `:` and `@`


@dataclass(frozen=True)
class Wanted:
    """The names of one study."""

    experiment: str
    model: str


@dataclass(frozen=True)
class Names:
    """As the sweep has them; None: the study's own name."""

    experiment: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        for key, pattern, signs in (("experiment", _EXPERIMENT, "._/@-"), ("model", _MODEL, "._-")):
            value = getattr(self, key)
            if value is not None and not pattern.fullmatch(value):
                raise ConfigError(
                    f"{value!r} cannot be the name of MLflow's {key}",
                    where=f"recording.{key}",
                    remedy=f"Use up to 200 letters, digits, spaces and of {signs}, or null for the study's name.",
                )

    def of(self, study: str) -> Wanted:
        return Wanted(self.experiment or study, self.model or study)
