"""What every data source must keep to. Subclass it in your own tests, name `make_source`, and run pytest.

class TestTickets(DataSourceContract):
    columns = ("text", "label")

    def make_source(self) -> DataSource:
        return Tickets(path="tests/tickets.db")
"""

from __future__ import annotations

import inspect
import json
from abc import abstractmethod
from typing import ClassVar

from ftsweep.data.base import SPLITS, DataSource, Row


class DataSourceContract:
    """Promises of `ftsweep.data.DataSource`, as tests."""

    columns: ClassVar[tuple[str, ...]] = ("text", "label")
    """Columns that the source's rows have."""

    @abstractmethod
    def make_source(self) -> DataSource:
        """A fresh source with a few rows."""
        raise NotImplementedError

    def test_constructor_takes_keywords_only(self) -> None:
        parameters = inspect.signature(type(self.make_source())).parameters.values()
        assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)

    def test_says_how_missing_splits_are_made(self) -> None:
        source = self.make_source()
        assert source.group is None or isinstance(source.group, str)
        assert 0 < source.validation_fraction < 1
        assert 0 <= source.test_fraction < 1 - source.validation_fraction

    def test_fingerprint_is_the_same_for_the_same_rows(self) -> None:
        first, second = self.make_source().fingerprint(), self.make_source().fingerprint()
        assert isinstance(first, str)
        assert first
        assert first == second

    def test_splits_have_known_names_and_train_is_one_of_them(self) -> None:
        splits = self.make_source().load(self.columns)
        assert "train" in splits
        assert set(splits) <= set(SPLITS)
        assert all(rows for rows in splits.values())

    def test_rows_carry_the_columns_asked_for_and_their_group(self) -> None:
        source = self.make_source()
        allowed = {*self.columns, source.group}
        rows = [row for rows in source.load(self.columns).values() for row in rows]
        assert all(set(row.values) <= allowed for row in rows)
        for column in self.columns:
            assert any(column in row.values for row in rows), f"no row has the column {column!r}"

    def test_columns_not_asked_for_are_left_out(self) -> None:
        source = self.make_source()
        for rows in source.load(self.columns[:1]).values():
            assert all(set(row.values) <= {self.columns[0], source.group} for row in rows)

    def test_every_row_says_where_it_is_found(self) -> None:
        for rows in self.make_source().load(self.columns).values():
            assert all(isinstance(row, Row) and isinstance(row.place, str) and row.place for row in rows)
            assert len({row.place for row in rows}) == len(rows)

    def test_values_can_be_written_as_json(self) -> None:
        for rows in self.make_source().load(self.columns).values():
            for row in rows:
                json.dumps(dict(row.values), default=str)

    def test_loading_twice_gives_the_same_rows_in_the_same_order(self) -> None:
        assert self.make_source().load(self.columns) == self.make_source().load(self.columns)
