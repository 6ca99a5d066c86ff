"""`ftsweep new`: what files seem to be, and a sweep file that is taken."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from new_files import KINDS, LABELS, Kind, jsonl, sentence, written

from ftsweep.config.compose import compose_sweep
from ftsweep.control.new_sweep import write_new_sweep
from ftsweep.data.looking.look import look_at
from ftsweep.data.sources.files import Files
from ftsweep.errors import DataError, UsageError

MOODS = KINDS[0]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_file_is_known_and_its_sweep_file_is_taken(kind: Kind, tmp_path: Path) -> None:
    file = written(kind, tmp_path)
    look = look_at([str(file)])
    assert look.guess is not None
    assert (look.guess.task, dict(look.guess.columns)) == (kind.task, dict(kind.columns))
    assert look.num_rows == {"train": 120}
    new = write_new_sweep(look)
    assert new.file == file.with_name(f"{file.name.partition('.')[0]}.yaml")
    config = compose_sweep(str(new.file)).branches[0].config
    assert config["data"]["train"] == str(file)
    assert config["task"]["_target_"].lower().endswith(kind.task.replace("_", ""))


@pytest.mark.parametrize("name", ["Lisbon, 2024", "a=b", "50%", "(a) [b] {c}", "it's #1", "~x", "ü b", "${x}"])
def test_files_at_odd_places(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / name
    folder.mkdir()
    written(MOODS, folder)
    monkeypatch.chdir(tmp_path)
    new = write_new_sweep(look_at([f"{name}/moods.csv"]))
    assert compose_sweep(f"{name}/moods.yaml").branches[0].config["data"]["train"] == str(folder / "moods.csv")
    assert (folder / "moods.yaml").samefile(new.file)


def test_splits_by_the_names_of_files(tmp_path: Path) -> None:
    for split, count in (("train", 120), ("dev", 70), ("test", 30)):
        (tmp_path / f"{split}.csv").write_text(MOODS.write(count))
    look = look_at([str(tmp_path / f"{split}.csv") for split in ("test", "dev", "train")])
    assert look.num_rows == {"train": 120, "validation": 70, "test": 30}
    new = write_new_sweep(look, name="moods")
    data = compose_sweep(str(new.file)).branches[0].config["data"]
    assert [Path(data[split]).name for split in ("train", "validation", "test")] == ["train.csv", "dev.csv", "test.csv"]


def test_a_file_is_not_overwritten_without_force(tmp_path: Path) -> None:
    look = look_at([str(written(MOODS, tmp_path))])
    file = write_new_sweep(look).file
    file.write_text("mine")
    with pytest.raises(UsageError, match="not overwritten"):
        write_new_sweep(look)
    assert file.read_text() == "mine"
    write_new_sweep(look, force=True)
    assert "classification" in file.read_text()


def test_columns_and_task_that_are_said_stand(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(
        jsonl([{"a": sentence(k), "b": sentence(k + 1), "c": k % 3, "d": LABELS[k % 3]} for k in range(90)])
    )
    look = look_at([str(file)], said={"text": "b", "label": "c"})
    assert look.guess is not None
    assert (look.guess.task, dict(look.guess.columns)) == ("classification", {"text": "b", "label": "c"})
    assert look_at([str(file)], task="text").guess.columns == {"text": "a"}  # type: ignore[union-attr]
    assert look_at([str(file)], task="regression", said={"label": "c"}).guess.columns["label"] == "c"  # type: ignore[union-attr]
    with pytest.raises(DataError, match="there is no column 'x'"):
        look_at([str(file)], said={"text": "x"})


def test_a_table_without_names_has_its_columns_by_number(tmp_path: Path) -> None:
    file = tmp_path / "moods.csv"
    file.write_text("".join(f"{k},{sentence(k)},{LABELS[k % 3]}\n" for k in range(120)))
    look = look_at([str(file)])
    assert look.num_rows == {"train": 120}
    assert look.guess is not None
    assert dict(look.guess.columns) == {"text": "2", "label": "3"}
    data = compose_sweep(str(write_new_sweep(look).file)).branches[0].config["data"]
    source = Files(**{key: value for key, value in data.items() if key != "_target_"})
    rows = source.load(("text", "text_pair", "label"))["train"]
    assert dict(rows[0].values) == {"text": sentence(0), "label": LABELS[0]}
    assert len(rows) == 120


def test_columns_of_words_are_said_by_number(tmp_path: Path) -> None:
    file = tmp_path / "words.conll"
    file.write_text("".join(f"O {name} B-x O\nO and O O\n\n" for name in ("Ada", "Bob", "Eve") * 20))
    said = {"tokens": "2", "tags": "3"}
    new = write_new_sweep(look_at([str(file)], said=said))
    data = compose_sweep(str(new.file)).branches[0].config["data"]
    assert dict(data["columns"]) == said
    rows = Files(train=str(file), columns=data["columns"]).load(("tokens", "tags", "text"))["train"]
    assert dict(rows[0].values) == {"tokens": ["Ada", "and"], "tags": ["B-x", "O"]}


def test_labels_with_spaces_are_told(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    labels = ["calm", "angry", "calm angry", "happy calm"]
    file.write_text(jsonl([{"text": sentence(k), "labels": labels[k % 4]} for k in range(120)]))
    (finding,) = look_at([str(file)]).findings
    assert "60 cells of several words are one label each, such as 'calm angry'" in finding.text
    assert "write | between them" in finding.text


def test_the_context_of_a_question_is_read_with_it(tmp_path: Path) -> None:
    file = tmp_path / "asked.jsonl"
    rows = [{"instruction": f"ask {k}", "context": sentence(k), "response": sentence(k + 1)} for k in range(60)]
    file.write_text(jsonl(rows))
    look = look_at([str(file)])
    assert look.guess is not None
    columns = {"prompt": "instruction", "completion": "response", "input": "context"}
    assert (look.guess.task, dict(look.guess.columns)) == ("instruction", columns)


def test_what_fits_no_task_is_told_with_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("a,b\n" + "".join(f"{k},{k * 2}\n" for k in range(50)))
    with pytest.raises(DataError, match=r"'a' \(number\), 'b' \(number\)"):
        write_new_sweep(look_at([str(file)]))
    assert not (tmp_path / "numbers.yaml").exists()


def test_the_command_writes_and_says_what_to_do_next(tmp_path: Path) -> None:
    folder = tmp_path / "my files"
    folder.mkdir()
    written(MOODS, folder)
    command = [sys.executable, "-m", "ftsweep.cli.main", "new", "my files/moods.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ftsweep plan 'my files/moods.yaml'" in done.stdout
    assert "3 values: calm" in done.stdout
    again = subprocess.run([*command, "--force", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert json.loads(again.stdout)["columns"] == {"text": "tweet", "label": "mood"}


def test_the_length_has_room_for_signs_and_digits(tmp_path: Path) -> None:
    texts = [f"On ({n}), say, item {n + 70000}; day {n + 80000}, room {n + 90000}; (all) stayed." for n in range(40)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"text": text, "label": "ab"[n % 2]}) + "\n" for n, text in enumerate(texts)))
    written_file = write_new_sweep(look_at([str(file)])).file
    most = max(len(re.findall(r"[A-Za-z]+|.", text.replace(" ", ""))) for text in texts)
    assert compose_sweep(str(written_file)).branches[0].config["task"]["max_length"] >= most
