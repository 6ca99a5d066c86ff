"""A prompt's template: where a row's columns stand in it, and what is left for the model to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from ftsweep.errors import ConfigError, suggest
from ftsweep.tasks.encoding.tokens import text_in


@dataclass(frozen=True)
class Template:
    """`{column}` stands for a row's text, `{target}` for what the model shall say; `{{` and `}}` are plain braces.

    White space before the target belongs to the answer: tokenizers join a space with the word behind it, so a question
    that ended with the space would be followed by words that the model has never seen there.
    """

    target: str
    parts: tuple[tuple[str, str | None], ...]
    """(text, column behind it) up to the target, whose column is None."""
    gap: str
    """The white space between question and answer."""
    ending: str
    """What follows the answer in a demonstration."""

    @classmethod
    def parse(cls, text: str, *, target: str, columns: Iterable[str], where: str = "strategy.template") -> Template:
        """The template in `text`; `columns` are those that a question may name.

        Raises:
            ConfigError: broken braces, unknown or missing columns, no target, two of them, or a column behind it.
        """
        known = tuple(columns)
        try:
            pieces = list(Formatter().parse(text))
        except ValueError as error:
            raise ConfigError(f"{text!r} is no template: {error}", where=where, remedy=_EXAMPLE) from None
        names = [name for _, name, _, _ in pieces if name is not None]
        for literal, name, format_spec, conversion in pieces:
            if name is not None and (format_spec or conversion or name not in (*known, target)):
                raise ConfigError(
                    f"{{{name}}} behind {literal!r} is no column that a prompt can show",
                    where=where,
                    remedy=suggest(name, (*known, target)),
                )
        if names.count(target) != 1 or names[-1] != target:
            what = f"it must name {{{target}}} once, behind all columns"
            raise ConfigError(f"{text!r} cannot be answered: {what}", where=where, remedy=_EXAMPLE)
        if len(names) == 1:
            wanted = " or ".join(f"{{{name}}}" for name in known)
            raise ConfigError(f"{text!r} shows nothing of a row, it must name {wanted}", where=where, remedy=_EXAMPLE)
        *before, (tail, _), ending = _joined(pieces)
        stripped = tail.rstrip()
        return cls(
            target=target,
            parts=(*before, (stripped, None)),
            gap=tail[len(stripped) :],
            ending=ending[0],
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a question names, in order, repeats included."""
        return tuple(name for _, name in self.parts if name is not None)

    def question(self, texts: Mapping[str, str]) -> str:
        """The template up to its target, without the white space before it."""
        return "".join(literal + (texts[name] if name is not None else "") for literal, name in self.parts)

    def demonstration(self, texts: Mapping[str, str], answer: str) -> str:
        """The whole template."""
        return self.question(texts) + self.gap + answer + self.ending

    @property
    def before_answer(self) -> str:
        """The fixed text that stands before every answer: what a label's first token follows."""
        return self.parts[-1][0]

    def texts_of(self, values: Mapping[str, Any]) -> dict[str, str]:
        """The row's texts by column. Raises RowError for a column that is missing or empty."""
        return {name: text_in(values, name) for name in dict.fromkeys(self.columns)}


def _joined(pieces: Iterable[tuple[str, str | None, str | None, str | None]]) -> list[tuple[str, str | None]]:
    """(text, column behind it) without the cuts that doubled braces make; the last one is text alone."""
    joined: list[tuple[str, str | None]] = []
    text = ""
    for literal, name, _, _ in pieces:
        text += literal
        if name is not None:
            joined.append((text, name))
            text = ""
    return [*joined, (text, None)]


_EXAMPLE = "Write it like 'Text: {text}\\nLabel: {label}'."
