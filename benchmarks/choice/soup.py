"""What the mean of two runs' weights scores, beside the runs themselves: is a soup worth scoring as a candidate?

    python benchmarks/choice/soup.py 00-0 00-1

Takes runs of record.py's pool by name; those with weights of other shapes are refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from record import POOLS
from safetensors.torch import load_file

from ftsweep.config.compose import compose_sweep
from ftsweep.store.atomic import read_json
from ftsweep.training.checkpoint import Weights, put_weights
from ftsweep.worker.components import Components


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs=2)
    parser.add_argument("--pool", default="pydocs-0")
    parser.add_argument("--to", type=Path, default=Path("/tmp/choice_pool"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.to / options.pool
    (branch,) = compose_sweep(POOLS[options.pool].sweep, POOLS[options.pool].overrides).branches
    settings = read_json(folder / "settings.json")
    weights = [load_file(folder / run / "weights.safetensors") for run in options.runs]
    config = branch.config_with(settings[int(options.runs[0].partition("-")[0])])
    components = Components()
    parts = components.parts_of(config, folder.parent / "cache")
    base = components.lend_base(parts)
    model = parts.strategy.apply(base.model, parts.strategy.head_for(parts.task))
    evaluator, split = components.evaluator_of(parts), parts.prepared.split("validation")
    for name, each in zip((*options.runs, "mean"), (*weights, mean(*weights)), strict=True):
        put_weights(model, each)
        scores = evaluator.measure(model, split)
        print(f"{name}: loss {scores['loss']:.4f}, accuracy {scores['accuracy']:.4f}", flush=True)


def mean(left: Weights, right: Weights) -> Weights:
    """Of two models' weights, which must have equal names and shapes."""
    if {name: value.shape for name, value in left.items()} != {name: value.shape for name, value in right.items()}:
        raise SystemExit("these runs' weights have other shapes: they have no mean")
    return {name: (left[name] + right[name]) / 2 for name in left}


if __name__ == "__main__":
    main()
