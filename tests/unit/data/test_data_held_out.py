from __future__ import annotations

import pytest

from ftsweep.data.base import DataSource, Row
from ftsweep.data.splitting.held_out import HeldOutTexts, WithoutHeldOut
from ftsweep.errors import DataError
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.text import Text

ANSWER = (
    "The kidneys filter the blood, and what they take out of it leaves the body as urine; when they fail, waste "
    "stays in the blood and makes the patient tired, pale and short of breath within a few weeks."
)
OTHER = (
    "A lighthouse keeper winds the clock every evening, trims the lamp at dusk, and writes the weather into the "
    "book before the first ship of the night comes round the point with all its sails set."
)


def test_a_text_is_told_by_itself_however_it_is_written() -> None:
    held_out = HeldOutTexts([ANSWER, "Rare."])
    assert held_out.are_told_by(ANSWER)
    assert held_out.are_told_by(ANSWER.upper().replace(",", " ,"))
    assert not held_out.are_told_by(OTHER)


def test_a_document_that_holds_half_of_a_text_tells_it() -> None:
    held_out, words = HeldOutTexts([ANSWER]), ANSWER.split()
    assert held_out.are_told_by(f"{OTHER} {ANSWER} {OTHER}")
    assert held_out.are_told_by(f"{OTHER} {' '.join(words[:28])}")
    assert not held_out.are_told_by(f"{OTHER} {' '.join(words[:14])}")


def test_a_phrase_that_many_texts_share_tells_none_of_them() -> None:
    phrase = "these resources address the diagnosis or management of the condition that is named above"
    held_out = HeldOutTexts([f"{phrase}. {ANSWER}", f"{phrase}. {OTHER}"])
    assert not held_out.are_told_by(f"{phrase}: {' '.join(reversed(OTHER.split()))}")


def test_a_label_is_no_text_and_a_template_is_known_by_its_numbers() -> None:
    held_out = HeldOutTexts(["positive", *(f"What is {n} and 1?" for n in range(30))])
    assert not held_out.are_told_by("positive")
    assert held_out.are_told_by("What is 3 and 1?")
    assert not held_out.are_told_by("What is 99 and 1?")


def test_texts_in_another_order_are_the_same_texts() -> None:
    assert HeldOutTexts([ANSWER, OTHER]).fingerprint == HeldOutTexts([OTHER, ANSWER]).fingerprint
    assert HeldOutTexts([ANSWER]).fingerprint != HeldOutTexts([OTHER]).fingerprint


class Pages(DataSource):
    group = "page"

    def fingerprint(self) -> str:
        return "pages"

    def load(self, columns):
        return {"train": [Row({"text": text}, f"pages:{n}") for n, text in enumerate([ANSWER, OTHER, ""])]}


def test_a_source_without_held_out_rows_keeps_all_others_and_its_ways() -> None:
    source = WithoutHeldOut(Pages(), Text(), HeldOutTexts([ANSWER]))
    assert [row.place for row in source.load(["text"])["train"]] == ["pages:1", "pages:2"]
    assert source.group == "page"
    assert source.fingerprint() != WithoutHeldOut(Pages(), Text(), HeldOutTexts([OTHER])).fingerprint()


def test_a_source_of_nothing_but_held_out_rows_is_refused() -> None:
    class Same(Pages):
        def load(self, columns):
            return {"train": super().load(columns)["train"][:1]}

    with pytest.raises(DataError, match="all 1 rows tell what the trial holds out"):
        WithoutHeldOut(Same(), Text(), HeldOutTexts([ANSWER])).load(["text"])


def test_a_row_whose_answer_is_held_out_is_left_out_whatever_its_question() -> None:
    class Answers(Pages):
        def load(self, columns):
            texts = enumerate([ANSWER, OTHER])
            return {"train": [Row({"prompt": "Tell me.", "completion": text}, f"answers:{n}") for n, text in texts]}

    source = WithoutHeldOut(Answers(), Instruction(), HeldOutTexts([ANSWER]))
    assert [row.place for row in source.load(["prompt", "completion"])["train"]] == ["answers:1"]
