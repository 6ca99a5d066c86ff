"""A judge that asks a chat model behind an OpenAI-compatible server (`POST {base_url}/chat/completions`)."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt

from ftsweep.domain.metric import Metric, Metrics
from ftsweep.errors import ConfigError
from ftsweep.redaction import HIDDEN, has_password
from ftsweep.store.atomic import append_line, read_lines
from ftsweep.tasks.judging import Judge, JudgedRow

_LOGGER = logging.getLogger(__name__)

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_TOLD = 200  # characters of what a server says
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_LOST_IN_A_ROW = 3  # rows that no attempt got an answer for: the server is away, and the others are not asked


class HttpJudge(Judge):
    """Has a chat model give every answer a number by a rubric.

    What was scored once is kept, by its content, in the store's cache, and is not asked again: by no trial, and not
    after a kill. A row whose score does not come is left out, and the log says so; the trial goes on.
    """

    metrics: ClassVar[Metrics] = {"judge": Metric("maximize", is_readable=True)}

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        rubric: str,
        low: float = 0.0,
        high: float = 10.0,
        key_env: str | None = None,
        requests_per_minute: Annotated[float, Gt(0)] | None = None,
        at_once: Annotated[int, Ge(1)] = 4,
        attempts: Annotated[int, Ge(1)] = 4,
        timeout_seconds: Annotated[float, Gt(0)] = 60.0,
    ) -> None:
        """`rubric`: what is good, in words. Scores lie between `low` and `high`, the better the higher.

        `key_env` names the environment variable that holds the key. `at_once` requests are under way at a time, each
        row is asked up to `attempts` times, and an answer that takes longer than `timeout_seconds` counts as none.
        """
        if not base_url.startswith(("http://", "https://")):
            raise ConfigError(f"{base_url!r} is no address", where="task.judge.base_url", remedy="Begin with http://.")
        if has_password(base_url):
            what = "the address holds a secret, which would be kept with the study"
            raise ConfigError(what, where="task.judge.base_url", remedy="Name its variable in task.judge.key_env.")
        if key_env is not None and not _VARIABLE.fullmatch(key_env):  # a key itself, perhaps: it is not repeated
            remedy = "Put the key into the environment, and write the name of its variable here."
            raise ConfigError("this is no name of a variable", where="task.judge.key_env", remedy=remedy)
        if low >= high:
            raise ConfigError(f"low must lie below high, not {low:g} and {high:g}", where="task.judge.low")
        self.base_url = base_url.rstrip("/")
        self.model = model
        self.rubric = rubric
        self.low, self.high = low, high
        self.key_env = key_env
        self.at_once = at_once
        self.attempts = attempts
        self.timeout_seconds = timeout_seconds
        self._gap_seconds = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._next_request = 0.0
        self._lock = threading.Lock()
        self._known: dict[str, float] = {}
        self._file: Path | None = None
        self.num_calls = 0
        """Requests that were sent, failed ones included."""
        self.num_tokens = 0
        """What the server says that its answers took, prompts included."""

    @property
    def cost(self) -> Mapping[str, float]:
        return {"calls": self.num_calls, "tokens": self.num_tokens}

    def open(self, folder: Path) -> None:
        """Take up what was scored with this model, rubric and range. `folder` holds a file for each of them."""
        self._file = folder / f"{self._hash()}.jsonl"
        for line in read_lines(self._file):
            self._known[line["row"]] = float(line["score"])

    def score(self, rows: Sequence[JudgedRow]) -> Sequence[Mapping[str, float]]:
        calls, tokens = self.num_calls, self.num_tokens
        keys = [_hash(row.prompt, row.expected, row.answer) for row in rows]
        wanted = {key: row for key, row in zip(keys, rows, strict=True) if key not in self._known}
        batch = _Batch(self, wanted)
        with ThreadPoolExecutor(self.at_once) as pool:
            list(pool.map(batch.ask, wanted))
        _LOGGER.info(
            "judge: %d rows, %d of them known; %d calls, %d tokens",
            *(len(rows), len(rows) - len(wanted), self.num_calls - calls, self.num_tokens - tokens),
        )
        missing = sum(key not in self._known for key in keys)
        self.problem = batch.last_problem if missing else ""
        if missing:
            _LOGGER.warning("judge: %d of %d rows have no score: %s", missing, len(rows), self.problem)
        return [{"judge": self._known[key]} if key in self._known else {} for key in keys]

    # -- one request ----------------------------------------------------------------------------------------------

    def keep(self, key: str, score: float) -> None:
        """Have a row's score on disk before anything else is asked."""
        with self._lock:
            self._known[key] = score
            if self._file is not None:
                append_line(self._file, {"row": key, "score": score})

    def request(self, row: JudgedRow) -> float:
        """Ask once, when the limit on requests allows it.

        Raises:
            JudgeProblem: no score came, and why; whether asking again may help.
        """
        import requests

        headers = self._headers()
        self._wait_for_turn()
        try:
            response = requests.post(
                f"{self.base_url}/chat/completions",
                json=self._question(row),
                headers=headers,
                timeout=self.timeout_seconds,
                allow_redirects=False,  # the key goes to the server that was named
            )
        except requests.RequestException as error:
            raise JudgeProblem(f"{self.base_url} does not answer ({type(error).__name__})") from error
        if response.status_code != 200:
            may_help = response.status_code in (408, 409, 425, 429) or response.status_code >= 500
            after = _seconds(response.headers.get("Retry-After"))
            why = f"{self.base_url} answers {response.status_code}{self._told(response.text)}"
            raise JudgeProblem(why, may_help=may_help, after=after)
        return self._read(response.text)

    def _read(self, text: str) -> float:
        try:
            answer = json.loads(text)
            said = str(answer["choices"][0]["message"]["content"])
            tokens = int((answer.get("usage") or {}).get("total_tokens") or 0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise JudgeProblem(f"{self.base_url} answers in another form than a chat completion") from error
        with self._lock:
            self.num_tokens += tokens
        found = _NUMBER.search(said)
        score = float(found.group()) if found else math.nan
        if not self.low <= score <= self.high:
            raise JudgeProblem(f"the model gives no number between {self.low:g} and {self.high:g}")
        return score

    def _told(self, text: str) -> str:
        """What a server says of an error, to stand behind its status: one short line, in which the key is hidden."""
        try:
            found = json.loads(text)
            error = found.get("error") or found
            told = error if isinstance(error, str) else error.get("message") or error.get("detail")
        except (ValueError, AttributeError, RecursionError):
            return ""
        if not isinstance(told, str) or not told.strip():
            return ""
        if key := self._key():
            told = told.replace(key, HIDDEN)
        line = "".join(each if each.isprintable() else " " for each in told).strip()
        return f": {line[:_MAX_TOLD]}"

    def _key(self) -> str:
        return os.environ.get(self.key_env, "") if self.key_env else ""

    def _question(self, row: JudgedRow) -> dict[str, Any]:
        task = f"{self.rubric}\n\nReply with one number from {self.low:g} to {self.high:g}, and with nothing else."
        shown = json.dumps(
            {"prompt": row.prompt, "expected": row.expected, "answer": row.answer}, ensure_ascii=False, indent=1
        )
        messages = [{"role": "system", "content": task}, {"role": "user", "content": shown}]
        return {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": 16}

    def _headers(self) -> dict[str, str]:
        key = self._key()
        if self.key_env and not key:
            raise JudgeProblem(f"the environment has no {self.key_env}, which task.judge.key_env names", may_help=False)
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _wait_for_turn(self) -> None:
        with self._lock:
            self.num_calls += 1
            now = time.monotonic()
            begin = max(now, self._next_request)
            self._next_request = begin + self._gap_seconds
        time.sleep(begin - now)

    def _hash(self) -> str:
        return _hash(self.base_url, self.model, self.rubric, f"{self.low:g} {self.high:g}")


class JudgeProblem(Exception):  # noqa: N818 - it ends a row's score, not the trial
    """Why a request brought no score."""

    def __init__(self, why: str, *, may_help: bool = True, after: float = 0.0) -> None:
        """`may_help`: asking again; not sooner than `after` seconds from now."""
        super().__init__(why)
        self.may_help = may_help
        self.after = after


class _Batch:
    """The rows of one call of `score`, asked by several threads."""

    def __init__(self, judge: HttpJudge, rows: Mapping[str, JudgedRow]) -> None:
        self.judge = judge
        self.rows = rows
        self.last_problem = ""
        self.num_lost = 0  # rows in a row

    def ask(self, key: str) -> None:
        """Ask for a row's score until it comes, attempts are used up, or the server seems to be away."""
        for attempt in range(self.judge.attempts):
            if self.num_lost >= _LOST_IN_A_ROW:
                return
            try:
                self.judge.keep(key, self.judge.request(self.rows[key]))
                self.num_lost = 0
                return
            except JudgeProblem as problem:
                self.last_problem = str(problem)
                if not problem.may_help:
                    break
                wait = min(_FIRST_WAIT_SECONDS * 2**attempt, _LONGEST_WAIT_SECONDS)
                if attempt + 1 < self.judge.attempts:
                    time.sleep(max(wait, min(problem.after, _LONGEST_WAIT_SECONDS)))
        self.num_lost += 1


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:  # a date
        return 0.0


def _hash(*texts: str) -> str:
    return hashlib.blake2b(json.dumps(texts).encode(), digest_size=16).hexdigest()
