"""Lines of a table that are no rows, and how many lines its rows take."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LONG = 20
"""Lines of one row from which on it is compared to the others."""

_TIMES = 10
"""Times the usual number of lines that a row may take without being told."""

_RULE = re.compile(r"[\s:+-]*")


class OddLines:
    """Lines that are to be told of, and how many lines rows take."""

    def __init__(self) -> None:
        self.trailing: list[int] = []
        self.blank: list[int] = []
        self.headers: list[int] = []
        self.rules: list[int] = []
        self.about: list[int] = []
        self.num_rows = 0
        self.longest = 0
        self.place = 0
        self._num_more = 0

    @property
    def num_lines(self) -> int:
        return self.num_rows + self._num_more

    def add_long(self, number: int, num_lines: int) -> None:
        """A row of several lines."""
        self._num_more += num_lines - 1
        if num_lines > self.longest:
            self.longest, self.place = num_lines, number

    @property
    def is_jump(self) -> bool:
        """Whether one row takes many more lines than the others do."""
        others = (self.num_lines - self.longest) / max(self.num_rows - 1, 1)
        return self.longest >= _LONG and self.longest > _TIMES * max(others, 1)


def is_rule(cells: Sequence[str]) -> bool:
    """Whether cells are the line that Markdown and programs of databases draw below a table's names."""
    return "---" in "".join(cells) and all(_RULE.fullmatch(cell) for cell in cells)
