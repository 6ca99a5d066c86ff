"""The family of errors a user may see: each says what happened, where, and what to do about it.

Anything else that escapes is a defect of ftsweep and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ftsweep.redaction import without_secrets


class FtsweepError(Exception):
    """One paragraph for a person: what happened, where (file, key, row), what to do. Exit code 1."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        parts = [self.what if not self.where else f"{self.where}: {self.what}"]
        if self.remedy:
            parts.append(self.remedy)
        return without_secrets(" ".join(part if part.endswith((".", "?", "!")) else f"{part}." for part in parts))


class UsageError(FtsweepError):
    """The command line asks for something that does not exist or cannot be done. Exit code 2."""

    exit_code = 2


class ConfigError(UsageError):
    """A key, type, choice or bound in the sweep file or an override is wrong."""


class DataError(UsageError):
    """A data file, a column or a row cannot be used."""


class UnanswerableError(DataError):
    """Rows that a model cannot be asked: `reasons` by their place among them; the message names the first, from 1."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        place, reason = next(iter(reasons.items()))
        super().__init__(reason, where=f"row {place + 1}")
        self.reasons = dict(reasons)


class ModelError(UsageError):
    """A base model or tokenizer cannot be loaded as asked."""


class MissingExtraError(UsageError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str, *, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            remedy=f"Install it with: pip install 'ftsweep[{extra}]'",
        )


class StudyError(FtsweepError):
    """The study could not go on or could not finish."""


class DamagedFileError(StudyError, ValueError):
    """A file that ftsweep wrote does not hold any more what it wrote there."""

    def __init__(self, file: object, why: str) -> None:
        super().__init__(
            f"this file is damaged: {why}",
            where=str(file),
            remedy="Put it back from a copy; without one, give the study another name with study.name=...",
        )


class OtherSourceError(StudyError):
    """A machine has other data, or another model, than the study began with on the first one."""


class RefusedDataError(StudyError):
    """Guards refuse the data. `findings` has all that they found, as `Finding.to_dict` gives it."""

    def __init__(self, what: str, *, remedy: str | None = None, findings: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(what, remedy=remedy)
        self.findings = tuple(findings)


class StudyLockedError(UsageError):
    """Another live process owns the study."""


MAX_KNOWN = 30
"""So many names are listed where none is near; a paragraph with more is not read."""


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence naming the nearest known names, or when none is near all of them, of very many the first."""
    names = sorted(set(known))
    near = get_close_matches(str(name), names, n=3, cutoff=0.6)
    if near:
        return "Did you mean " + " or ".join(repr(candidate) for candidate in near) + "?"
    more = f" and {len(names) - MAX_KNOWN} more" if len(names) > MAX_KNOWN else ""
    return "Known: " + (", ".join(names[:MAX_KNOWN]) + more if names else "none") + "."
