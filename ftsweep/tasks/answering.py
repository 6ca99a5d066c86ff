"""Answers that are text: what is asked, what was expected, and what an answer scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from ftsweep.tasks.encoding.conversations import Conversation, conversation_of, question_of
from ftsweep.tasks.encoding.messages import Message
from ftsweep.tasks.generation import Decoding
from ftsweep.tasks.judging import Judge, JudgedRow, scores_told
from ftsweep.tasks.scores.answer_scores import ANSWER_METRICS, score_answers

if TYPE_CHECKING:
    from ftsweep.tasks.instruction import Instruction


class Answering:
    """Of one task in a study with one objective. `task` makes its answers as `settings` have it."""

    def __init__(self, task: Instruction, metric: str) -> None:
        """`metric`: the objective, which is scored whether the settings name it or not."""
        settings = task.generation
        wanted = {*settings.scores, metric}
        self.settings = settings
        self.names = tuple(name for name in ANSWER_METRICS if name in wanted)
        """What is scored, in the order of the task's metrics."""
        self.judge = task.judge
        self.columns = (*ANSWER_METRICS, *task.added_metrics)
        """The task's metrics of answers, those that are not scored among them; the judge's last."""
        self.first_judged = len(ANSWER_METRICS)
        self.task = task.answered_by(
            Decoding(
                settings.max_new_tokens or task.max_new_tokens,
                settings.do_sample,
                settings.temperature,
                settings.top_p,
                settings.seed,
            )
        )

    def asked(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row as it is asked: without messages behind its last answer."""
        conversation = conversation_of(values)
        messages = conversation.messages[: -len(_answers(conversation))]
        if list(question_of(values).messages) == list(messages):
            return values
        return {"messages": list(messages), "tools": list(conversation.tools)}

    def question(self, values: Mapping[str, Any]) -> str:
        """What is asked, for people: a single message as it is, of a conversation each with its role."""
        messages = question_of(self.asked(values)).messages
        if len(messages) == 1:
            return _said(messages[0])
        return "\n".join(f"{message['role']}: {_said(message)}" for message in messages)

    def expected(self, values: Mapping[str, Any]) -> str:
        """The row's last answer."""
        return "\n".join(map(_said, _answers(conversation_of(values))))

    def scores(self, rows: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> np.ndarray:
        """What each answer scores, float64 [rows, metrics of answers]; NaN for what is not scored."""
        found = np.full((len(rows), len(self.columns)), np.nan)
        places = [self.columns.index(name) for name in self.names]
        expected = [self.expected(values) for values in rows]
        found[:, places] = score_answers(self.names, expected, answers)
        if self.judge is not None:
            found[:, self.first_judged :] = self._judged(self.judge, rows, expected, answers)
        return found

    def _judged(
        self, judge: Judge, rows: Sequence[Mapping[str, Any]], expected: Sequence[str], answers: Sequence[str]
    ) -> list[list[float]]:
        """A judge's scores of each row, in the order of its metrics."""
        triples = zip(rows, expected, answers, strict=True)
        asked = [JudgedRow(values, self.question(values), wanted, answer) for values, wanted, answer in triples]
        return scores_told(judge, judge.score(asked), len(asked), self.columns[self.first_judged :])


def _answers(conversation: Conversation) -> list[Message]:
    """The assistant's messages at the end: one, or several in a row."""
    messages = conversation.messages
    return [*takewhile(lambda message: message["role"] == "assistant", reversed(messages))][::-1]


def _said(message: Message) -> str:
    """The text of a message; calls of tools as JSON, a line each."""
    calls = [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls", ())]
    return "\n".join([*[message["content"]] * bool(message["content"]), *calls])
