"""What choosing rules are worth (`make bench-choice`): simulated studies on recorded runs, the truth being rows unseen.

Record pools first (record_words.py, record.py); two generated ones, of seeds that do little and much, are always there.
Prints Markdown, and writes it with `--write FILE`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import machine
from generated import generated_pools
from pools import Pool
from studies import Study, drawn_studies
from tables import (
    equals_table,
    halves_table,
    models_table,
    optimism_table,
    pool_table,
    seeds_table,
    statements_table,
    widths_table,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pools", type=Path, default=Path("/tmp/choice_pool"), help="a folder of recorded pools")
    parser.add_argument("--studies", type=int, default=40, help="of each pool")
    parser.add_argument("--top", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="a Markdown file for the tables")
    options = parser.parse_args()
    pools = {file.stem: Pool.read(file) for file in sorted(options.pools.glob("*.npz"))}
    for file in sorted(options.pools.glob("*/settings.json")):
        if (found := Pool.of_runs(file.parent)) is not None:
            pools[file.parent.name] = found
    if not pools:
        print(f"There are no recorded pools in {options.pools}: run benchmarks/choice/record_words.py", file=sys.stderr)
    pools |= generated_pools()
    lines = []
    for line in report(pools, options.studies, options.top, options.seeds):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(pools: dict[str, Pool], count: int, top: int, seeds: int) -> Iterator[str]:
    facts = machine.in_a_line()
    yield f"# Choosing a model and a setting, {time.strftime('%Y-%m-%d')}"
    yield ""
    words = " ".join(sys.argv[1:]).partition(" --write")[0]
    yield f"`{' '.join(['python benchmarks/choice/run.py', words]).strip()}`. {facts}."
    yield ""
    yield "Pools `words-...` are recorded by `python benchmarks/choice/record_words.py`, `pydocs-...` are fine-tunes"
    yield "with LoRA recorded by `python benchmarks/choice/record.py`, others are generated; losses, lower is better."
    yield ""
    yield from pool_table(pools)
    studies = {name: drawn_studies(pool, count) for name, pool in pools.items()}
    own = {name: drawn_studies(pool, count, shares_seed=False) for name, pool in pools.items()}
    tables: Sequence[tuple[str, Callable[[dict[str, list[Study]]], Iterator[str]]]] = (
        ("The model handed over, true loss", lambda found: models_table(found, top, seeds)),
        ("Statements", lambda found: statements_table(found, top, seeds)),
        ("Optimism", lambda found: optimism_table(found, top, seeds)),
        ("Equal models: how near is equal", lambda found: equals_table(found, top, seeds)),
        ("Runs that need not end", lambda found: halves_table(found, top, seeds)),
        ("How many contenders and seeds, within half of the search's cost", widths_table),
    )
    yield "## One seed for all trials of a search, or one for each"
    yield ""
    yield from seeds_table(studies, own, top, seeds)
    yield ""
    for seed_rule, drawn in (("all trials share the search's seed", studies), ("each trial has its own seed", own)):
        for title, table in tables:
            yield f"## {title} ({seed_rule})"
            yield ""
            yield from table(drawn)
            yield ""


if __name__ == "__main__":
    main()
