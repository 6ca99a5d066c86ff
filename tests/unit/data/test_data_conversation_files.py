"""Conversations from files: what a format does to them (nulls, JSON as text) changes nothing that is learned."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ftsweep.data.sources.files import Files
from ftsweep.tasks.instruction import Instruction

CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"where": "sea"}'}}
ROWS = {
    "messages": {"messages": [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}]},
    "weights": {
        "messages": [
            {"role": "user", "content": "Where?"},
            {"role": "assistant", "content": "Here.", "weight": 1},
            {"role": "user", "content": "Sure?"},
            {"role": "assistant", "content": "No.", "weight": 0},
        ]
    },
    "calls": {
        "messages": [
            {"role": "user", "content": "Where?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "At sea.", "tool_call_id": "1"},
            {"role": "assistant", "content": "Here."},
        ],
        "tools": json.dumps([{"name": "look", "parameters": {}}]),
    },
    "sharegpt": {"conversations": [{"from": "human", "value": "Where?"}, {"from": "gpt", "value": "Here."}]},
    "lists": {
        "prompt": [{"role": "user", "content": "Where?"}],
        "completion": [{"role": "assistant", "content": "Here."}],
    },
    "alpaca": {"system": "S", "instruction": "Where?", "input": "", "output": "Here.", "history": [["Hi", "Ho"]]},
}
LEARNED = {"calls": '{"name": "look", "arguments": {"where": "sea"}}\nHere.', "alpaca": "Ho\nHere."}


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize("shape", ROWS)
def test_a_conversation_is_the_same_from_every_format(tmp_path, shape, suffix):
    path, rows = tmp_path / f"train.{suffix}", [ROWS[shape]] * 3
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(json.dumps(rows) if suffix == "json" else "".join(json.dumps(row) + "\n" for row in rows))
    task = Instruction()
    loaded = Files(train=str(path)).load(task.columns)["train"]
    assert len(loaded) == 3
    for row in loaded:
        assert task.target_text(row.values) == LEARNED.get(shape, "Here.")
        assert "Where?" in task.input_text(row.values)
        assert ("No." in task.input_text(row.values)) == (shape == "weights")


def test_a_table_holds_messages_as_text(tmp_path):
    messages = json.dumps(ROWS["messages"]["messages"]).replace('"', '""')
    (tmp_path / "train.csv").write_text(f'messages,system\n"{messages}",Be short.\n"{messages}",\n')
    task = Instruction()
    first, second = Files(train=str(tmp_path / "train.csv")).load(task.columns)["train"]
    assert (task.input_text(first.values), task.target_text(first.values)) == ("Be short.\nWhere?", "Here.")
    assert task.input_text(second.values) == "Where?"
