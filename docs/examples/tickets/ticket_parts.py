"""A data source, a strategy and a pruner for tickets.yaml. Torch is imported in methods: the control process, which
never imports it, builds these classes too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ftsweep.data.base import DataSource, Row
from ftsweep.errors import ConfigError, DataError
from ftsweep.search.curves import Curves
from ftsweep.search.pruners import Pruner
from ftsweep.strategies.base import Strategy, end_checkpointing, fresh_modules, redraw_fresh_modules

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head

LINE = re.compile(r"\[(?P<label>\w+)\] (?P<text>.+)")


class Tickets(DataSource):
    """Lines of the form `[label] text`. ftsweep makes validation and test from them."""

    validation_fraction = 0.2
    test_fraction = 0.2

    def __init__(self, *, file: str) -> None:
        self.path = Path(__file__).parent / file

    def fingerprint(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def load(self, columns: Iterable[str]) -> dict[str, list[Row]]:
        wanted = set(columns)
        rows = []
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
            place = f"{self.path.name}:{number}"
            found = LINE.fullmatch(line)
            if found is None:
                raise DataError("this line is not `[label] text`", where=place, remedy="Mend it.")
            rows.append(Row({key: value for key, value in found.groupdict().items() if key in wanted}, place))
        return {"train": rows}


class Norms(Strategy):
    """Trains the normalisation weights and a new head; writes them as safetensors."""

    changes_base: ClassVar[bool] = True  # so the base's own weights are put back after each trial

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        redraw_fresh_modules(base, head)
        fresh = tuple(fresh_modules(base, head))
        base.requires_grad_(False)
        for name, parameter in base.named_parameters():
            parameter.requires_grad_("norm" in name.lower() or name.startswith(fresh))
        return base

    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        end_checkpointing(model)
        return model.requires_grad_(False)

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: weight.detach().cpu() for name, weight in _trained(model).items()}
        save_file(weights, folder / "norms.safetensors")

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        import torch
        from safetensors.torch import load_file

        weights = load_file(folder / "norms.safetensors")
        with torch.no_grad():
            for name, parameter in _trained(model).items():
                parameter.copy_(weights[name])


class BehindBest(Pruner):
    """Stops a trial whose best value so far is `distance` worse than the best peer's, from half of the run on."""

    def __init__(self, *, distance: float = 0.5) -> None:
        if distance <= 0:
            raise ConfigError(f"{distance} is no distance", where="pruner.distance", remedy="Give a number above 0.")
        self.distance = distance

    def _reason(self, curves: Curves, number: int, rung: int) -> str | None:
        own = curves.score(number, rung)
        if own is None or rung < curves.num_rungs / 2 or not curves.num_peers(number, rung):
            return None
        best = curves.peer_percentile(number, rung, 0)  # scores: lower is better, whatever the direction
        if own - best <= self.distance:
            return None
        return f"{curves.value_text(own)} at rung {rung} is over {self.distance:g} behind {curves.value_text(best)}."


def _trained(model: PreTrainedModel) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
