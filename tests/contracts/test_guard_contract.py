"""Every shipped guard of data keeps the contract that plug-ins are held to."""

from __future__ import annotations

from typing import Any, NamedTuple

from ftsweep.config.build import locate
from ftsweep.config.folders import shipped_folder
from ftsweep.domain.finding import Severity
from ftsweep.guards import chat_turns, label_names, labels, leakage, numbers, quality, rows, telling_words, unread
from ftsweep.guards.base import DataGuard
from ftsweep.testing.guard import AnswerTask, GuardContract, Splits, WordTask
from ftsweep.testing.rows import answered, edited, labelled

TRAIN, HELD_OUT = labelled(300), labelled(200, seed=1)
CLEAN = {"train": TRAIN, "validation": HELD_OUT}


def test_every_shipped_guard_of_data_is_held_to_the_contract() -> None:
    targets = [
        file.read_text().split("_target_: ")[1].split()[0] for file in shipped_folder("conf").glob("guards/*.yaml")
    ]
    guards = {cls for cls in map(locate, targets) if issubclass(cls, DataGuard)}
    tested = {cls.guard_class for cls in globals().values() if isinstance(cls, type) and hasattr(cls, "guard_class")}
    assert guards == tested


class TestExactCopies(GuardContract):
    guard_class = leakage.ExactCopies

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": [*TRAIN, *HELD_OUT[3:9]], "validation": HELD_OUT}


class TestNormalisedCopies(GuardContract):
    guard_class = leakage.NormalisedCopies

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {
            "train": [*TRAIN, *({**row, "text": f"{row['text'].upper()} !!"} for row in HELD_OUT[3:9])],
            "validation": HELD_OUT,
        }


class TestNearDuplicates(GuardContract):
    guard_class = leakage.NearDuplicates

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {
            "train": [*TRAIN, *({**row, "text": edited(row["text"])} for row in HELD_OUT[3:9])],
            "validation": HELD_OUT,
        }


class TestSharedPassages(GuardContract):
    guard_class = leakage.SharedPassages

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {
            "train": [
                *(
                    {**row, "text": f"{row['text']} {held['text'][:130]}"}
                    for row, held in zip(TRAIN, HELD_OUT[:20], strict=False)
                ),
                *TRAIN[20:],
            ],
            "validation": HELD_OUT,
        }


class TestSharedGroups(GuardContract):
    guard_class = leakage.SharedGroups
    group = "user"

    def clean(self) -> Splits:
        return {
            "train": [{**row, "user": f"t{place % 30}"} for place, row in enumerate(TRAIN)],
            "validation": [{**row, "user": f"v{place % 30}"} for place, row in enumerate(HELD_OUT)],
        }

    def faulty(self) -> Splits:
        return {
            **self.clean(),
            "validation": [{**self.clean()["validation"][0], "user": "t3"}, *self.clean()["validation"][1:]],
        }


class TestTargetInInput(GuardContract):
    guard_class = labels.TargetInInput

    def clean(self) -> Splits:
        return {"train": answered(200), "validation": answered(200, seed=1)}

    def faulty(self) -> Splits:
        return {
            "train": [{**row, "prompt": f"{row['prompt']} {row['completion']}"} for row in answered(200)],
            "validation": answered(200, seed=1),
        }

    def make_task(self) -> Any:
        return AnswerTask()


def _telling(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose text tells their label."""
    words = {"a": "bright shining sun warm", "b": "dark raining cloud cold"}
    return [{**row, "text": f"{words[row['label']]} {row['text']}"} for row in rows]


def _every_tenth_flipped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**row, "label": "ba"["ab".index(row["label"])] if place % 10 < 1 else row["label"]}
        for place, row in enumerate(rows)
    ]


class TestLabelErrors(GuardContract):
    guard_class = labels.LabelErrors

    def clean(self) -> Splits:
        return {"train": _telling(labelled(600, words=6)), "validation": HELD_OUT}

    def faulty(self) -> Splits:
        return {"train": _every_tenth_flipped(_telling(labelled(1500, words=6))), "validation": HELD_OUT}


class TestUnusableRows(GuardContract):
    guard_class = rows.UnusableRows

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": [*TRAIN, *[{"text": "", "label": "a"}] * 8], "validation": HELD_OUT}


class TestChatTurns(GuardContract):
    guard_class = chat_turns.ChatTurns

    def clean(self) -> Splits:
        return {"train": TRAIN, "validation": HELD_OUT}

    def faulty(self) -> Splits:
        return {"train": [*TRAIN, *[{"text": "", "label": "a", "messages": []}] * 8], "validation": HELD_OUT}


class _LosingExample(NamedTuple):
    input_ids: list[int]
    labels: list[int]
    unsaid: tuple[str, ...]


class _LosingTask(WordTask):
    def encode(self, rows: Any, tokenizer: Any, schema: Any) -> Any:
        listed = list(rows)
        for values, example in zip(listed, super().encode(listed, tokenizer, schema), strict=True):
            lost = ("its mood is not said",) if "mood" in values["text"] else ()
            yield _LosingExample(example.input_ids, example.labels, lost)


class TestUnread(GuardContract):
    guard_class = unread.Unread

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": [*TRAIN, {"text": "a mood of mine", "label": "a"}], "validation": HELD_OUT}

    def make_task(self) -> Any:
        return _LosingTask()


class _OddTask(WordTask):
    def row_problem(self, values: Any) -> str | None:
        return "it begins inside of an entity" if values["text"].startswith("odd") else None


class TestInvalidTags(GuardContract):
    guard_class = rows.InvalidTags

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {
            "train": [*TRAIN, *({**row, "text": f"odd {row['text']}"} for row in HELD_OUT[:8])],
            "validation": HELD_OUT,
        }

    def make_task(self) -> Any:
        return _OddTask()


class TestUnsupervisedRows(GuardContract):
    guard_class = rows.UnsupervisedRows

    def clean(self) -> Splits:
        return {"train": answered(100), "validation": answered(60, seed=1)}

    def faulty(self) -> Splits:
        return {
            "train": [*answered(100), {"prompt": "a question", "completion": "?masked"}],
            "validation": self.clean()["validation"],
        }

    def make_task(self) -> Any:
        return _MaskingTask()


class _MaskingTask(AnswerTask):
    def labels(self, values: Any, schema: Any) -> list[int]:
        return [-100] * 3 if values["completion"].startswith("?") else super().labels(values, schema)


class _ShortTask(WordTask):
    max_length = 32


class TestCutInputs(GuardContract):
    guard_class = rows.CutInputs

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": labelled(300, words=40), "validation": HELD_OUT}

    def make_task(self) -> Any:
        return _ShortTask()


class _CuttingTask(AnswerTask):
    def encode(self, rows: Any, tokenizer: Any, schema: Any) -> Any:
        for example in super().encode(rows, tokenizer, schema):
            yield example._replace(was_target_cut=len(example.labels) > 16)


class TestCutTargets(GuardContract):
    guard_class = rows.CutTargets

    def clean(self) -> Splits:
        return {"train": answered(100), "validation": answered(60, seed=1)}

    def faulty(self) -> Splits:
        return {
            "train": [{**row, "completion": f"{row['completion']} and more"} for row in answered(100)],
            "validation": self.clean()["validation"],
        }

    def make_task(self) -> Any:
        return _CuttingTask()


class TestRepeatedRows(GuardContract):
    guard_class = quality.RepeatedRows

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": [*TRAIN, *TRAIN[:100]], "validation": HELD_OUT}


class TestConflictingLabels(GuardContract):
    guard_class = quality.ConflictingLabels

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": [*TRAIN, *({**row, "label": "c"} for row in TRAIN[:8])], "validation": HELD_OUT}


class TestClassImbalance(GuardContract):
    guard_class = quality.ClassImbalance

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {
            "train": [row for place, row in enumerate(TRAIN) if place % 2 == 0 or place < 10],
            "validation": HELD_OUT,
        }


class TestRareClasses(GuardContract):
    guard_class = quality.RareClasses

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": [*TRAIN, *({**row, "label": "c"} for row in HELD_OUT[:19])], "validation": HELD_OUT[19:]}


class TestSmallData(GuardContract):
    guard_class = quality.SmallData

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": TRAIN, "validation": HELD_OUT[:49]}


class TestTellingWords(GuardContract):
    guard_class = telling_words.TellingWords

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        queues = {"a": "Queue-17:", "b": "queue-40"}
        return {
            "train": [{**row, "text": f"{row['text']} {queues[row['label']]}"} for row in TRAIN],
            "validation": HELD_OUT,
        }

    def test_a_word_that_other_labels_have_as_well_tells_nothing(self) -> None:
        train = [{**row, "text": f"{row['text']} {'x17' if place % 20 else 'x40'}"} for place, row in enumerate(TRAIN)]
        assert self.findings(self.view({"train": train, "validation": HELD_OUT})) == []
        (finding,) = self.findings(self.view(self.faulty()))
        assert "2 of 2 labels have a word each" in finding.message

    def test_of_two_labels_a_word_of_one_tells_the_other_too_and_a_labels_name_is_none(self) -> None:
        def marked(mark: str, label: str) -> Splits:
            train = [{**row, "text": f"{row['text']} {mark if row['label'] == label else ''}"} for row in TRAIN]
            return {"train": train, "validation": HELD_OUT}

        (finding,) = self.findings(self.view(marked("queue-17", "a")))
        assert (finding.severity, finding.count) == (Severity.WARN, 300)
        assert "1 of 2 labels has a word of its own" in finding.message
        assert "the rows without it have the label that is left" in finding.message
        assert self.findings(self.view(marked("A", "a"))) == []


class _NumberTask(WordTask):
    label_type = "float"

    def labels(self, values: Any, schema: Any) -> list[int]:
        return [int(values["label"])]

    def stratum(self, values: Any) -> str | None:
        return None


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "label": str(place % 7 + 1)} for place, row in enumerate(rows)]


class TestFarNumbers(GuardContract):
    guard_class = numbers.FarNumbers

    def clean(self) -> Splits:
        return {"train": _numbered(TRAIN), "validation": _numbered(HELD_OUT)}

    def faulty(self) -> Splits:
        train, held_out = self.clean().values()
        return {"train": [*train[:-3], *({**row, "label": "3500"} for row in train[-3:])], "validation": held_out}

    def make_task(self) -> Any:
        return _NumberTask()

    def test_a_long_tail_is_a_note_and_what_stands_apart_or_makes_the_loss_a_warning(self) -> None:
        def told(*numbers: float) -> list[tuple[Severity, int]]:
            """Of 300 rows, of which the last have these numbers."""
            rows = self.clean()["train"]
            labels = [*(row["label"] for row in rows), *map(str, numbers)][-len(rows) :]
            train = [{**row, "label": label} for row, label in zip(rows, labels, strict=True)]
            found = self.findings(self.view({**self.clean(), "train": train}))
            return [(each.severity, each.count) for each in found]

        assert told(20, 30, 40, 50) == [(Severity.NOTE, 1)]  # the fence is at 46
        assert told(50) == [(Severity.WARN, 1)]
        assert told(*range(20, 100, 4)) == [(Severity.WARN, 13)]

    def test_where_half_of_the_numbers_are_one_the_middle_nine_tenths_are_the_measure(self) -> None:
        rows = self.clean()["train"]
        labels = [str(place % 6 if place % 5 == 0 else 0) for place in range(len(rows) - 1)] + ["-999"]
        train = [{**row, "label": label} for row, label in zip(rows, labels, strict=True)]
        (finding,) = self.findings(self.view({"train": train, "validation": train[:60]}))
        assert (finding.severity, finding.count) == (Severity.WARN, 1)
        assert "nine tenths of train's lie between 0 and" in finding.message

    def test_what_is_far_in_a_held_out_split_is_named_and_stays(self) -> None:
        train, held_out = self.clean().values()
        view = self.view({"train": train, "validation": [{**held_out[0], "label": "-999"}, *held_out[1:]]})
        (sighting,) = self.guard_class().look(view)
        assert sighting.examples == ("validation.jsonl:1 (-999)",)
        assert not sighting.train_rows
        assert "held-out rows are never left out" in sighting.remedy


class TestLabelSpelling(GuardContract):
    guard_class = label_names.LabelSpelling

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": [*TRAIN, {**TRAIN[0], "label": "A "}], "validation": HELD_OUT}


class TestAbsentClasses(GuardContract):
    guard_class = label_names.AbsentClasses

    def clean(self) -> Splits:
        return CLEAN

    def faulty(self) -> Splits:
        return {"train": TRAIN, "validation": [row for row in HELD_OUT if row["label"] == "a"]}
