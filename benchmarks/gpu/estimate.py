"""What to expect of lanes on a GPU, without one: operations counted on thin models, and the roofline. AN ESTIMATE.

    python benchmarks/gpu/estimate.py [--launch-us 6] [--view-us 1] [--tflops 400] [--gb-per-s 3000]

Operations of a step (forward, backward, update) are counted on a CPU, on models of as many layers and hardly any
weights: their number depends on neither width nor length. All are in bfloat16 autocast on a base held in it, as on a
GPU; lanes share padded passes. A norm of ftsweep's counts as one operation each way: torch has such a kernel for GPUs,
and for no CPU. An operation on lists of tensors counts as the kernels that CUDA takes for so many. The host takes so
long for each that launches, and for each view; the device as long as its products (4 multiplications and additions per
frozen weight and token, forward and backward to the inputs) or its reads of the weights (twice per pass), whichever is
more. A step takes the longer of both. Nothing here was measured on a GPU; what is left out (attention's own work,
adapters, memory for activations, what Python does between operations) is not the same share of all.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.append(str(Path(__file__).parents[1]))

import torch
from crew import SHAPES, Crew, Shape
from jobs import trial_config
from torch.utils._python_dispatch import TorchDispatchMode

from ftsweep.models.lean_norm import LeanNorm, lean_norms

LENGTHS, BATCHES, LANES = (128, 512), (1, 4, 16), (1, 4, 16)
_COUNTED_LENGTH = 32
_TENSORS_OF_A_KERNEL = {1: 110, 2: 64, 3: 48, 4: 36, 5: 30}
"""By how many lists torch's `multi_tensor_apply` goes through; a concatenation takes 128."""


class OneKernel(torch.autograd.Function):
    """Stands for torch's kernel of an RMS norm, which a CPU has not: one operation each way, of no meaning."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.clone()


class Counter(TorchDispatchMode):
    """Counts what launches a kernel, and views; making an empty tensor does neither."""

    launches = views = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function._schema.name
        is_view = function.is_view or name == "aten::_unsafe_view"
        self.views += is_view
        self.launches += 0 if is_view or "empty" in name else _kernels(name, args)
        return function(*args, **(kwargs or {}))


def _kernels(name: str, args: Sequence[Any]) -> int:
    """That CUDA takes: one, or of lists of small tensors as many as their addresses fit into."""
    lists = [each for each in args if isinstance(each, list | tuple) and each and torch.is_tensor(each[0])]
    if not lists:
        return 1
    depth = len(lists) + (name.startswith("aten::_foreach") and not name.endswith("_"))
    most = 128 if name == "aten::cat" else _TENSORS_OF_A_KERNEL[min(depth, 5)]
    return math.ceil(len(lists[0]) / most)


@dataclass(frozen=True)
class Device:
    launch_seconds: float
    view_seconds: float
    flops: float
    bytes_per_second: float

    def seconds(self, shape: Shape, counted: Counter, tokens: int, num_passes: int) -> float:
        """Of a step: `tokens` in all, weights in bfloat16, which every pass reads."""
        host = counted.launches * self.launch_seconds + counted.views * self.view_seconds
        products = 4 * shape.num_weights * tokens / self.flops
        reads = 2 * 2 * shape.num_weights * num_passes / self.bytes_per_second
        return max(host, products, reads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--launch-us", type=float, default=6.0, help="of the host, for an operation and its gradient")
    parser.add_argument("--view-us", type=float, default=1.0)
    parser.add_argument("--tflops", type=float, default=400.0, help="that products reach, bfloat16")
    parser.add_argument("--gb-per-s", type=float, default=3000.0, help="that reads reach")
    options = parser.parse_args()
    device = Device(1e-6 * options.launch_us, 1e-6 * options.view_us, 1e12 * options.tflops, 1e9 * options.gb_per_s)
    torch.set_num_threads(1)
    print(f"Estimated, not measured: `python benchmarks/gpu/estimate.py {' '.join(sys.argv[1:])}`.\n")
    print("| model | operations of a step, PEFT | ftsweep | " + " | ".join(f"{n} lanes" for n in LANES[1:]) + " |")
    print("|---" * (3 + len(LANES[1:])) + "|")
    counts = {}
    for shape in SHAPES:
        counts[shape.name] = counted = _counts(shape)
        cells = " | ".join(str(each.launches) for each in (counted["peft"], *(counted[n] for n in LANES)))
        print(f"| {shape.name} | {cells} |", flush=True)
    print("\nTrials per second over those of PEFT's step:\n")
    print("| model | length | batch | ftsweep alone | " + " | ".join(f"{n} lanes" for n in LANES[1:]) + " |")
    print("|---" * (4 + len(LANES[1:])) + "|")
    for line in _rows(device, counts):
        print(line)


def _counts(shape: Shape) -> dict[Any, Counter]:
    """By `peft` and number of lanes."""
    base, settings = shape.thin().model(torch.device("cpu")), trial_config("quickstart", [])["training"]
    base = base.to(torch.bfloat16)
    lean = deepcopy(base)
    lean_norms(lean)
    found: dict[Any, Counter] = {}
    for key in ("peft", *LANES):
        size, own = (1, base) if key == "peft" else (key, lean)
        of_size = {"size": size, "batch": 1, "length": _COUNTED_LENGTH}
        crew = Crew(own, settings, **of_size, autocast=torch.bfloat16, is_lean=key != "peft")
        for group in (group for stepper in crew.steppers for group in stepper.optimizer.param_groups):
            group["fused"] = True  # as on a GPU, where all weights take few launches
        with patch.object(LeanNorm, "forward", lambda _norm, x: OneKernel.apply(x)):
            found[key] = _counted(crew.alone if size == 1 else crew.shared)
    return found


def _counted(step: Callable[[], None]) -> Counter:
    step()
    with Counter() as counter:
        step()
    return counter


def _rows(device: Device, counts: dict[str, dict[Any, Counter]]) -> Iterator[str]:
    for shape in SHAPES:
        for length in LENGTHS:
            for batch in BATCHES:
                counted, tokens = counts[shape.name], batch * length
                theirs = device.seconds(shape, counted["peft"], tokens, 1)
                gains = [lanes * theirs / device.seconds(shape, counted[lanes], lanes * tokens, 1) for lanes in LANES]
                yield f"| {shape.name} | {length} | {batch} | {' | '.join(f'{gain:.1f}' for gain in gains)} |"


if __name__ == "__main__":
    main()
