"""Which encoding bytes seem to be in, where nothing says it."""

from __future__ import annotations

import pytest

from ftsweep.data.files.told_bytes import likeliest

RUSSIAN = "Очень хорошее место для отдыха, но номер был холодный. Приедем ещё раз летом"


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r"])
@pytest.mark.parametrize("text", [RUSSIAN, "очень хорошее место для отдыха"])
def test_two_encodings_that_differ_in_capitals_are_told_apart(encoding: str, text: str) -> None:
    assert likeliest("\n".join(f"row {n} {text}" for n in range(60)).encode(encoding)).startswith(encoding)
