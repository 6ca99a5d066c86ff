"""What a study may be called: its name is that of a folder, an MLflow experiment and a registered model."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

NAME_REMEDY = "Use up to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit."
"""What to do about another name."""


def is_name(text: str) -> bool:
    """Whether a study may be called so."""
    return _NAME.fullmatch(text) is not None
