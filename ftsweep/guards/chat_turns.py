"""Conversations that cannot be learned from, and marks of conversations that are learned as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ftsweep.data.base import Row
from ftsweep.domain.finding import Severity
from ftsweep.domain.transcripts import is_marked_question, is_transcript, marks_in, transcript_in
from ftsweep.guards.base import Sighting, of_rows, places
from ftsweep.guards.rows import UnusableRows, is_chat

if TYPE_CHECKING:
    from ftsweep.data.inspection import DataView

_MANY = 0.5
"""Share of the rows of train from which it is said."""


class ChatTurns(UnusableRows):
    """Conversations that cannot be read, have no answer to learn, or that the chat template refuses. They are left out.

    Of texts to learn it says where most are whole conversations, of prompts where most hold marks of one, and of
    answers where most repeat their prompts.

    Args:
        mode: refuse, allow or off.
        warn_above: share of a split's rows.
        refuse_above: share of a split's rows.
    """

    what = "are no conversations that can be learned from, and are left out"

    def is_about(self, row: Row) -> bool:
        return is_chat(row)

    def look(self, data: DataView) -> Iterator[Sighting]:
        yield from super().look(data)
        if data.task.head == "causal_lm" and tuple(data.task.columns) == ("text",):  # all of a row's text is learned
            yield from self._transcripts(data)
        if "prompt" in data.task.columns:
            yield from self._marked_prompts(data)
            yield from self._repeated_prompts(data)

    def _marked_prompts(self, data: DataView) -> Iterator[Sighting]:
        """Prompts of train with a conversation's marks in them, which a chat template surrounds with its own."""
        rows = data.rows["train"]
        found = [place for place, row in enumerate(rows) if is_marked_question(_prompt(row))]
        if len(found) < _MANY * len(rows) or not found:
            return
        form = transcript_in(_prompt(rows[found[0]]), is_question=True)
        is_pair = "chosen" in data.task.columns
        read_by = ", to chosen and rejected" if is_pair else ", which 'data.columns={messages: COLUMN}' reads"
        marks = "" if form is None else f" ({', '.join(form.marks)})"
        yield Sighting(
            what=f"{of_rows(len(found), len(rows), 'train')} have a prompt with marks of a conversation{marks}: they "
            "are learned as words of the question, within the marks that the chat template writes",
            count=len(found),
            num_rows=len(rows),
            examples=places(rows, found),
            remedy=f"Take them out of the prompts; or write each prompt with its answer behind it as one text{read_by}",
            severity=Severity.NOTE if self.mode == "allow" else Severity.WARN,
        )

    def _repeated_prompts(self, data: DataView) -> Iterator[Sighting]:
        """Answers of train that begin with the whole text of their prompt."""
        rows = data.rows["train"]
        found = [place for place, row in enumerate(rows) if _repeats_prompt(row)]
        if len(found) < _MANY * len(rows) or not found:
            return
        yield Sighting(
            what=f"{of_rows(len(found), len(rows), 'train')} have an answer that begins with all of its prompt: the "
            "question is learned as a part of the answer",
            count=len(found),
            num_rows=len(rows),
            examples=places(rows, found),
            remedy="Write the answers alone, if they are not to repeat the question",
            severity=Severity.NOTE if self.mode == "allow" else Severity.WARN,
        )

    def _transcripts(self, data: DataView) -> Iterator[Sighting]:
        """Rows of train that are whole conversations, where most are."""
        rows = data.rows["train"]
        texts = [row.values.get("text") for row in rows]
        found = [place for place, text in enumerate(texts) if isinstance(text, str) and is_transcript(text)]
        if len(found) < _MANY * len(rows) or not found:
            return
        column = (getattr(data.source, "columns", None) or {}).get("text", "text")
        yield Sighting(
            what=f"{of_rows(len(found), len(rows), 'train')} are whole conversations in the form of "
            f"{marks_in(str(texts[place]) for place in found)}: "
            "they are learned as plain text, questions and marks, too",
            count=len(found),
            num_rows=len(rows),
            examples=places(rows, found),
            remedy="To learn the answers alone, say that they are messages",
            override=f"task=instruction 'data.columns={{messages: {column}}}'",
            severity=Severity.NOTE if self.mode == "allow" else Severity.WARN,
        )


def _prompt(row: Row) -> str:
    """The prompt, where it is one text that is read; "" else."""
    found, answer = row.values.get("prompt", row.values.get("instruction")), row.values.get("chosen")
    if not isinstance(found, str) or is_chat(row) or not isinstance(answer, str | None):
        return ""
    is_passed_over = answer is not None and answer.strip().startswith(found.strip()) and is_transcript(answer)
    return "" if is_passed_over else found


def _repeats_prompt(row: Row) -> bool:
    prompt = _prompt(row).strip()
    answers = [row.values.get(name) for name in ("completion", "output", "chosen")]
    texts = [answer for answer in answers if isinstance(answer, str)]
    return any(prompt and text.strip().startswith(prompt) and not is_transcript(text) for text in texts)
