"""Entities as spans of a text's characters: the words they become tags of, and places that cannot be meant."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ftsweep.data.files.spans import are_spans, cut_words, words_and_tags
from ftsweep.data.files.text_words import are_parted, split_words
from ftsweep.data.sources.files import Files
from ftsweep.domain.finding import Severity

TEXT = "Yes, Émile went to Rome, (on foot)."


def place_of(word: str, text: str = TEXT) -> tuple[int, int]:
    return text.index(word), text.index(word) + len(word)


def loaded(folder: Path, rows: list[dict[str, Any]]) -> tuple[Any, list[Any]]:
    file = folder / "r.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = Files(train=str(file), columns={"tokens": "text", "tags": "entities"})
    rows_read = list(source.load(("tokens", "tags", "text"))["train"])
    return rows_read, [finding for finding in source.findings if finding.check == "tags"]


def test_words_do_not_tell_where_entities_are() -> None:
    without = split_words(TEXT)
    tagged = words_and_tags(TEXT, [[*place_of("Rome"), "LOC"], [*place_of("Émile"), "PER"]])
    assert tagged.words == without == ["Yes", ",", "Émile", "went", "to", "Rome", ",", "(", "on", "foot", ")", "."]
    assert [word for word, tag in zip(tagged.words, tagged.tags, strict=True) if tag != "O"] == ["Émile", "Rome"]
    assert cut_words(TEXT, [[*place_of("Rome"), "LOC"], [0, 3, "X"]]) == ([], 2)
    assert cut_words("a Rome.", [[3, 6, "LOC"]]) == ([("'ome' of 'Rome'", 1, 0)], 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("東京に行く。ab", ["東", "京", "に", "行", "く", "。", "ab"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("ครับ", ["ค", "รั", "บ"]),
        (" \n", []),
    ],
)
def test_letters_of_scripts_without_spaces_are_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_a_span_counts_once_in_whatever_order_and_numbers_it_is_written() -> None:
    start, stop = place_of("Rome")
    expected = words_and_tags(TEXT, [[start, stop, "LOC"]])
    assert expected.tags.count("B-LOC") == 1
    assert words_and_tags(TEXT, [[start, stop, "LOC"]] * 2) == expected
    assert words_and_tags(TEXT, [["LOC", float(start), float(stop)]]) == expected
    assert not are_spans([[start + 0.5, stop, "LOC"]])


@pytest.mark.parametrize("shift", [(0, -1), (1, 1), (2, 2)], ids=["last character", "bytes", "utf-16"])
def test_places_that_cut_words_are_a_warning(shift: tuple[int, int], tmp_path: Path) -> None:
    start, stop = place_of("Rome")
    rows = [{"text": TEXT, "entities": [[start + shift[0], stop + shift[1], "LOC"]]}] * 30
    _, findings = loaded(tmp_path, rows)
    assert [finding.severity for finding in findings] == [Severity.WARN]
    assert findings[0].message.startswith("30 of 30 entities begin or end within a word, '")


def test_a_few_parts_of_words_are_a_note_and_other_letters_none(tmp_path: Path) -> None:
    rows = [{"text": TEXT, "entities": [[*place_of("Rome"), "LOC"]]}] * 40
    _, findings = loaded(tmp_path, [*rows, {"text": "Romes sun", "entities": [[0, 4, "LOC"]]}])
    assert [(each.severity, each.message.split(",")[0]) for each in findings] == [
        (Severity.NOTE, "1 of 41 entities begin or end within a word")
    ]
    _, findings = loaded(tmp_path, [{"text": "Budapesten voltam", "entities": [[0, 8, "LOC"]]}] * 30)
    assert [each.severity for each in findings] == [Severity.NOTE], "a language's endings"
    _, findings = loaded(tmp_path, [{"text": "ولروما شمس", "entities": [[2, 6, "LOC"]]}] * 30)
    assert findings == []


def test_a_span_whose_own_words_are_others_is_an_unusable_row(tmp_path: Path) -> None:
    start, stop = place_of("Rome")
    span = {"start": start, "end": stop, "label": "LOC", "text": "Rome"}
    rows, _ = loaded(tmp_path, [{"text": TEXT, "entities": [{**span, "start": start + moved}]} for moved in (0, 1)])
    assert rows[0].problem == ""
    assert "is 'ome' in the text, and 'Rome' by its own words" in rows[1].problem


@pytest.mark.parametrize("said", ["new\\nyork", "NEW YORK", "New  York,"])
def test_own_words_may_be_written_in_other_ways(said: str) -> None:
    assert words_and_tags("in New\nYork, now", [{"start": 3, "end": 11, "label": "LOC", "text": said}]).problem == ""


def test_words_are_parted_where_signs_and_letters_of_unspaced_scripts_stand_alone() -> None:
    for text in ("東京に行く。", "to Rome, now", "we don't"):
        assert are_parted(Counter(split_words(text)))
        assert not are_parted(Counter(text.split()))
    assert not are_parted(Counter(["東京", "に", "行く", "か"]))
    assert not are_parted(Counter(["to", "Rome", "\N{GRINNING FACE}"]))
