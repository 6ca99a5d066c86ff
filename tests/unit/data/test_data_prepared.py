from __future__ import annotations

import json
import multiprocessing

import numpy as np
import pytest
import yaml

from ftsweep.config.folders import shipped_folder
from ftsweep.data import prepared as prepared_module
from ftsweep.data.encoded import EncodedRow, EncodedSplit, write_split
from ftsweep.data.prepared import open_prepared, prepare, prepared_hash
from ftsweep.data.subsets.draws import DrawnSplit
from ftsweep.domain.finding import Severity
from ftsweep.errors import DataError
from ftsweep.guards.gate import DataGate


@pytest.fixture
def build(tmp_path, config, tokenizer, task):
    def run(source, *, with_task=None, cache=tmp_path / "cache", gate=None, **changes):
        return prepare({**config, **changes}, source, with_task or task, tokenizer, "tokenizer-1", cache, gate)

    return run


@pytest.fixture
def gate():
    """All shipped guards of data, as they are shipped."""
    files = sorted(shipped_folder("conf").glob("guards/*.yaml"))
    return DataGate.of({file.stem: yaml.safe_load(file.read_text()) for file in files}, ())


def finding(prepared, check):
    return next((found for found in prepared.findings if found.check == check), None)


def texts(prepared, split):
    return {row.values["text"] for row in prepared.rows(split)}


def test_examples_are_the_encoded_rows(build, given_rows, labelled):
    source = given_rows({"train": labelled(40), "validation": labelled(20, 40), "test": labelled(10, 60)})
    prepared = build(source)
    assert prepared.meta["num_rows"] == prepared.meta["num_examples"] == {"train": 40, "validation": 20, "test": 10}
    assert prepared.schema == {"labels": ["a", "b"]}
    split, rows = prepared.split("train"), prepared.rows("train")
    assert len(split) == 40
    for index in range(40):
        row = rows[split.row_index(index)]
        assert split.input_ids(index).tolist() == [len(word) for word in row.values["text"].split()]
        assert split.labels(index).tolist() == ["ab".index(row.values["label"])]
    assert split.lengths.tolist() == [3] * 40
    assert rows[4].place == "train.jsonl:5"


def test_views_are_of_the_memory_map_and_not_copies(build, given_rows, labelled):
    split = build(given_rows({"train": labelled(100)})).split("train")
    ids = split.input_ids(3)
    assert ids.dtype == split.labels(3).dtype == split.lengths.dtype == np.int32
    assert not ids.flags.owndata
    assert not ids.flags.writeable


def test_many_record_batches_read_like_one(tmp_path, monkeypatch):
    from ftsweep.data import encoded

    monkeypatch.setattr(encoded, "_CHUNK_BITS", 2)
    monkeypatch.setattr(encoded, "CHUNK", 4)
    examples = [EncodedRow(list(range(index % 3 + 1)), [index], index, 7 * index, index // 2) for index in range(11)]
    assert write_split(tmp_path / "x.arrow", iter(examples)) == 11
    split = EncodedSplit(tmp_path / "x.arrow")
    for index, example in enumerate(examples):
        assert split.input_ids(index).tolist() == example.input_ids
        assert split.labels(index).tolist() == [index]
        assert split.row_index(index) == index
        assert split.num_bytes(index) == 7 * index
        assert split.lengths[index] == len(example.input_ids)
    assert split.clusters().tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert split.clusters(np.array([8, 9])).tolist() == [4, 4]
    assert split.clusters(np.array([1, 2, 10])).tolist() == []


def test_examples_of_one_group_belong_together_where_rows_are_told_apart(
    build, given_rows, labelled, packing_task, tmp_path
):
    users = ["ann", "bob", "ann", "", "", "bob"]
    rows = [{**row, "user": user} for row, user in zip(labelled(6), users, strict=True)]
    given = {"train": labelled(20, 50), "validation": rows}
    prepared = build(given_rows(given, group="user"))
    assert prepared.meta["num_groups"] == {"train": 20, "validation": 4}
    split = prepared.split("validation")
    assert split.clusters().tolist() == [0, 1, 0, 3, 4, 1]
    assert DrawnSplit(split, [5, 0, 1]).clusters().tolist() == [1, 0, 1]
    assert DrawnSplit(split, [5, 0, 1]).clusters(np.array([0, 1])).tolist() == []
    assert build(given_rows(given), cache=tmp_path / "other").split("validation").clusters().tolist() == []
    packed = build(given_rows(given, group="user"), with_task=packing_task, cache=tmp_path / "packed")
    assert packed.split("validation").clusters().tolist() == []
    assert packed.meta["num_groups"] == {}


def test_missing_splits_are_made_by_their_fractions(build, given_rows, labelled):
    prepared = build(given_rows({"train": labelled(1000)}, validation_fraction=0.2, test_fraction=0.1))
    assert prepared.meta["num_rows"] == {"train": 700, "validation": 200, "test": 100}
    assert set(prepared.meta["split_source"].values()) == {"ftsweep"}
    assert len(texts(prepared, "train") | texts(prepared, "validation") | texts(prepared, "test")) == 1000


def test_a_named_test_split_is_kept_when_validation_is_made(build, given_rows, labelled):
    prepared = build(given_rows({"train": labelled(100), "test": labelled(10, 100)}))
    assert prepared.meta["num_rows"] == {"train": 90, "validation": 10, "test": 10}
    assert prepared.meta["split_source"] == {"train": "ftsweep", "validation": "ftsweep", "test": "named"}


def test_without_a_test_split_there_is_none(build, given_rows, labelled):
    prepared = build(given_rows({"train": labelled(100)}, test_fraction=0))
    assert not prepared.has("test")
    assert prepared.rows("test") == []
    with pytest.raises(DataError, match="no split 'test'"):
        prepared.split("test")


def test_copies_and_groups_stay_on_one_side(build, given_rows, labelled, gate):
    rows = [{**row, "user": f"u{index // 4}"} for index, row in enumerate(labelled(400))]
    rows += [{**row, "text": row["text"].upper() + "!!", "user": None} for row in rows[:200]]
    prepared = build(given_rows({"train": rows}, group="user"), gate=gate)
    sides = {}
    for split in prepared.meta["num_rows"]:
        for row in prepared.rows(split):
            for key in (row.values["text"].lower().strip("!"), row.values["user"]):
                assert key is None or sides.setdefault(key, split) == split
    assert finding(prepared, "normalised_copies") is None


def test_the_seed_decides_the_split(build, given_rows, labelled):
    source = given_rows({"train": labelled(200)})
    first, second = build(source), build(source, seed={"data": 1})
    assert first.folder != second.folder
    assert texts(first, "validation") != texts(second, "validation")


def test_overlaps_of_named_splits_are_findings(build, given_rows, labelled, gate):
    train = labelled(300)
    train = [{**row, "user": index} for index, row in enumerate(train)]
    validation = [{**row, "user": 999} for row in labelled(200, 300)]
    validation[0]["text"] = train[7]["text"]
    validation[3]["text"] = train[8]["text"].title() + " ..."
    validation[5]["user"] = 12
    prepared = build(given_rows({"train": train, "validation": validation}, group="user"), gate=gate)
    exact, normalised, group = (
        finding(prepared, check) for check in ("exact_copies", "normalised_copies", "shared_groups")
    )
    assert (exact.count, exact.rate, exact.examples) == (1, 1 / 200, ("validation.jsonl:1 = train.jsonl:8",))
    assert (normalised.count, normalised.examples) == (1, ("validation.jsonl:4 = train.jsonl:9",))
    assert (group.count, group.examples) == (1, ("validation.jsonl:6 = train.jsonl:13",))
    assert [exact.severity, normalised.severity, group.severity] == [Severity.WARN, Severity.WARN, Severity.REFUSE]


def test_repeated_train_rows_and_few_validation_rows_are_findings(build, given_rows, labelled, gate):
    source = given_rows({"train": [*labelled(100), *labelled(10)], "validation": labelled(20, 200)})
    prepared = build(source, gate=gate)
    repeated = finding(prepared, "repeated_rows")
    assert (repeated.count, repeated.severity) == (10, Severity.WARN)
    assert repeated.examples[0] == "train.jsonl:101 = train.jsonl:1"
    assert finding(prepared, "small_data").severity is Severity.REFUSE


def test_cut_inputs_and_targets_are_findings(build, given_rows, labelled, make_task, gate):
    rows = labelled(100)
    rows[2]["text"] = "one two three four five"
    source = given_rows({"train": rows, "validation": labelled(20, 200)})
    prepared = build(source, with_task=make_task(max_length=4), gate=gate)
    cut = finding(prepared, "cut_inputs")
    assert (cut.count, cut.severity, cut.examples) == (1, Severity.NOTE, ("train.jsonl:3",))
    assert finding(prepared, "cut_targets").severity is Severity.NOTE
    assert prepared.split("train").lengths.max() == 4


@pytest.mark.parametrize("change", [{"text": ""}, {"text": None}, {"label": ""}, {"text": "an unusable row"}])
def test_a_few_unusable_train_rows_are_left_out_with_a_warning(build, given_rows, labelled, change, gate):
    rows = labelled(200)
    rows[9] |= change
    prepared = build(given_rows({"train": rows, "validation": labelled(20, 200)}), gate=gate)
    unusable = finding(prepared, "unusable_rows")
    assert (unusable.count, unusable.examples, unusable.severity) == (1, ("train.jsonl:10",), Severity.WARN)
    assert prepared.meta["num_examples"]["train"] == 199


@pytest.mark.parametrize("change", [{"text": " "}, {"text": "an unusable row"}])
def test_with_guards_many_unusable_rows_are_theirs_to_refuse(build, given_rows, labelled, change, gate):
    rows = labelled(200)
    for index in (9, 10, 11):
        rows[index] |= change
    prepared = build(given_rows({"train": rows, "validation": labelled(20, 200)}), gate=gate)
    assert finding(prepared, "unusable_rows").severity is Severity.REFUSE
    assert prepared.meta["num_examples"]["train"] == 197


@pytest.mark.parametrize("change", [{"text": " "}, {"text": "an unusable row"}])
def test_without_guards_many_unusable_train_rows_are_refused_by_place(build, given_rows, labelled, change, tmp_path):
    rows = labelled(200)
    for index in (9, 10, 11):
        rows[index] |= change
    with pytest.raises(DataError, match=r"3 of 200 rows cannot be used: train.jsonl:10 \("):
        build(given_rows({"train": rows, "validation": labelled(20, 200)}))
    assert list((tmp_path / "cache" / "prepared").glob("[!.]*")) == [], "a refused set leaves nothing behind"


def test_a_held_out_label_that_train_lacks_is_refused_by_place(build, given_rows, labelled):
    validation = labelled(200, 300)
    validation[4]["label"] = "c"
    with pytest.raises(DataError, match=r"1 of 200 rows of the validation split.*validation.jsonl:5 \(label 'c'"):
        build(given_rows({"train": labelled(300), "validation": validation}))


def test_missing_columns_are_refused_before_anything_else(build, given_rows):
    with pytest.raises(DataError, match="'label'"):
        build(given_rows({"train": [{"text": "x"}] * 30}))


def test_a_held_out_split_without_labels_is_named(build, given_rows, labelled):
    unlabelled = [{"text": row["text"]} for row in labelled(5, 40)]
    with pytest.raises(DataError, match=r"test.jsonl: the test split is not as train is.*data.test=null"):
        build(given_rows({"train": labelled(30), "test": unlabelled}))


def test_a_split_of_nothing_is_refused(build, given_rows, labelled):
    with pytest.raises(DataError, match="splitting leaves no row for"):
        build(given_rows({"train": labelled(2)}))
    with pytest.raises(DataError, match="no train rows"):
        build(given_rows({"train": []}))


def test_packed_examples_are_all_kept(build, given_rows, labelled, packing_task):
    source = given_rows({"train": labelled(100), "validation": labelled(10, 100)})
    prepared = build(source, with_task=packing_task)
    assert prepared.meta["num_rows"]["train"] == 100
    assert prepared.meta["num_examples"] == {"train": 34, "validation": 4}
    split = prepared.split("train")
    assert [split.row_index(0), split.row_index(1), split.row_index(33)] == [2, 5, -1]
    assert split.lengths.sum() == 300


def test_a_second_preparation_opens_the_first(build, given_rows, labelled, tmp_path):
    source = given_rows({"train": labelled(100)}, log=tmp_path / "loads")
    first, second = build(source), build(source)
    assert first.folder == second.folder
    assert first.meta == second.meta
    assert (tmp_path / "loads").read_text() == "x"
    assert open_prepared(tmp_path / "cache", first.meta["hash"]).meta == first.meta


@pytest.mark.parametrize("part", ["data", "task", "seed"])
def test_the_hash_covers_what_the_set_depends_on_and_nothing_else(config, part):
    before = prepared_hash(config, "rows", "tokenizer")
    assert prepared_hash({**config, "training": {"epochs": 2}}, "rows", "tokenizer") == before
    assert prepared_hash({**config, part: {**config[part], "data": 7}}, "rows", "tokenizer") != before
    assert prepared_hash(config, "rows 2", "tokenizer") != before
    assert prepared_hash(config, "rows", "tokenizer 2") != before
    assert prepared_hash(config, "rows", "tokenizer", guards={"exact_copies": {"mode": "fix"}}) != before


def _drop_meta(folder):
    (folder / "meta.json").unlink()


def _cut_arrow(folder):
    path = folder / "train.arrow"
    path.write_bytes(path.read_bytes()[:-20])


def _cut_rows(folder):
    path = folder / "train.rows.jsonl"
    path.write_bytes(path.read_bytes()[:-20])


def _lose_rows(folder):
    (folder / "test.rows.jsonl").unlink()


def _change_count(folder):
    meta = json.loads((folder / "meta.json").read_text())
    meta["num_examples"]["validation"] += 1
    (folder / "meta.json").write_text(json.dumps(meta))


def _change_hash(folder):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "hash": "another"}))


@pytest.mark.parametrize("damage", [_drop_meta, _cut_arrow, _cut_rows, _lose_rows, _change_count, _change_hash])
def test_a_damaged_set_is_made_again(build, given_rows, labelled, tmp_path, damage):
    source = given_rows({"train": labelled(100)}, log=tmp_path / "loads")
    first = build(source)
    content_hash = first.meta["hash"]
    damage(first.folder)
    assert open_prepared(tmp_path / "cache", content_hash) is None
    assert build(source).meta["num_examples"] == first.meta["num_examples"]
    assert (tmp_path / "loads").read_text() == "xx"


def test_a_half_written_folder_of_a_killed_process_is_ignored_and_cleared(
    build, given_rows, labelled, tmp_path, config
):
    source = given_rows({"train": labelled(100)})
    content_hash = prepared_hash(config, source.fingerprint(), "tokenizer-1")
    half = tmp_path / "cache" / "prepared" / f".{content_hash}.99999999.tmp"
    half.mkdir(parents=True)
    (half / "train.arrow").write_bytes(b"half")
    assert open_prepared(tmp_path / "cache", content_hash) is None
    assert len(build(source).split("train")) == 80
    assert not half.exists()


def test_a_failure_while_writing_leaves_no_set(build, given_rows, labelled, tmp_path, monkeypatch):
    def fail(path, rows):
        raise OSError("no space left on device")

    source = given_rows({"train": labelled(100)})
    with monkeypatch.context() as patched:
        patched.setattr(prepared_module, "write_rows", fail)
        with pytest.raises(OSError, match="no space"):
            build(source)
    assert list((tmp_path / "cache" / "prepared").glob("[!.]*")) == []
    assert build(source).has("train")


def test_processes_that_prepare_at_once_make_it_once(build, given_rows, labelled, tmp_path):
    source = given_rows({"train": labelled(3000)}, log=tmp_path / "loads")
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    answers = context.Queue()

    def work():
        barrier.wait()
        answers.put(len(build(source).split("train")))

    workers = [context.Process(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert [answers.get(timeout=60) for _ in workers] == [2400] * 4
    for worker in workers:
        worker.join()
    assert (tmp_path / "loads").read_text() == "x"


def test_the_test_split_is_only_opened_when_asked_for(build, given_rows, labelled, monkeypatch):
    opened = []
    original = prepared_module.EncodedSplit
    monkeypatch.setattr(prepared_module, "EncodedSplit", lambda path: opened.append(path.name) or original(path))
    prepared = build(given_rows({"train": labelled(100)}))
    assert "test.arrow" not in opened
    prepared.split("test")
    assert "test.arrow" in opened


def test_values_that_json_lacks_become_text(build, given_rows, labelled):
    import datetime

    rows = [{**row, "day": datetime.date(2020, 1, 2)} for row in labelled(100)]
    prepared = build(given_rows({"train": rows}, group="text"))
    assert prepared.rows("train")
    prepared = build(given_rows({"train": [{**row, "user": row.pop("day")} for row in rows]}, test_fraction=0))
    assert prepared.rows("train")


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [("no supervised token", "Mend these rows"), ("the chat template leaves the tools out", "name another model")],
)
def test_rows_of_which_none_can_be_used_are_refused_with_what_mends_them(
    build, given_rows, labelled, make_task, reason, remedy
):
    class Refusing(make_task):
        def encode(self, rows, tokenizer, schema):
            return (ValueError(reason) for _ in rows)

    with pytest.raises(DataError, match=f"give no example: .*{reason}") as caught:
        build(given_rows({"train": labelled(30)}), with_task=Refusing())
    assert remedy in caught.value.remedy
