"""How fast a million rows of csv and of JSON lines are read, and in how much memory, beside what `datasets` takes.

    python benchmarks/data_reading.py --rows 1000000 --json result.json

Every reader runs in a process of its own on the same files. "Read" is `Files.load`: every row checked, kept, with its
place; "walked" is one pass over what was kept, a `Row` at a time. `datasets` reads into its Arrow cache, which is made
anew every time. Memory is the peak of resident memory above what the process had before it began to read.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORDS = [
    f"{start}{end}" for start in ("ba", "de", "ki", "lo", "mu", "ra", "so", "ti") for end in ("len", "mor", "rit", "su")
]


def write_files(folder: Path, num_rows: int) -> dict[str, Path]:
    """The same rows as csv and as JSON lines, about 200 bytes each; every tenth text is quoted and holds a comma."""
    import csv

    generator = random.Random(0)
    paths = {"csv": folder / "rows.csv", "jsonl": folder / "rows.jsonl"}
    with paths["csv"].open("w", newline="") as table, paths["jsonl"].open("w") as lines:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["text", "label"])
        for number in range(num_rows):
            text = " ".join(generator.choices(WORDS, k=36)) + (f', "{number}"' if number % 10 == 0 else f" {number}")
            label = "ab"[number % 2]
            writer.writerow([text, label])
            lines.write(json.dumps({"text": text, "label": label}) + "\n")
    return paths


def read_ours(path: Path) -> dict[str, Any]:
    from ftsweep.data.files.reading import open_file  # noqa: F401 - imports are not what is measured
    from ftsweep.data.sources.files import Files

    before, begin, cpu = resident(), time.perf_counter(), time.process_time()
    rows = Files(train=str(path)).load(("text", "text_pair", "label"))["train"]
    read, cpu = time.perf_counter() - begin, time.process_time() - cpu
    num_characters = sum(len(row.values["text"]) + bool(row.place) for row in rows)
    walked = time.perf_counter() - begin
    return facts(len(rows), read, cpu, before) | {"walked_seconds": walked, "characters": num_characters}


def read_datasets(path: Path) -> dict[str, Any]:
    import datasets

    datasets.disable_progress_bars()
    kind = "csv" if path.suffix == ".csv" else "json"
    with tempfile.TemporaryDirectory() as cache:
        before, begin, cpu = resident(), time.perf_counter(), time.process_time()
        rows = datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=cache)
        read, cpu = time.perf_counter() - begin, time.process_time() - cpu
        num_characters = sum(len(text) for batch in rows.iter(10_000) for text in batch["text"])
        walked = time.perf_counter() - begin
        return facts(len(rows), read, cpu, before) | {"walked_seconds": walked, "characters": num_characters}


def facts(num_rows: int, seconds: float, cpu: float, before: int) -> dict[str, Any]:
    return {"rows": num_rows, "read_seconds": seconds, "read_cpu_seconds": cpu, "growth_bytes": peak() - before}


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(reader: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--reader", reader, "--file", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--reader", choices=["ours", "datasets"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        print(json.dumps((read_ours if options.reader == "ours" else read_datasets)(options.file)))
        return
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, path in write_files(Path(folder), options.rows).items():
            for repeat in range(options.repeats):
                for reader in ("datasets", "ours"):
                    found = measure(reader, path)
                    size = path.stat().st_size
                    found |= {
                        "kind": kind,
                        "reader": reader,
                        "repeat": repeat,
                        "file_bytes": size,
                        "load": os.getloadavg()[0],
                    }
                    found["growth_by_size"] = round(found["growth_bytes"] / size, 2)
                    results.append(found)
                    print(json.dumps(found), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
