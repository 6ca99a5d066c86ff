"""A table that names files of text beside it: the command in the message writes the texts into it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ftsweep.data.looking.look import look_at
from ftsweep.errors import DataError

_NUM = 40


def _refusal(folder: Path, place: str, cell: str) -> str:
    lines = ["file;label"]
    for n in range(_NUM):
        path = folder / place.format(n=n, half=n // 20, rest=n % 20)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'the café at "mile" {n}, they said;\nis open', encoding="cp1252")
        lines.append(f"{cell.format(n=n, half=n // 20, rest=n % 20)};{'ab'[n % 2]}")
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    with pytest.raises(DataError) as caught:
        look_at([str(folder)])
    return str(caught.value)


@pytest.mark.parametrize(
    ("place", "cell"),
    [
        ("texts/{n}.txt", "{n}.txt"),
        ("texts/{n}.txt", "{n}"),
        ("it's/{half}/{rest}.txt", "it's/{half}/{rest}.txt"),
    ],
)
def test_texts_come_into_the_table_that_names_them(place: str, cell: str, tmp_path: Path) -> None:
    (command,) = re.findall(r"`(.*?)`", _refusal(tmp_path / "a set", place, cell))
    subprocess.run(["bash", "-c", command.replace("python ", f"{sys.executable} ", 1)], cwd=tmp_path, check=True)
    look = look_at([str(tmp_path / "NEW.csv")])
    assert look.guess is not None
    assert look.guess.columns == {"text": "text", "label": "label"}
    assert look.num_rows == {"train": _NUM}
    assert list(look.columns["text"].counts)[21] == 'the café at "mile" 21, they said;\nis open'


def test_a_name_that_two_files_have_is_no_way_to_their_texts(tmp_path: Path) -> None:
    assert "`" not in _refusal(tmp_path / "set", "texts/{half}/{rest}.txt", "{rest}.txt")
