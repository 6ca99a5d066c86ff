from __future__ import annotations

import csv
import json

import pytest

from ftsweep.control.data_findings import collect, finding_tags, findings_files, refuse, write_findings
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import RefusedDataError, StudyError
from ftsweep.store.folders import Store

FIX = "guards.exact_copies=fix"
WHERE = ("t:1 = a:2",)
COPIES = Finding("exact_copies", Severity.REFUSE, "9 of 90 rows of test stand in train", 9, 0.1, WHERE, "Leave", FIX)
SMALL = Finding("small_data", Severity.REFUSE, "validation has 40 rows", 40, 1.0, override="guards.small_data=allow")
CUT = Finding("cut_inputs", Severity.WARN, "9 of 90 are cut", 9, 0.1, ("a:1",), "Allow more", "task.max_length=64")
SPLIT = Finding("split", Severity.NOTE, "made", 0, 0.0)


def facts(*findings):
    return {"findings": [finding.to_dict() for finding in findings]}


def test_branches_that_share_data_share_its_findings_and_the_worst_come_first():
    found = collect({"lora": facts(SPLIT, CUT, COPIES), "full": facts(COPIES), "old": {}})
    assert list(found.items()) == [(COPIES, ["lora", "full"]), (CUT, ["lora"]), (SPLIT, ["lora"])]


def test_a_refusal_names_rows_and_the_overrides_that_go_on():
    with pytest.raises(RefusedDataError) as caught:
        refuse([COPIES, SMALL, CUT], "tweets")
    assert isinstance(caught.value, StudyError)
    assert caught.value.exit_code == 1
    text = str(caught.value)
    assert "2 findings refuse the data of study 'tweets'" in text
    assert "exact_copies: 9 of 90 rows of test stand in train (t:1 = a:2, ...)" in text
    assert "add to the command: guards.exact_copies=fix guards.small_data=allow (" in text
    assert "guards.exact_copies=allow guards.small_data=allow" in text
    assert "are cut" not in text
    assert [finding["check"] for finding in caught.value.findings] == ["exact_copies", "small_data", "cut_inputs"]


def test_warnings_refuse_nothing():
    refuse([CUT, SPLIT], "tweets")


def test_a_finding_in_one_line_ends_with_what_can_be_typed():
    assert CUT.text == "cut_inputs: 9 of 90 are cut (a:1, ...). Allow more: task.max_length=64"
    assert SPLIT.text == "split: made."


def test_findings_are_written_as_tables(tmp_path):
    folder = Store(tmp_path).study("s")
    write_findings(folder, collect({"a": facts(COPIES), "b": facts(COPIES, CUT)}))
    table, lines = (file.read_text(encoding="utf-8") for file in findings_files(folder))
    read = json.loads(table)
    assert [dict(zip(read["columns"], line, strict=True))["branches"] for line in read["data"]] == ["a b", "b"]
    (first, second) = csv.DictReader(lines.splitlines())
    assert (first["severity"], first["check"], first["override"]) == ("refuse", "exact_copies", FIX)
    assert second["examples"] == "a:1"


def test_tags_count_severities_and_keep_the_worst_of_each_check():
    milder = Finding("exact_copies", Severity.WARN, "1 of 90", 1, 1 / 90)
    tags = finding_tags([COPIES, milder, CUT])
    assert tags["data_findings.refuse"] == "1"
    assert tags["data_findings.warn"] == "2"
    assert tags["data_findings.note"] == "0"
    assert tags["data_finding.exact_copies"] == "refuse: 9, 10.00%"


def test_a_guard_whose_fix_leaves_what_it_refuses_of_other_splits_is_given_one_mode():
    held_out = Finding("exact_copies", Severity.REFUSE, "as many of validation", override="guards.exact_copies=allow")
    with pytest.raises(RefusedDataError) as caught:
        refuse([COPIES, held_out, SMALL], "tweets")
    end = "add to the command: guards.exact_copies=allow guards.small_data=allow (to take it as it is)."
    assert str(caught.value).endswith(end)
