"""Makes the embedded model: `python -m ftsweep.models.tiny.make_tiny_model --out DIR`.

One seed, one thread: the same Python, torch and tokenizers on the same kind of processor give the same files. A
vocabulary that already lies in DIR (tokenizer.json) is kept, so that re-training never changes anybody's tokens.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ftsweep.models.tiny.corpus import Corpus, read_corpus
from ftsweep.models.tiny.vocabulary import CONTEXT, NUM_TOKENS, ROLES, kept_or_new_tokenizer

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

SEED = 20240613
MIX = {"code": 0.40, "comments": 0.25, "topics": 0.23, "chat": 0.12}
"""Share of each kind of text in what the model reads."""
MEASURED = 1 << 15
"""Tokens of each kind of training text that the loss is measured on at the end; of the held-out topics all."""


class Stage(NamedTuple):
    """Steps at one sequence length; short first, because attention is cheaper there."""

    fraction: float
    length: int
    rows: int


STAGES = (Stage(0.88, 256, 24), Stage(0.12, 1024, 6))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=600, help="optimizer steps")
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--files", type=int, default=None, help="read only so many source files, to try the script")
    options = parser.parse_args(arguments)
    facts = make(options.out, steps=options.steps, learning_rate=options.learning_rate, files=options.files)
    say(json.dumps(facts, indent=1))


def make(folder: Path, *, steps: int, learning_rate: float, files: int | None = None) -> dict[str, Any]:
    """Write model.safetensors, config.json and the tokenizer's files; return what was measured."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    folder.mkdir(parents=True, exist_ok=True)
    corpus = read_corpus(SEED, max_files=files)
    tokenizer = kept_or_new_tokenizer(folder, corpus)
    streams = {kind: token_stream(tokenizer, documents) for kind, documents in training_documents(corpus).items()}
    say("tokens: " + ", ".join(f"{kind} {len(stream):,}" for kind, stream in streams.items()))
    model = new_model(tokenizer)
    started = time.perf_counter()
    num_tokens = train(model, streams, steps=steps, learning_rate=learning_rate)
    seconds = time.perf_counter() - started
    model.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # safetensors writes it for its owner alone
    model.float().eval()  # measured as shipped: rounded to float16
    facts = {
        "num_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": steps,
        "tokens_read": num_tokens,
        "seconds": round(seconds),
        "losses": {
            "train topics": stream_loss(model, streams["topics"][:MEASURED]),
            "held-out topics": stream_loss(model, token_stream(tokenizer, list(corpus.held_out.values()))),
            "train comments": stream_loss(model, streams["comments"][:MEASURED]),
            "train code": stream_loss(model, streams["code"][:MEASURED]),
        },
        "held_out_topics": sorted(corpus.held_out),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    size = (folder / "model.safetensors").stat().st_size
    return {**facts, "bytes": size}


def training_documents(corpus: Corpus) -> dict[str, list[str]]:
    prose = [*corpus.topics.values(), *corpus.comments]
    documents = {
        "code": corpus.code,
        "comments": corpus.comments,
        "topics": list(corpus.topics.values()),
        "chat": [chat for text in prose for chat in chats(text)],
    }
    order = random.Random(SEED)  # noqa: S311
    for kind in sorted(documents):
        order.shuffle(documents[kind])
    return documents


def chats(text: str) -> list[str]:
    """Paragraphs as conversations: the first sentence is the user's, what follows the assistant's answer."""
    found = []
    for paragraph in text.split("\n\n"):
        first, stop, rest = re.sub(r"\s+", " ", paragraph).strip().partition(". ")
        if stop and len(first.split()) >= 4 and len(rest.split()) >= 4:
            found.append(f"{ROLES[1]}{first}.{ROLES[2]}{rest}")
    return found


def token_stream(tokenizer: PreTrainedTokenizerFast, documents: Sequence[str]) -> np.ndarray:
    """All documents as one row of tokens, each between its begin and end token."""
    import numpy as np

    backend, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
    encoded = backend.encode_batch(list(documents))  # the post-processor puts the begin token
    return np.concatenate([np.array([*item.ids, end], dtype=np.int64) for item in encoded])


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=NUM_TOKENS,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=384,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.02,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=True,
    )
    return LlamaForCausalLM(config)


def train(model: LlamaForCausalLM, streams: Mapping[str, np.ndarray], *, steps: int, learning_rate: float) -> int:
    """AdamW, 5 % warm-up, cosine to a twentieth; rows drawn from the streams by `MIX`. Returns tokens read."""
    import numpy as np
    import torch

    generator = np.random.default_rng(SEED)
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), eps=1e-9, fused=True)
    model.train()
    num_tokens, started = 0, time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rate_at((step + 1) / steps)
        batch = torch.from_numpy(draw_batch(streams, stage_at(step / steps), generator))
        loss = mean_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        num_tokens += batch.numel()
        if step % 20 == 0 or step == steps - 1:
            speed = num_tokens / (time.perf_counter() - started)
            say(f"step {step} of {steps}: loss {loss.item():.3f}, {speed:,.0f} tokens/s")
    return num_tokens


def rate_at(fraction: float) -> float:
    warmup = 0.05
    if fraction < warmup:
        return fraction / warmup
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))


def stage_at(fraction: float) -> Stage:
    return STAGES[0] if fraction < STAGES[0].fraction else STAGES[1]


def draw_batch(streams: Mapping[str, np.ndarray], stage: Stage, generator: np.random.Generator) -> np.ndarray:
    """Windows at random places of randomly chosen streams; each begins with the begin token, as in use."""
    import numpy as np

    kinds = generator.choice(list(MIX), size=stage.rows, p=list(MIX.values()))
    rows = []
    for kind in kinds:
        stream = streams[str(kind)]
        start = int(generator.integers(0, len(stream) - stage.length))
        row = stream[start : start + stage.length].copy()
        row[0] = 1
        rows.append(row)
    return np.stack(rows)


def mean_loss(model: LlamaForCausalLM, batch: torch.Tensor) -> torch.Tensor:
    """Nats per predicted token."""
    import torch

    logits = model(input_ids=batch, use_cache=False).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def stream_loss(model: LlamaForCausalLM, stream: np.ndarray, length: int = 512) -> float:
    """Nats per token over consecutive windows of a stream."""
    import torch

    rows = torch.from_numpy(stream[: len(stream) // length * length].reshape(-1, length))
    with torch.inference_mode():
        losses = [mean_loss(model, chunk).item() * len(chunk) for chunk in rows.split(8)]
    return round(sum(losses) / len(rows), 4)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
