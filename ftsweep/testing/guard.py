"""What every guard of data must keep to. Subclass it in your own tests, with rows that are fine and rows that are not.

class TestShouting(GuardContract):
    guard_class = Shouting

    def clean(self) -> Splits:
        return {"train": [{"text": "a quiet text", "label": "a"}, ...], "validation": [...]}

    def faulty(self) -> Splits:
        return {"train": [{"text": "A LOUD ONE", "label": "a"}, ...], "validation": [...]}
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import pytest

from ftsweep.data.base import DataSource, Row
from ftsweep.data.cut_lengths import cut_at_lengths
from ftsweep.data.encoding import EncodingReport, encode_split
from ftsweep.data.inspection import DataView
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import ConfigError
from ftsweep.guards.base import DataGuard
from ftsweep.testing.imports import slow_imports

Splits = Mapping[str, Sequence[Mapping[str, Any]]]


class WordExample(NamedTuple):
    """An example of `WordTask`."""

    input_ids: list[int]
    labels: list[int]
    was_cut: bool = False
    was_target_cut: bool = False


class WordTask:
    """A task that needs no tokenizer and no torch: one token per word, one label per row (columns `text`, `label`)."""

    head = "sequence_classification"
    label_shape = "example"
    label_type = "int"
    loss_settings: ClassVar[frozenset[str]] = frozenset()
    mixes_rows: ClassVar[bool] = False
    columns: ClassVar[tuple[str, ...]] = ("text", "label")
    max_length = 10_000

    def check_columns(self, available: Any) -> None: ...

    def input_text(self, values: Mapping[str, Any]) -> str:
        return str(values.get("text") or "")

    def target_text(self, values: Mapping[str, Any]) -> str:
        return str(values.get("label") or "")

    def row_problem(self, values: Mapping[str, Any]) -> str | None:
        return None

    def labels_in(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        label = self.target_text(values)
        return [(label, repr(label))] if label else []

    def stratum(self, values: Mapping[str, Any]) -> str | None:
        return self.target_text(values) or None

    def learn_schema(self, train_rows: Any) -> dict[str, Any]:
        return {"labels": sorted({self.target_text(values) for values in train_rows})}

    def encode(self, rows: Any, tokenizer: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        for values in rows:
            words = [len(word) for word in self.input_text(values).split()]
            cut = len(words) > self.max_length
            yield WordExample(words[: self.max_length], self.labels(values, schema), cut, False)

    def labels(self, values: Mapping[str, Any], schema: Mapping[str, Any]) -> list[int]:
        """The example's label: its number among those of train."""
        return [schema["labels"].index(self.target_text(values))]


class AnswerTask(WordTask):
    """The same for a task that writes text: columns `prompt` and `completion`, one label per word."""

    head = "causal_lm"
    label_shape = "token"
    columns: ClassVar[tuple[str, ...]] = ("prompt", "completion")

    def input_text(self, values: Mapping[str, Any]) -> str:
        return str(values.get("prompt") or "")

    def target_text(self, values: Mapping[str, Any]) -> str:
        return str(values.get("completion") or "")

    def stratum(self, values: Mapping[str, Any]) -> str | None:
        return None

    def labels(self, values: Mapping[str, Any], schema: Mapping[str, Any]) -> list[int]:
        return [-100, *(len(word) for word in self.target_text(values).split())]


class GivenRows(DataSource):
    """Rows from memory; their places are `train.jsonl:1` and so on."""

    def __init__(self, *, splits: Splits, group: str | None = None) -> None:
        self.splits = splits
        self.group = group

    def fingerprint(self) -> str:
        return f"{len(self.splits['train'])} rows"

    def load(self, columns: Any) -> dict[str, list[Row]]:
        return {
            split: [Row(dict(values), f"{split}.jsonl:{number}") for number, values in enumerate(rows, start=1)]
            for split, rows in self.splits.items()
        }


def view_of(splits: Splits, *, task: Any = None, group: str | None = None, without: Sequence[int] = ()) -> DataView:
    """Rows as a guard sees them, encoded by `WordTask` or a task of yours; `without` some rows of train."""
    task = task or WordTask()
    source = GivenRows(splits=splits, group=group)
    split = split_rows(source.load(task.columns), source, task, seed=0)
    if without:
        split = split.without(without)
    schema = task.learn_schema([row.values for row in split.rows["train"]])
    report = EncodingReport()
    for name, rows in split.rows.items():
        list(encode_split(name, rows, task, None, schema, report, is_named=split.source[name] == "named"))
    lengths = cut_at_lengths(task, None, schema, split.rows, report)
    parts = (split.rows, split.ids, split.texts, split.source, split.left_out)
    return DataView(task, source, *parts, report, lengths=lengths)


class GuardContract:
    """Promises of `ftsweep.guards.DataGuard`, as tests. The guard's settings need defaults.

    `view_of` shows rows to a guard in tests of your own.
    """

    guard_class: ClassVar[type[DataGuard]]
    group: ClassVar[str | None] = None
    """The column that is declared as the group, if any."""

    @abstractmethod
    def clean(self) -> Splits:
        """Rows by split that it has nothing to say about but a note."""
        raise NotImplementedError

    @abstractmethod
    def faulty(self) -> Splits:
        """Rows by split that it warns about, or refuses."""
        raise NotImplementedError

    def make_task(self) -> Any:
        """The task that reads the rows."""
        return WordTask()

    def view(self, splits: Splits, *, without: Sequence[int] = ()) -> DataView:
        return view_of(splits, task=self.make_task(), group=self.group, without=without)

    def findings(self, view: DataView, **settings: Any) -> list[Finding]:
        guard = self.guard_class(**settings)
        return [guard.judge("mine", sighting) for sighting in guard.look(view)]

    def test_settings_are_keywords_with_a_mode_and_need_no_torch(self) -> None:
        parameters = inspect.signature(self.guard_class).parameters
        assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
        assert "mode" in parameters
        assert slow_imports(self.guard_class) == []

    def test_a_mode_that_it_does_not_have_is_refused(self) -> None:
        with pytest.raises(ConfigError):
            self.guard_class(mode="perhaps")  # type: ignore[arg-type]
        if not self.guard_class.can_fix:
            with pytest.raises(ConfigError):
                self.guard_class(mode="fix")

    def test_clean_data_raises_no_alarm(self) -> None:
        found = self.findings(self.view(self.clean()))
        assert [finding for finding in found if finding.severity is not Severity.NOTE] == []

    def test_faulty_data_does_and_says_where_and_how_much(self) -> None:
        found = [each for each in self.findings(self.view(self.faulty())) if each.severity is not Severity.NOTE]
        assert found
        for finding in found:
            assert finding.check == "mine"
            assert finding.message
            assert finding.count > 0
            assert 0 <= finding.rate <= 1
            assert finding.remedy
            assert finding.severity is not Severity.REFUSE or finding.override

    def test_looking_twice_gives_the_same(self) -> None:
        assert self.findings(self.view(self.faulty())) == self.findings(self.view(self.faulty()))

    def test_allow_refuses_nothing_and_hides_nothing(self) -> None:
        view = self.view(self.faulty())
        allowed = self.findings(view, mode="allow")
        assert [finding.count for finding in allowed] == [finding.count for finding in self.findings(view)]
        assert all(finding.severity is not Severity.REFUSE for finding in allowed)

    def test_rows_that_it_names_are_rows_of_the_data(self) -> None:
        view = self.view(self.faulty())
        for sighting in self.guard_class().look(view):
            assert sighting.count > 0
            assert all(0 <= row < len(view.rows["train"]) for row in sighting.train_rows)
            for split, rows in sighting.flagged.items():
                assert split in view.held_out
                assert all(0 <= row < len(view.rows[split]) for row in rows)

    def test_what_fix_leaves_out_mends_the_data(self) -> None:
        if not self.guard_class.can_fix:
            return
        sightings = self.guard_class(mode="fix").look(self.view(self.faulty()))
        rows = [row for sighting in sightings for row in sighting.train_rows]
        assert rows, "it says that it can fix, and names no row of train"
        mended = self.findings(self.view(self.faulty(), without=rows))
        assert all(finding.severity is Severity.NOTE for finding in mended)
