"""Messages that are rows of their own: the command that is told writes conversations that can be learned."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ftsweep.data.looking.look import look_at

SIGNED = 'my "order" is late; it\'s\n$HOME `late`'


def made(file: Path) -> list[list[tuple[str, str]]]:
    """Who says what in each conversation that the command writes."""
    doubt = look_at([str(file)]).doubt
    assert doubt is not None
    command = doubt.remedy.partition("`")[2].rpartition("`")[0].replace("python -c", f"{sys.executable} -c")
    subprocess.run(["sh", "-c", command], cwd=file.parent, check=True)
    look = look_at([str(file.parent / "NEW.jsonl")])
    assert look.guess is not None
    assert look.guess.task == "instruction"
    rows = [json.loads(line) for line in (file.parent / "NEW.jsonl").read_text().splitlines()]
    return [[(each["role"], each["content"]) for each in row["messages"]] for row in rows]


def test_messages_of_one_key_are_a_conversation(tmp_path: Path) -> None:
    file = tmp_path / "-a chat's log.csv"
    with file.open("w", newline="", encoding="latin-1") as opened:
        table = csv.writer(opened, delimiter=";")
        table.writerow(["ticket_id", "role", "message"])
        for number in (7, 9):  # two conversations at a time
            table.writerow([number, "customer", SIGNED])
        for number in (9, 7):
            table.writerow([number, "agent", f"caf\u00e9 {number}"])
    asked = ("user", SIGNED)
    assert made(file) == [[asked, ("assistant", f"caf\u00e9 {number}")] for number in (7, 9)]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_messages_that_answer_each_other_are_paths_to_their_last_answers(tmp_path: Path, suffix: str) -> None:
    import pandas as pd

    told = [
        *(("m1", None, "prompter", "a"), ("m2", "m1", "assistant", "b"), ("m3", "m1", "assistant", "c")),
        *(("m4", "m2", "prompter", "d"), ("m5", "m4", "assistant", "e"), ("m6", "m5", "prompter", "not answered")),
        ("m7", None, "prompter", "nor this"),
    ]
    rows = pd.DataFrame(told, columns=["message_id", "parent_id", "role", "text"])
    file = tmp_path / f"rows{suffix}"
    if suffix == ".jsonl":
        rows.to_json(file, orient="records", lines=True)
    else:
        rows.to_parquet(file)
    short = [("prompter", "a"), ("assistant", "c")]
    assert made(file) == [short, [("prompter", "a"), ("assistant", "b"), ("prompter", "d"), ("assistant", "e")]]
