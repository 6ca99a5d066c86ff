"""Records pools of a small network over words: real rows, real seeds, and runs that take a tenth of a second.

    python benchmarks/choice/record_words.py --to /tmp/choice_pool

A stand-in for fine-tuning where hundreds of runs are needed: an embedding per word, their mean, dropout, a linear
layer, AdamW with a rate that falls to 0. What varies is what a sweep varies (rate, batch, epochs, width) and the seed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pools import Pool
from torch import nn

from ftsweep.data.sources.pydocs import PyDocs

SHARED = Path(os.environ.get("FTSWEEP_SHARED", Path(__file__).parents[2] / "../shared")).resolve() / "data"
NUM_TRAIN, NUM_SETTINGS, NUM_SEEDS, NUM_RUNGS = 980, 14, 8, 2
NUM_HELD = 2_500
_NUM_WORDS = 2_000


@dataclass(frozen=True)
class Setting:
    rate: float
    batch_size: int
    epochs: int
    width: int


DEFAULT = Setting(2e-2, 16, 3, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, default=Path("/tmp/choice_pool"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.to.mkdir(parents=True, exist_ok=True)
    if not (SHARED / "tweet_emotion").is_dir():
        print(f"tweets are skipped: there is no {SHARED / 'tweet_emotion'} (FTSWEEP_SHARED)")
    for name, rows in (("tweets", _tweets), ("pydocs", _pydocs)):
        for draw in range(2):
            file = options.to / f"words-{name}-{draw}.npz"
            if not file.exists() and (name != "tweets" or (SHARED / "tweet_emotion").is_dir()):
                recorded(rows(), draw).write(file)
                print(file, flush=True)


def recorded(rows: list[tuple[str, str]], draw: int) -> Pool:
    """All settings with all seeds on one draw of train; the rest of the rows is held out."""
    order = np.random.default_rng(draw).permutation(len(rows))
    train, held = order[:NUM_TRAIN], order[NUM_TRAIN : NUM_TRAIN + NUM_HELD]
    words, labels = _encoded(rows, train)
    settings = drawn_settings(draw)
    losses = [[_run(setting, seed, words, labels, train, held) for seed in range(NUM_SEEDS)] for setting in settings]
    return Pool(np.array(losses, np.float32), np.array([float(setting.epochs) for setting in settings]))


def drawn_settings(draw: int) -> list[Setting]:
    """The default, then draws around it."""
    chance = random.Random(draw)
    return [DEFAULT] + [
        Setting(
            math.exp(chance.uniform(math.log(5e-3), math.log(1e-1))),
            chance.choice([16, 32, 64]),
            chance.randint(1, 5),
            chance.choice([4, 8, 16]),
        )
        for _ in range(NUM_SETTINGS - 1)
    ]


def _run(
    setting: Setting, seed: int, words: list[np.ndarray], labels: np.ndarray, train: np.ndarray, held: np.ndarray
) -> np.ndarray:
    """Losses [rungs, held]. The order of examples is the study's, not the seed's."""
    torch.manual_seed(seed)
    bag = nn.EmbeddingBag(_NUM_WORDS, setting.width, mode="mean")
    nn.init.normal_(bag.weight, std=1.0 / math.sqrt(setting.width))
    model = nn.Sequential(bag, nn.Dropout(0.2), nn.Linear(setting.width, int(labels.max()) + 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=setting.rate, weight_decay=0.0)
    order = np.random.default_rng(0)
    plan = np.concatenate([order.permutation(train) for _ in range(setting.epochs)])
    batches = [plan[start : start + setting.batch_size] for start in range(0, len(plan), setting.batch_size)]
    rungs = {math.ceil(len(batches) * rung / NUM_RUNGS) for rung in range(1, NUM_RUNGS + 1)}
    asked = _input(words, held)
    truth = torch.from_numpy(labels[held])
    losses = []
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = setting.rate * (1 - step / len(batches))
        flat, offsets = _input(words, batch)
        nn.functional.cross_entropy(model[2](model[1](bag(flat, offsets))), torch.from_numpy(labels[batch])).backward()
        optimizer.step()
        optimizer.zero_grad()
        if step + 1 in rungs:
            with torch.no_grad():
                logits = model[2](bag(*asked))
                losses.append(nn.functional.cross_entropy(logits, truth, reduction="none").numpy())
    return np.array(losses)


def _input(words: list[np.ndarray], rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = [words[row] for row in rows]
    offsets = np.cumsum([0, *(len(each) for each in chosen[:-1])])
    return torch.from_numpy(np.concatenate(chosen)), torch.from_numpy(offsets)


def _encoded(rows: list[tuple[str, str]], train: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Word numbers of each row by how common they are in train (0: unknown), and label numbers."""
    split = [text.lower().split() for text, _ in rows]
    common = Counter(word for row in train for word in split[row]).most_common(_NUM_WORDS - 1)
    number = {word: place + 1 for place, (word, _) in enumerate(common)}
    names = sorted({label for _, label in rows})
    words = [np.array([number.get(word, 0) for word in row] or [0]) for row in split]
    return words, np.array([names.index(label) for _, label in rows])


def _pydocs() -> list[tuple[str, str]]:
    return [(str(row.values["text"]), str(row.values["label"])) for row in PyDocs().load(("text", "label"))["train"]]


def _tweets() -> list[tuple[str, str]]:
    lines = [line for part in ("train", "val", "test") for line in (SHARED / "tweet_emotion" / f"{part}.jsonl").open()]
    return [(row["text"], str(row["label"])) for row in map(json.loads, lines)]


if __name__ == "__main__":
    main()
