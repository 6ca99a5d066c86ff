"""What is printed as a command or a setting means the same when it is pasted."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftsweep.config.grammar import parse_overrides
from ftsweep.domain.commands import override, quoted_command, store_command, study_command, sweep_word
from ftsweep.domain.paths import typed_path


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), min_size=1))
def test_a_command_is_the_same_words_for_a_shell(words: list[str]) -> None:
    assert shlex.split(quoted_command(*words)) == words


def test_double_quotes_stand_only_where_nothing_in_them_means_something() -> None:
    assert quoted_command("it's") == '"it\'s"'
    assert quoted_command("it's $HOME") == "'it'\"'\"'s $HOME'"


_TEXTS = st.text(st.sampled_from("ab'\"\\,={}[]()#%? ~-ü1.:/"), min_size=1, max_size=9)


@given(_TEXTS)
def test_a_text_as_an_override_is_read_back(text: str) -> None:
    (word,) = shlex.split(override("data.group", text))
    assert parse_overrides([word], groups=()).assignments[0].value == text


@given(_TEXTS.filter(lambda text: text.strip() == text))
def test_a_path_as_an_override_is_read_back(text: str) -> None:
    (word,) = shlex.split(override("data.train", text))
    assert parse_overrides([word], groups=()).assignments[0].value == text


@pytest.mark.parametrize(
    "value", [None, True, 3, 1e-4, 0.1 + 0.2, [8, 16], {"low": 1, "high": 3, "log": True}, "1", "null"]
)
def test_other_values_keep_their_type(value: Any) -> None:
    (word,) = shlex.split(override("study.x", value))
    found = parse_overrides([word], groups=()).assignments[0].value
    assert (found, type(found)) == (value, type(value))


def test_the_store_of_the_current_folder_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert study_command("predict", "a", store=tmp_path / "mlruns") == "ftsweep predict a"
    assert store_command("ui", store=Path("/my store")) == "ftsweep ui --store '/my store'"


@pytest.mark.parametrize(("name", "word"), [("-x.yaml", "./-x.yaml"), ("~a.yaml", "./~a.yaml"), ("a.yaml", "a.yaml")])
def test_a_sweep_file_is_no_option_and_no_home(name: str, word: str) -> None:
    assert sweep_word(Path(name)) == word


def test_a_tilde_is_home_unless_something_has_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert typed_path("~/a") == Path("/home/me/a")
    assert typed_path("~nobody-of-this-name/a") == Path("~nobody-of-this-name/a")
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "a").touch()
    assert typed_path("~/a") == Path("~/a")
