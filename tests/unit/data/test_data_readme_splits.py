"""The head of a README.md beside files of rows: what it tells of splits, and heads that tell nothing of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.data.files.found import FoundFiles, find_files
from ftsweep.errors import DataError

FILES = ("train.csv", "test.csv", "data/more.csv")
BY_NAME = {"train": ["train.csv"], "test": ["test.csv"]}


def found_with(head: str, folder: Path, files: tuple[str, ...] = FILES) -> FoundFiles:
    folder.mkdir(exist_ok=True)
    (folder / "README.md").write_text(f"---\n{head}\n---\n# Rows\n")
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("text,label\nred,a\nblue,b\n")
    return find_files(str(folder), split="train", shared=[])


def names(found: FoundFiles, folder: Path) -> dict[str, list[str]]:
    return {split: [str(file.path.relative_to(folder)) for file in files] for split, files in found.splits.items()}


def listed(*paths: str) -> str:
    splits = [f"  - {{split: {split}, path: {path}}}" for split, path in zip(("train", "test"), paths, strict=False)]
    return "\n".join(["configs:", "- config_name: default", "  data_files:", *splits])


@pytest.mark.parametrize(
    "head",
    [
        *("license: mit", "a: [b\nc: : d", "date: 2024-02-30 10:00:00", "x: !!int abc", "x: " + "[" * 3000),
        *("configs: 3", "configs: [config.yaml]", "configs: [{config_name: a, data_files: }]"),
        *(listed("../other/train.csv"), listed("hf://datasets/a/b/train.csv"), listed("train.xlsx"), listed("'t\\0'")),
    ],
)
def test_a_head_that_tells_of_no_file_of_rows_leaves_the_splits_to_the_names(head: str, tmp_path: Path) -> None:
    found_with("a: b", tmp_path / "other")
    assert names(found_with(head, tmp_path / "rows"), tmp_path / "rows") == BY_NAME


def test_files_outside_of_the_folder_are_none_of_it(tmp_path: Path) -> None:
    found_with("a: b", tmp_path / "other")
    folder = tmp_path / "rows"
    assert names(found_with(listed(str(tmp_path / "other/train.csv")), folder), folder) == BY_NAME


@pytest.mark.parametrize(
    ("head", "splits"),
    [
        (listed("./train.csv", "data/../test.csv"), BY_NAME),
        (listed("data/more.csv", "test.csv"), {"train": ["data/more.csv"], "test": ["test.csv"]}),
        ("configs: [{config_name: default, data_files: '*.csv'}]", BY_NAME),
        (
            "configs: [{config_name: a, data_files: '**'}]",
            {**BY_NAME, "train": ["data/more.csv", "train.csv"]},
        ),
        ("configs: [{config_name: default, data_dir: data}]", {"train": ["data/more.csv"]}),
        ("configs: [{config_name: default, data_dir: ./data, data_files: '*.csv'}]", {"train": ["data/more.csv"]}),
        ("configs: [{config_name: default, data_dir: ../other}]", BY_NAME),
        ("configs: [{config_name: a, data_files: '*.csv'}, {config_name: b, data_files: '*.csv'}]", BY_NAME),
    ],
)
def test_a_head_tells_the_splits_and_a_pattern_alone_leaves_held_out_files_held_out(
    head: str, splits: dict[str, list[str]], tmp_path: Path
) -> None:
    assert names(found_with(head, tmp_path), tmp_path) == splits


def test_of_several_data_sets_one_is_named_that_holds_no_other(tmp_path: Path) -> None:
    head = "configs: [{config_name: en, data_files: data/en.csv}, {config_name: de, data_files: data/de.csv}]"
    with pytest.raises(DataError, match=r"tells of 2 data sets in it: en, de.*of en that is .*data/en\.csv"):
        found_with(head, tmp_path / "one", ("data/en.csv", "data/de.csv"))
    head = head.replace("data/de", "de/de")
    with pytest.raises(DataError, match=r"of en that is .*data\."):
        found_with(head, tmp_path / "two", ("data/en.csv", "de/de.csv"))


def test_files_of_other_kinds_are_told_beside_a_head_too(tmp_path: Path) -> None:
    (tmp_path / "notes.xlsx").write_bytes(b"PK")
    texts = [finding.message for finding in found_with(listed("train.csv", "test.csv"), tmp_path).findings]
    assert any("notes.xlsx" in each for each in texts)
