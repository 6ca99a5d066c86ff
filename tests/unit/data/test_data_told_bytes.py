# ruff: noqa: RUF001 - letters of many alphabets
"""Which encoding bytes seem to be in, where nothing says it; and what the words of it say that a person must see."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.data.files.candidates import likeliest
from ftsweep.data.sources.files import Files
from ftsweep.errors import DataError

RUSSIAN = "Очень хорошее место для отдыха, но номер был холодный. Приедем ещё раз летом"
TEXTS = {
    "cp1250": "Chciałbym zamówić książkę, źle działa",
    "iso8859-2": "Chciałbym zamówić książkę, źle działa",
    "mac-roman": "Nous avons dîné à la plage, où l’été était chaud",
    "cp1253": "Το φαγητό ήταν πολύ καλό και το δωμάτιο καθαρό",
    "cp1254": "Işıklı şehirde güneş doğuyor ve çocuklar oynuyor",
    "cp932": "この商品はとても良いです、また買います",
    "gb18030": "今天天气很好，我们去公园散步吧",
    "big5": "今天天氣很好，我們去公園散步吧",
    "cp949": "오늘은 날씨가 매우 좋습니다",
    "cp866": RUSSIAN,
}


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r"])
@pytest.mark.parametrize("text", [RUSSIAN, "очень хорошее место для отдыха"])
def test_two_encodings_that_differ_in_capitals_are_told_apart(encoding: str, text: str) -> None:
    assert likeliest("\n".join(f"row {n} {text}" for n in range(60)).encode(encoding)).startswith(encoding)


def table(folder: Path, texts: list[str], encoding: str, said: str | None = None) -> Files:
    lines = "".join(f'"{text}",{"ab"[n % 2]}\n' for n, text in enumerate(texts))
    (folder / "rows.csv").write_bytes(f"text,label\n{lines}".encode(encoding))
    return Files(train=str(folder / "rows.csv"), encoding=said)


@pytest.mark.parametrize("encoding", TEXTS)
def test_the_first_that_is_named_is_right_and_reads_the_words_that_are_shown(tmp_path: Path, encoding: str) -> None:
    texts = [f"{TEXTS[encoding]} {n}" for n in range(60)]
    with pytest.raises(DataError, match="Say which encoding it is in") as caught:
        table(tmp_path, texts, encoding).load(("text", "label"))
    name, _, shown = str(caught.value).partition("data.encoding=")[2].partition(" (it seems, and gives ")
    assert shown[1:7] in " ".join(word for word in TEXTS[encoding].split() if not word.isascii())
    rows = table(tmp_path, texts, encoding, name).load(("text", "label"))["train"]
    assert [row.values["text"] for row in rows] == texts


def test_hungarian_is_not_taken_for_western(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"which Hungarian has in cp1250.* data.encoding=cp1250 \(it seems, and gives 'tükörfúró"
    ):
        table(tmp_path, [f"A tükörfúrógép szép, és ezt erősen fűtő idő {n}" for n in range(60)], "cp1250").load(
            ("text", "label")
        )
    for language in (
        "Não há mais pão nem café às três",
        "Tõesti ilus öö, küll üsna pime täna",
        "Où est le château brûlé",
        "Võõras õun, põõsas söön, küll",
        "août sûr dû coûter, Müller Köln été olé",
        "Straße, Müller über Köln, forêt sûr dû, Camões é, été en août",
    ):
        rows = table(tmp_path, [f"{language} {n}" for n in range(60)], "cp1252").load(("text", "label"))["train"]
        assert rows[0].values["text"] == f"{language} 0"


def test_what_one_byte_became_is_told_with_its_line(tmp_path: Path) -> None:
    source = table(tmp_path, [f"it{'’' if n == 7 else ' i'}s the thing {n}" for n in range(60)], "cp1252")
    source.load(("text", "label"))
    (finding,) = source.findings
    assert finding.text == (
        "encoding: rows.csv is not UTF-8, and was read as cp1252: byte 0x92 became '’' in '\"it’s' (rows.csv:9). "
        "If it is right, say so, else say another: data.encoding=cp1252"
    )


def test_a_euro_of_latin_9_is_told_with_the_encoding_that_has_it(tmp_path: Path) -> None:
    texts = [f"Le café coûte dix €, numéro {n}" for n in range(60)]
    source = table(tmp_path, texts, "iso8859-15")
    source.load(("text", "label"))
    assert "¤, which is the euro's sign in iso8859-15, stands in it" in source.findings[0].text
    assert "If that is meant, say data.encoding=iso8859-15." in source.findings[0].text
    rows = table(tmp_path, texts, "iso8859-15", "iso8859-15").load(("text", "label"))["train"]
    assert [row.values["text"] for row in rows] == texts
    plain = table(tmp_path, texts, "cp1252")
    plain.load(("text", "label"))
    assert "iso8859-15" not in plain.findings[0].text


def test_a_file_that_ends_within_a_character_is_to_be_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(("text,label\n" + "a thing,b\n" * 40).encode("utf-16-le")[:-1])
    with pytest.raises(DataError, match="It ends within a character: fetch it, or write it, again"):
        Files(train=str(tmp_path / "rows.csv")).load(("text", "label"))


def test_russian_is_not_taken_for_that_of_a_mac(tmp_path: Path) -> None:
    for name in ("cp1251", "koi8-r", "mac-cyrillic"):
        with pytest.raises(DataError, match=rf"data.encoding={name} \(it seems, and gives 'Привет мир"):
            table(tmp_path, [f"Привет мир, Спасибо большое друг {n}" for n in range(60)], name).load(("text", "label"))
