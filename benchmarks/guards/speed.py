"""How long the guards take for 100,000 rows, in one process.

    python benchmarks/guards/speed.py --rows 100000    # instruction rows: reading, splitting, encoding, gate, writing

What is timed there is `ftsweep.data.prepared.prepare`, as a worker calls it, on a file of JSON lines and with the
embedded model's tokenizer. Its words are made up, so that the tokenizer makes many tokens of them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from edits import edited
from sets import Given, gate

from ftsweep.data.encoding import EncodingReport
from ftsweep.data.inspection import DataView
from ftsweep.data.likeness.alike import Likeness, Overlap
from ftsweep.data.splitting.splitting import split_rows
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction

NUM_WORDS = 30_000


def measure_apart(num_rows: int, words: int, *, has_classes: bool) -> dict[str, Any]:
    """`measure` in a process of its own, so that its memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (num_rows, words), {"has_classes": has_classes})


def measure(num_rows: int, words: int, *, has_classes: bool, seed: int = 0) -> dict[str, Any]:
    """Splitting and all guards on made-up rows, one in twenty an edited copy; without reading and tokenising."""
    rows = _rows(num_rows, words, has_classes=has_classes, seed=seed)
    task = Classification() if has_classes else Instruction()
    source = Given(splits={"train": rows})
    loaded = source.load(())
    wall, cpu = time.monotonic(), time.process_time()
    split = split_rows(loaded, source, task, seed=0, likeness=Likeness(), overlap=Overlap())
    report = EncodingReport(num_examples={name: len(members) for name, members in split.rows.items()})
    view = DataView(task, source, split.rows, split.ids, split.texts, split.source, split.left_out, report)
    inspection = gate().inspect(view)
    return {
        "rows": num_rows,
        "words": sum(len(str(value).split()) for row in rows for value in row.values()) / num_rows,
        "wall seconds": time.monotonic() - wall,
        "CPU seconds": time.process_time() - cpu,
        "peak memory MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "findings": [f"{finding.severity} {finding.check}" for finding in inspection.findings],
    }


def measure_whole(num_rows: int, words: int = 60) -> dict[str, Any]:
    """Preparing a file of instruction rows from its first byte to the written set."""
    from ftsweep.data.prepared import prepare
    from ftsweep.data.sources.files import Files
    from ftsweep.models.tiny import TinyModel

    tokenizer = TinyModel().tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        rows = _rows(num_rows, words, has_classes=False, seed=0)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        num_words = sum(len(row["completion"].split()) + len(row["prompt"].split()) for row in rows) / num_rows
        del rows
        config: dict[str, Any] = {"data": {}, "task": {}, "seed": {"data": 0}}
        wall, cpu = time.monotonic(), time.process_time()
        prepared = prepare(config, Files(train=str(path)), Instruction(), tokenizer, "tiny", Path(folder), gate())
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        return {
            "rows": num_rows,
            "words": num_words,
            "tokens": float(prepared.split("train").lengths.mean()),
            "bytes": path.stat().st_size,
            "wall seconds": wall,
            "CPU seconds": cpu,
            "peak memory MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "load": os.getloadavg()[0],
            "findings": [f"{finding.severity} {finding.check}" for finding in prepared.findings],
        }


def _rows(num_rows: int, words: int, *, has_classes: bool, seed: int) -> list[dict[str, Any]]:
    """Texts of words that are as frequent as words are (Zipf), of lengths that vary as lengths do (log-normal)."""
    chance, numbers = random.Random(seed), np.random.default_rng(seed)
    vocabulary = np.array([_word(number) for number in range(NUM_WORDS)])
    weights = 1 / np.arange(1, NUM_WORDS + 1)
    lengths = np.maximum(5, numbers.lognormal(np.log(words), 0.5, num_rows).astype(int))
    drawn = vocabulary[numbers.choice(NUM_WORDS, int(lengths.sum()), p=weights / weights.sum())]
    ends = np.cumsum(lengths)
    texts = [" ".join(drawn[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
    for place in range(0, num_rows, 20):
        texts[place] = edited(texts[(place * 7 + 1) % num_rows], "mixed", vocabulary[:1000].tolist(), chance)
    if has_classes:
        return [{"text": text, "label": f"class {place % 8}"} for place, text in enumerate(texts)]
    prompts = [" ".join(text.split()[:12]) for text in texts]
    return [{"prompt": prompt, "completion": text} for prompt, text in zip(prompts, texts, strict=True)]


def _word(number: int) -> str:
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    text = ""
    while number >= 0:
        text += letters[number % 26]
        number = number // 26 - 1
    return text + "aeiou"[len(text) % 5]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=60)
    options = parser.parse_args()
    print(json.dumps(measure_whole(options.rows, options.words), indent=1))
