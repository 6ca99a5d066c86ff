"""What every task must do. Subclass, say which rows it reads, and give the fixtures of what it runs on."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ftsweep.errors import DataError
from ftsweep.tasks.base import IGNORED, Example, RowError, Tally, Task
from ftsweep.tasks.encoding.tokens import attempt
from ftsweep.testing.imports import slow_imports

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Batch = dict[str, Any]


class TaskContract:
    """Test class for authors of tasks; the name of the subclass begins with Test.

    The task's settings need defaults. Rows are raw, as a data source gives them; at least four of them.
    """

    rows: ClassVar[Sequence[Mapping[str, Any]]]
    bad_rows: ClassVar[Sequence[Mapping[str, Any]]]
    """Rows of which each must become a RowError."""
    unusable_columns: ClassVar[Sequence[str]] = ("something", "else")

    @pytest.fixture
    def task(self) -> Task:
        raise NotImplementedError("give the task as a fixture")

    @pytest.fixture
    def tokenizer(self) -> PreTrainedTokenizerBase:
        raise NotImplementedError("give a tokenizer as a fixture")

    @pytest.fixture
    def model(self) -> PreTrainedModel:
        raise NotImplementedError("give a small model with the task's head as a fixture: float32, in eval mode")

    @pytest.fixture
    def schema(self, task: Task) -> dict[str, Any]:
        return task.learn_schema(self.rows)

    @pytest.fixture
    def examples(self, task: Task, tokenizer: PreTrainedTokenizerBase, schema: dict[str, Any]) -> list[Example]:
        return [result for result in task.encode(self.rows, tokenizer, schema) if isinstance(result, Example)]

    def test_settings_are_keywords_and_need_no_torch(self, task: Task) -> None:
        with pytest.raises(TypeError):
            type(task)(task.max_length)  # type: ignore[call-arg]
        assert slow_imports(type(task)) == []

    def test_columns_that_do_not_suffice_are_refused_by_name(self, task: Task) -> None:
        task.check_columns(self.rows[0])
        with pytest.raises(DataError, match=self.unusable_columns[0]):
            task.check_columns(self.unusable_columns)

    def test_the_schema_is_json_and_does_not_depend_on_the_order_of_rows(self, task: Task) -> None:
        schema = task.learn_schema(self.rows)
        assert json.loads(json.dumps(schema)) == schema
        assert task.learn_schema(list(reversed(self.rows))) == schema

    def test_every_row_has_its_result_in_order(
        self, task: Task, tokenizer: PreTrainedTokenizerBase, schema: dict[str, Any]
    ) -> None:
        rows = [self.rows[0], *self.bad_rows, *self.rows[1:]]
        results = list(task.encode(iter(rows), tokenizer, schema))
        assert len(results) >= len(rows)
        refused = [index for index, result in enumerate(results) if isinstance(result, RowError)]
        assert refused == list(range(1, 1 + len(self.bad_rows)))
        assert all(str(result) for result in results if isinstance(result, RowError))

    def test_bad_rows_do_not_break_what_duplicates_and_splits_ask(self, task: Task) -> None:
        for row in [*self.rows, *self.bad_rows]:
            for text in (task.input_text, task.target_text):
                assert isinstance(attempt(text, row), str | RowError)
            assert isinstance(task.stratum(row), str | None)

    def test_examples_fit_and_hold_plain_numbers(self, task: Task, examples: list[Example]) -> None:
        assert examples
        label_type = {"int": int, "float": float}[task.label_type]
        vector_lengths = {len(example.labels) for example in examples}
        for example in examples:
            assert 0 < len(example.input_ids) <= task.max_length * task.num_sequences
            lengths = {"example": {1}, "token": {len(example.input_ids)}, "vector": vector_lengths}
            assert len(example.labels) in lengths[task.label_shape]
            assert {type(value) for value in example.input_ids} == {int}
            assert {type(value) for value in example.labels} == {label_type}
        assert task.label_shape != "vector" or len(vector_lengths) == 1

    def test_encoding_twice_gives_the_same(
        self, task: Task, tokenizer: PreTrainedTokenizerBase, schema: dict[str, Any], examples: list[Example]
    ) -> None:
        again = [result for result in task.encode(self.rows, tokenizer, schema) if isinstance(result, Example)]
        assert again == examples

    def test_each_row_has_the_loss_it_has_alone(
        self, task: Task, model: PreTrainedModel, examples: list[Example]
    ) -> None:
        import torch

        with torch.no_grad():
            together, _ = task.losses(model, self.batch(task, examples))
            alone = [task.losses(model, self.batch(task, [example]))[0] for example in examples]
        assert together.shape == (len(examples),)
        assert together.dtype == torch.float32
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-5)
        units = [int(task.row_units(self.batch(task, [example])["labels"])) for example in examples]
        assert task.row_units(self.batch(task, examples)["labels"]).tolist() == units
        assert sum(units) > 0

    def test_padding_and_extras_do_not_change_the_loss(
        self, task: Task, model: PreTrainedModel, examples: list[Example]
    ) -> None:
        import torch

        with torch.no_grad():
            plain, _ = task.losses(model, self.batch(task, examples))
            longer = self.batch(task, examples, more_padding=7)
            padded, _ = task.losses(model, longer)
            helped, _ = task.losses(model, {**longer, **task.batch_extras(longer["labels"])})
        torch.testing.assert_close(padded, plain, rtol=1e-5, atol=1e-5)
        assert torch.equal(helped, padded)

    def test_settings_of_the_loss_are_settings(self, task: Task) -> None:
        assert task.loss_settings <= set(inspect.signature(type(task)).parameters)

    def test_the_loss_reaches_the_weights(
        self, task: Task, model: PreTrainedModel, schema: dict[str, Any], examples: list[Example]
    ) -> None:
        losses = task.training_losses(model, self.batch(task, examples), schema)
        assert losses.shape == (len(examples),)
        losses.sum().backward()
        norms = [float(weight.grad.norm()) for weight in model.parameters() if weight.grad is not None]
        assert any(norm > 0 for norm in norms)

    def test_a_tally_of_parts_equals_the_tally_of_the_whole(
        self, task: Task, model: PreTrainedModel, schema: dict[str, Any], examples: list[Example]
    ) -> None:
        half = len(examples) // 2
        whole = self.scores(task, model, schema, [examples])
        parts = self.scores(task, model, schema, [part for part in (examples[:half], examples[half:]) if part])
        assert whole == pytest.approx(parts, rel=1e-5, abs=1e-6)

    def test_metrics_are_those_declared(
        self, task: Task, model: PreTrainedModel, schema: dict[str, Any], examples: list[Example]
    ) -> None:
        scores = self.scores(task, model, schema, [examples])
        declared = {name for name, metric in task.metrics.items() if not metric.is_generated}
        assert set(scores) == declared
        assert "loss" in scores
        assert {type(value) for value in scores.values()} == {float}
        assert set(task.tally(schema).values()) == declared, "of nothing added, too"
        prior = task.prior_scores(schema, [example.labels for example in examples])
        assert (prior is not None) == task.has_new_head
        if prior is not None:
            assert set(prior) == declared

    def test_what_scores_are_made_of_is_json(
        self, task: Task, model: PreTrainedModel, schema: dict[str, Any], examples: list[Example]
    ) -> None:
        for tally in (self.tallied(task, model, schema, [examples]), task.tally(schema)):
            details = tally.details()
            assert json.loads(json.dumps(details, allow_nan=False)) == details

    def test_every_row_gets_an_answer_whatever_the_batch(
        self, task: Task, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, schema: dict[str, Any]
    ) -> None:
        questions = [task.without_target(row) for row in self.rows]
        answers = task.predict(model, tokenizer, schema, questions, batch_size=len(questions))
        assert len(answers) == len(questions)
        assert json.loads(json.dumps(answers)) == answers
        one_by_one = task.predict(model, tokenizer, schema, questions, batch_size=1)
        for answer, alone in zip(answers, one_by_one, strict=True):
            self.assert_close(answer, alone)
        assert task.predict(model, tokenizer, schema, [], batch_size=2) == []

    def reference(self, example: Example) -> Sequence[float]:
        """What stands behind an example's labels, of a task that needs a reference."""
        return ()

    def batch(self, task: Task, examples: Sequence[Example], *, more_padding: int = 0) -> Batch:
        """Examples as they are measured: padded on the right with token 0, labels with IGNORED."""
        import torch

        longest = max(len(example.input_ids) for example in examples) + more_padding
        shape = (len(examples), longest)
        input_ids, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        own = [[*example.labels, *self.reference(example)] for example in examples]
        width = longest if task.label_shape == "token" else len(own[0])
        dtype = torch.float32 if task.label_type == "float" else torch.long
        labels = torch.full((len(examples), width), IGNORED, dtype=dtype)
        for row, example in enumerate(examples):
            length = len(example.input_ids)
            input_ids[row, :length] = torch.tensor(example.input_ids)
            mask[row, :length] = 1
            labels[row, : len(own[row])] = torch.tensor(own[row])
        num_bytes = torch.tensor([example.num_bytes for example in examples])
        return {
            "input_ids": input_ids,
            "attention_mask": mask,
            "labels": labels[:, 0] if task.label_shape == "example" else labels,
            **({"num_bytes": num_bytes} if task.counts_bytes else {}),
        }

    def scores(
        self, task: Task, model: PreTrainedModel, schema: dict[str, Any], parts: Sequence[Sequence[Example]]
    ) -> dict[str, float]:
        return self.tallied(task, model, schema, parts).values()

    def tallied(
        self, task: Task, model: PreTrainedModel, schema: dict[str, Any], parts: Sequence[Sequence[Example]]
    ) -> Tally:
        import torch

        tally = task.tally(schema)
        with torch.no_grad():
            for part in parts:
                batch = self.batch(task, part)
                losses: torch.Tensor
                losses, outputs = task.losses(model, batch)
                tally.add(losses, outputs, batch)
        return tally

    def assert_close(self, answer: Any, other: Any) -> None:
        """Equal, numbers to rounding: padding changes the order in which a device adds."""
        if isinstance(answer, Mapping):
            assert set(answer) == set(other)
            for key, value in answer.items():
                self.assert_close(value, other[key])
        elif isinstance(answer, list):
            for part, its_other in zip(answer, other, strict=True):
                self.assert_close(part, its_other)
        elif isinstance(answer, float):
            assert answer == pytest.approx(other, rel=1e-4, abs=1e-6)
        else:
            assert answer == other
