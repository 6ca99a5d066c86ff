"""A model's body compiled by torch for its training passes: fewer calls and kernels, after a start that takes long.

Measurements are not compiled: they would be a second program, and are few in a run so long that compiling pays. Neither
is the head: each task reads its tokens in a way of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch._dynamo import config as settings
from torch._dynamo.callback import callback_handler
from torch._dynamo.exc import TorchDynamoException
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch.fx.experimental import _config as symbols
from torch.utils._triton import has_triton

from ftsweep.errors import ConfigError
from ftsweep.models.inner import transformers_model
from ftsweep.tasks.read_rows import IS_COMPILED

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BACKEND = "inductor"
_MOST_PROGRAMS = 64
"""Of one function; what is above it torch would run uncompiled, without a word."""


class CompiledPasses:
    """Makes blocks in which the passes of a model's body are compiled ones.

    A process compiles a body for every shape of adapter and kind of input, not for every length and number of rows, and
    its trials share the programs.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._compiled: Callable[..., Any] | None = None
        _clock.wind()

    @property
    def seconds(self) -> float:
        """What compiling has taken so far, in this process."""
        return _clock.seconds

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Around a forward pass and its backward pass.

        Raises:
            ConfigError: torch cannot compile this model.
        """
        body: Any = transformers_model(self._model).base_model
        if self._compiled is None:
            self._compiled = torch.compile(body.forward, backend=BACKEND, dynamic=True)
        own: dict[str, Any] = body.__dict__
        own["forward"], own[IS_COMPILED] = self._compiled, True
        try:
            yield
        except TorchDynamoException as error:
            raise ConfigError(
                f"torch cannot compile {type(body).__name__}: {_first_paragraph(error)}",
                where="training.compile",
                remedy="Set it to false.",
            ) from error
        finally:
            del own["forward"], own[IS_COMPILED]


def check_compiler(device: torch.device) -> None:
    """Raise ConfigError where this machine lacks what torch compiles with."""
    lacks = None
    if device.type == "cpu":
        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            lacks = "a C++ compiler, and neither $CXX nor g++ is one"
    elif not has_triton():
        lacks = f"Triton, which is not installed or cannot serve {device.type}"
    if lacks:
        raise ConfigError(
            f"compiling for this machine takes {lacks}",
            where="training.compile",
            remedy="Install it (Debian: apt install g++; pip install triton), or set the key to false.",
        )


@dataclass
class _Clock:
    """Of what torch compiles in this process: the callbacks of its compiler."""

    seconds: float = 0.0
    num_programs: int = 0
    _started: float = 0.0

    def start(self, _given: object) -> None:
        self._started = time.monotonic()

    def end(self, _given: object) -> None:
        self.seconds += time.monotonic() - self._started
        self.num_programs += 1

    def wind(self) -> None:
        """Have it run, and throw the programs away where there are so many that no more would be made."""
        if self.num_programs > _MOST_PROGRAMS // 2:
            torch.compiler.reset()  # which forgets the callbacks too
            self.num_programs = 0
        if self.start not in callback_handler.start_callbacks:
            callback_handler.register_start_callback(self.start)
            callback_handler.register_end_callback(self.end)


def _first_paragraph(error: BaseException) -> str:
    """Of what torch says; then it names switches of its own."""
    return " ".join(str(error).strip().partition("\n\n")[0].split()) or type(error).__name__


_clock = _Clock()
settings.recompile_limit = _MOST_PROGRAMS
symbols.use_duck_shape = False  # a batch with as many rows as tokens is no kind of its own
