from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ftsweep.data.prepared import prepare
from ftsweep.domain.finding import Severity
from ftsweep.errors import ConfigError, DataError
from ftsweep.guards.base import Sighting
from ftsweep.guards.gate import DataGate
from ftsweep.guards.leakage import ExactCopies, NearDuplicates, SharedPassages
from ftsweep.guards.quality import RepeatedRows, SmallData
from ftsweep.guards.rows import UnusableRows
from ftsweep.testing.guard import GivenRows, WordTask, view_of
from ftsweep.testing.rows import edited, labelled

TRAIN, HELD_OUT = labelled(300), labelled(200, seed=1)
LEAKY = {"train": [*TRAIN, *HELD_OUT[:10]], "validation": HELD_OUT}
CONFIG = {"data": {}, "task": {}, "seed": {"data": 0}}


def gate(**guards):
    return DataGate(guards, {name: {"class": type(guard).__name__, **vars(guard)} for name, guard in guards.items()})


@pytest.fixture
def prepared(tmp_path):
    def run(splits, gate=None):
        return prepare(CONFIG, GivenRows(splits=splits), WordTask(), None, "tokenizer", tmp_path, gate)

    return run


def by_check(prepared, check):
    return [finding for finding in prepared.findings if finding.check == check]


def test_a_refusal_is_a_finding_and_the_set_is_there_all_the_same(prepared):
    found = prepared(LEAKY, gate(exact=ExactCopies()))
    (finding,) = by_check(found, "exact")
    assert (finding.severity, finding.count) == (Severity.REFUSE, 10)
    assert found.meta["num_rows"] == {"train": 310, "validation": 200}
    assert found.flagged("validation") == {"exact": list(range(10))}


def test_fix_leaves_the_rows_out_of_train_alone_and_says_so(prepared):
    found = prepared(LEAKY, gate(exact=ExactCopies(mode="fix")))
    (finding,) = by_check(found, "exact")
    assert finding.severity is Severity.NOTE
    assert finding.message.startswith("10 rows of train left out (guards.exact=fix), because 10 of 200 rows")
    assert found.meta["num_rows"] == found.meta["num_examples"] == {"train": 300, "validation": 200}
    assert [row.values for row in found.rows("train")] == TRAIN
    assert [row.values for row in found.rows("validation")] == HELD_OUT
    assert found.flagged("validation") == {}
    assert len(found.split("train")) == 300


def test_a_fix_that_leaves_little_of_train_says_so_before_and_after(prepared):
    few = {**LEAKY, "train": [*HELD_OUT[:60], *TRAIN[:40]]}
    (refused,) = by_check(prepared(few, gate(exact=ExactCopies())), "exact")
    assert refused.remedy.endswith("Leave the rows of train out, 60 of its 100, or use other splits")
    (fixed,) = by_check(prepared(few, gate(exact=ExactCopies(mode="fix"))), "exact")
    assert fixed.severity is Severity.WARN
    assert fixed.message.endswith("What is left are 40 rows")


def test_a_cleaned_set_has_a_hash_and_a_fingerprint_of_its_own(prepared):
    refused, allowed = (prepared(LEAKY, gate(exact=ExactCopies(mode=mode))) for mode in ("refuse", "allow"))
    fixed, clean = prepared(LEAKY, gate(exact=ExactCopies(mode="fix"))), prepared({**LEAKY, "train": TRAIN})
    assert len({each.meta["hash"] for each in (refused, allowed, fixed, clean)}) == 4
    assert refused.meta["fingerprint"] == allowed.meta["fingerprint"] == "310 rows"
    assert fixed.meta["fingerprint"] != refused.meta["fingerprint"]


def test_what_fix_cannot_mend_is_still_refused(prepared):
    class Stubborn(ExactCopies):
        def look(self, data):
            for sighting in super().look(data):
                yield type(sighting)(**{**vars(sighting), "train_rows": [0]})

    found = prepared(LEAKY, gate(exact=Stubborn(mode="fix")))
    assert [finding.severity for finding in by_check(found, "exact")] == [Severity.NOTE, Severity.REFUSE]


def test_fix_that_would_leave_nothing_is_refused(prepared):
    with pytest.raises(DataError, match="leaves no row of train"):
        prepared({"train": HELD_OUT, "validation": HELD_OUT}, gate(exact=ExactCopies(mode="fix")))


def test_several_fixes_are_made_at_once(prepared):
    splits = {"train": [*TRAIN, *TRAIN[:5], *HELD_OUT[:4]], "validation": HELD_OUT}
    found = prepared(splits, gate(exact=ExactCopies(mode="fix"), repeated=RepeatedRows(mode="fix")))
    assert found.meta["num_rows"]["train"] == 300


def test_a_guard_that_is_off_does_not_look(prepared):
    class Blind(SmallData):
        def look(self, data):
            raise AssertionError("it looked")

    assert prepared(LEAKY, gate(small=Blind(mode="off"))).findings == []


def test_findings_come_most_severe_first_and_survive_the_disk(prepared):
    guards = gate(small=SmallData(warn_below=300), exact=ExactCopies(), unusable=UnusableRows())
    splits = {**LEAKY, "train": [*LEAKY["train"], {"text": "", "label": "a"}]}
    first, again = prepared(splits, guards), prepared(splits, guards)
    assert [finding.severity for finding in first.findings] == [Severity.REFUSE, Severity.WARN, Severity.WARN]
    assert again.findings == first.findings
    assert json.dumps(first.meta["findings"])


def test_a_made_split_keeps_rows_that_tell_of_each_other_together_and_says_what_is_left(prepared):
    passages = [row["text"] for row in labelled(8, seed=5, words=20)]
    rows = labelled(400)
    rows += [{**row, "text": edited(row["text"])} for row in rows[:40]]
    rows += [{**row, "text": f"{row['text']} {passages[place % 8]}"} for place, row in enumerate(rows[40:56])]
    guards = {"near": NearDuplicates(), "passages": SharedPassages()}
    (note,) = by_check(prepared({"train": rows}, gate(**guards)), "split")
    assert (note.count, note.severity) == (0, Severity.NOTE)
    assert "held-out rows (0.0 %) match train: near 0, passages 0" in note.message
    loose = prepared({"train": rows}, gate(near=NearDuplicates(mode="off"), exact=ExactCopies()))
    view = view_of({name: [row.values for row in loose.rows(name)] for name in loose.meta["num_rows"]})
    assert list(NearDuplicates().look(view)), "without the guard near-duplicates are divided"


def test_a_gate_is_made_of_the_nodes_of_data_guards_alone():
    nodes = {
        "exact": {"_target_": "ftsweep.guards.ExactCopies", "mode": "fix"},
        "near": {"_target_": "ftsweep.guards.NearDuplicates", "mode": "off", "similarity": 0.9},
        "fit": {"_target_": "ftsweep.verdicts.FitVerdicts"},
    }
    made = DataGate.of(nodes, ())
    assert set(made.settings) == {"exact", "near"}
    assert made.likeness is None
    assert DataGate.of({"near": {**nodes["near"], "mode": "allow"}}, ()).likeness.similarity == 0.9


class Answers(ExactCopies):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def look(self, data):
        return self.answer


SEEN = Sighting(what="rows are odd", count=1, num_rows=300)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "guards.mine: `Answers.look` gives None. It must yield sightings, or nothing at all."),
        (["odd"], "guards.mine: `Answers.look` yields 'odd'. It must yield sightings."),
        ([replace(SEEN, train_rows=[7, 310])], "names row 310 of train. train has the rows 0 to 309."),
        ([replace(SEEN, flagged={"test": [0]})], "names row 0 of test. test is no split with rows."),
        ([replace(SEEN, flagged=[0])], "flags [0]. It must be rows by the name of their split."),
        ([replace(SEEN, train_rows=["7"])], "names row '7' of train. train has the rows 0 to 309."),
        ([replace(SEEN, train_rows=[False, True])], "names row False of train. train has the rows 0 to 309."),
    ],
)
def test_guard_of_ones_own_that_answers_with_something_else_is_named(answer, said):
    with pytest.raises(ConfigError) as refused:
        gate(mine=Answers(answer)).inspect(view_of(LEAKY))
    assert said in str(refused.value)
