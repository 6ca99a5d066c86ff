"""A data source, a task, a strategy, a sampler, a pruner, an executor, a guard and a figure for tickets.yaml. Torch is
imported in methods: the control process, which never imports it, builds these classes too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psutil

from ftsweep.data import DataSource, Row
from ftsweep.domain.decision import GO_ON, Decision, Prune
from ftsweep.domain.messages import Message
from ftsweep.domain.metric import Metric, Metrics
from ftsweep.errors import ConfigError, DataError
from ftsweep.executors.local import Local
from ftsweep.guards import DataGuard, Mode, Sighting
from ftsweep.guards.base import of_rows, places
from ftsweep.report import Figure, StudyOverview
from ftsweep.report.figures import theme
from ftsweep.search.pruners import Curves, Pruner
from ftsweep.search.samplers import Ask, Sampler
from ftsweep.strategies import Strategy
from ftsweep.strategies.base import end_checkpointing, fresh_modules, redraw_fresh_modules
from ftsweep.tasks import Classification, Tally
from ftsweep.tasks.base import IGNORED
from ftsweep.tasks.scores.class_scores import ClassTally

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import torch
    from optuna.samplers import BaseSampler
    from transformers import PreTrainedModel

    from ftsweep.data.inspection import DataView
    from ftsweep.models.base import Head

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
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


class Routing(Classification):
    """Which desk a ticket goes to, where mistakes are not alike: a ticket of a label at the wrong desk costs `costs`.

    Trained as any classification; answered with the label of least expected cost, and scored by the mean `cost`.
    """

    metrics: ClassVar[Metrics] = {"cost": Metric("minimize", low=0, is_readable=True), **Classification.metrics}
    loss_settings = frozenset({"costs"})  # rows are encoded alike, whatever mistakes cost

    def __init__(self, *, costs: dict[str, float] | None = None, max_length: int = 128) -> None:
        super().__init__(max_length=max_length)
        self.costs = costs or {}
        if any(cost <= 0 for cost in self.costs.values()):
            raise ConfigError("a mistake must cost something", where="task.costs", remedy="Give numbers above 0.")

    def tally(self, schema: Mapping[str, Any]) -> Tally:
        return CostTally(schema["labels"], self._costs(schema))

    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[Any]]) -> dict[str, float] | None:
        rows = [label for (label,) in labels]
        scores = super().prior_scores(schema, [[label] for label in rows])
        if scores is None or not rows:
            return None
        costs = self._costs(schema)
        risks = [count * cost for count, cost in zip(schema["counts"], costs, strict=True)]
        answer = risks.index(max(risks))
        return {**scores, "cost": sum(costs[label] for label in rows if label != answer) / len(rows)}

    def answers(self, logits: torch.Tensor, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        costs = dict(zip(schema["labels"], self._costs(schema), strict=True))
        found = super().answers(logits, schema)
        for answer in found:
            scores = answer["scores"]
            answer["label"] = max(scores, key=lambda label: scores[label] * costs[label])
            answer["probability"] = scores[answer["label"]]
        return found

    def _costs(self, schema: Mapping[str, Any]) -> list[float]:
        return [self.costs.get(label, 1.0) for label in schema["labels"]]


class CostTally(ClassTally):
    """Sums on the device, and waits for it in `values` only."""

    def __init__(self, labels: Sequence[str], costs: Sequence[float]) -> None:
        super().__init__(labels)
        self._costs = costs
        self._sums: torch.Tensor | None = None  # what mistakes cost, and the number of rows

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        import torch

        super().add(losses, outputs, batch)
        labels, costs = batch["labels"], torch.tensor(self._costs, device=outputs.device)
        counts = labels != IGNORED
        is_wrong = (outputs.detach().softmax(dim=-1) * costs).argmax(dim=-1) != labels
        paid = costs[labels.clamp(min=0)] * (is_wrong & counts)
        sums = torch.stack([paid.sum(), counts.sum()]).double()
        self._sums = sums if self._sums is None else self._sums + sums

    def values(self) -> dict[str, float]:
        paid, num_rows = (float("nan"), 1.0) if self._sums is None else self._sums.tolist()
        return {**super().values(), "cost": paid / num_rows if num_rows else float("nan")}


class Norms(Strategy):
    """Trains the normalisation weights and a new head, at a rate that falls and begins again `cycles` times.

    Writes what it trained as safetensors.
    """

    changes_base: ClassVar[bool] = True  # so the base's own weights are put back after each trial
    run: ClassVar[str] = "ticket_runs:Restarts"  # loaded by workers alone: it may import torch at its top

    def __init__(self, *, cycles: int = 2) -> None:
        if cycles < 1:
            raise ConfigError(f"{cycles} is no number of cycles", where="strategy.cycles", remedy="Give 1 or more.")
        self.cycles = cycles

    def decays(self, name: str, weight: torch.nn.Parameter) -> bool:
        return super().decays(name, weight) and "norm" not in name.lower()

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


class Evolution(Sampler):
    """Crosses and mutates the best settings of the generation before (NSGA-II, Deb et al. 2002)."""

    prefers_branches = True

    def __init__(self, *, population: int = 10) -> None:
        if population < 2:
            raise ConfigError(f"{population} cannot be crossed", where="sampler.population", remedy="Give 2 or more.")
        self.population = population

    def make(self, ask: Ask) -> BaseSampler:
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(population_size=self.population, seed=ask.seed)


class BehindBest(Pruner):
    """Stops a trial whose best value so far is `distance` worse than the best peer's, from half of the run on."""

    def __init__(self, *, distance: float = 0.5) -> None:
        if distance <= 0:
            raise ConfigError(f"{distance} is no distance", where="pruner.distance", remedy="Give a number above 0.")
        self.distance = distance

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        own = curves.score(number, rung)
        if own is None or rung < curves.num_rungs / 2 or not curves.num_peers(number, rung):
            return GO_ON
        best = curves.peer_percentile(number, rung, 0)  # scores: lower is better, whatever the direction
        if own - best <= self.distance:
            return GO_ON
        behind = f"is over {self.distance:g} behind {curves.value_text(best)}"
        return Prune(f"{curves.value_text(own)} at rung {rung} {behind}.")


class Courteous(Local):
    """Worker processes on this machine that give way to its other programs: `niceness` 0 to 19, 19 gives way most."""

    def __init__(self, *, niceness: int = 10, workers: int | None = None, threads: int | None = None) -> None:
        super().__init__(workers=workers, threads=threads)
        if not 0 <= niceness <= 19:
            remedy = "Give 0 to 19."
            raise ConfigError(f"{niceness} is no niceness", where="executor.niceness", remedy=remedy)
        self.niceness = niceness

    def poll(self, timeout_seconds: float) -> list[Message]:
        messages = super().poll(timeout_seconds)
        for message in messages:
            if message["type"] == "ready":  # of each new worker, and of each that replaces a lost one
                psutil.Process(message["process"]).nice(self.niceness)
        return messages


def _trained(model: PreTrainedModel) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


class Addresses(DataGuard):
    """Tickets with somebody's e-mail address in them: a model would learn it by heart."""

    can_fix = True

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.0, refuse_above: float | None = 0.05
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        for split, rows in data.rows.items():
            found = [place for place, text in enumerate(data.inputs(split)) if ADDRESS.search(text)]
            if found:
                yield Sighting(
                    what=f"{of_rows(len(found), len(rows), split)} have an e-mail address in them",
                    count=len(found),
                    num_rows=len(rows),
                    examples=places(rows, found),
                    remedy="Mask it in the source, or leave these rows of train out",
                    train_rows=found if split == "train" else (),
                )


class CostAgainstAccuracy(Figure):
    """What a trial's mistakes cost, beside how many there are."""

    TITLE = "Cost against accuracy"
    READING = "A point per trial at its best rung. Low and to the right is best: few mistakes, and cheap ones."

    def info(self, study: StudyOverview) -> list[tuple[int, float, float]]:
        """(trial, accuracy, cost) of every trial that has both."""
        keys = ("validation/accuracy", "validation/cost")
        values = {trial.number: trial.best_values() for trial in study.trials}
        return [(number, *(found[key] for key in keys)) for number, found in values.items() if {*keys} <= {*found}]

    def figure(self, info: list[tuple[int, float, float]]) -> go.Figure:
        import plotly.graph_objects as go

        numbers, accuracies, costs = zip(*info, strict=True) if info else ((), (), ())
        return go.Figure(
            go.Scatter(x=accuracies, y=costs, mode="markers+text", text=numbers, textposition="top center"),
            layout=theme.layout(height=360, xaxis={"title": "accuracy"}, yaxis={"title": "cost"}),
        )
