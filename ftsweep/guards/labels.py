"""Labels that look wrong, and labels that stand in the input: what a cheap model and a plain search say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from ftsweep.domain.finding import Severity
from ftsweep.errors import ConfigError
from ftsweep.guards.base import NUM_EXAMPLES, DataGuard, Mode, Sighting, of_rows, percent, places
from ftsweep.guards.label_model import (
    MIN_AGREEMENT,
    agreement,
    answers,
    fold_probabilities,
    is_floor,
    surest_rows,
)

if TYPE_CHECKING:
    import numpy as np

    from ftsweep.data.inspection import DataView

MIN_ROWS = 400
"""With fewer the surest rows are too few to say a rate of."""

_CHARACTERS = 2_000  # of a text: what it is about shows at its beginning
_MIN_CLASS_ROWS = 10

MIN_ANSWER_WORDS = 3
"""A shorter answer stands in a prompt for good reasons: a choice among several, a name to extract."""

LIFT = 3.0
"""So many times more often than the other labels must a row's own label stand in its input to count as given away."""

_MAX_CLASSES = 50


class LabelErrors(DataGuard):
    """Labels of train that a model of the other rows contradicts where it is surest.

    Confident learning (Northcutt et al. 2021) with the confident rows chosen by rank: k-fold probabilities of logistic
    regression over TF-IDF words; of the rows where it is surest, for each label that it says, the share with another
    label. That share is a rate of wrong labels where it is a floor (`is_floor`): it stays as one looks at ever surer
    rows. Where it falls, or the model agrees with labels hardly more than by chance, the task is hard for words or the
    labels are wrong: the check says that it cannot tell. Measured with planted flips and with hard tasks in
    benchmarks/guards; why not a model's own features: docs/data-gate.md. Held-out rows that contradict the model are
    noted, and their scores told apart.

    Args:
        mode: refuse, allow or off.
        warn_above: estimated share of train's labels.
        refuse_above: the same; null never refuses.
        surest: share of the rows that are looked at, by the model's confidence in each label.
        max_rows: of more rows so many are drawn.
    """

    def __init__(
        self,
        *,
        mode: Mode = "refuse",
        warn_above: float | None = 0.03,
        refuse_above: float | None = None,
        surest: float = 0.15,
        max_rows: Annotated[int, Ge(MIN_ROWS)] = 20_000,
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)
        if not 0 < surest <= 0.5:
            raise ConfigError(f"{surest!r} is not possible", where="surest", remedy="Use more than 0, up to 0.5.")
        self.surest = surest
        self.max_rows = max_rows

    def look(self, data: DataView) -> Iterator[Sighting]:
        if not data.has_classes:
            return
        rows, labels = self._rows(data)
        if len(rows) < MIN_ROWS or len(set(labels)) < 2:
            return
        texts = _texts(data, "train", rows)
        if not any(texts):
            return
        classes, probabilities = fold_probabilities(texts, labels, data.seed)
        likeliest, confidence = classes[probabilities.argmax(axis=1)], probabilities.max(axis=1)
        sure = surest_rows(likeliest, confidence, self.surest)
        knows = agreement(likeliest[sure], labels[sure]) >= MIN_AGREEMENT
        if knows:
            yield from self._held_out(data, texts, labels)
        wrong = sure[likeliest[sure] != labels[sure]]
        if not len(wrong):
            return
        train = data.rows["train"]
        shown = [(train[rows[row]].place, str(labels[row]), str(likeliest[row])) for row in wrong[:NUM_EXAMPLES]]
        examples = tuple(f"{place} ({label!r}, likely {likely!r})" for place, label, likely in shown)
        counted = f"of {len(sure)} rows where a text model is surest, {len(wrong)} have another label"
        if not is_floor(likeliest, labels, confidence, self.surest):
            yield _undecided(counted, len(wrong), examples if knows else ())
            return
        yield Sighting(
            what=f"about {percent(len(wrong) / len(sure))} of train's labels look wrong: {counted}",
            count=len(wrong),
            num_rows=len(sure),
            examples=examples,
            remedy="Look at these rows, and mend or remove them in the source",
        )

    def _held_out(self, data: DataView, texts: list[str], labels: np.ndarray) -> Iterator[Sighting]:
        """Held-out rows that a model of train contradicts where it is surest: few, so a note without a rate."""
        import numpy as np

        for split in data.held_out:
            own = np.array(data.labels(split))
            likeliest, confidence = answers(texts, labels, _texts(data, split, range(len(own))), data.seed)
            sure = surest_rows(likeliest, confidence, self.surest)
            wrong = np.sort(sure[likeliest[sure] != own[sure]])
            if len(wrong):
                shown = [(data.rows[split][row].place, own[row], likeliest[row]) for row in wrong[:NUM_EXAMPLES]]
                yield Sighting(
                    what=f"of {len(sure)} rows of {split} where a text model is surest, {len(wrong)} have "
                    "another label",
                    count=len(wrong),
                    num_rows=len(sure),
                    examples=tuple(
                        f"{place} ({str(label)!r}, likely {str(likely)!r})" for place, label, likely in shown
                    ),
                    remedy="Look at these rows: the result tells the scores without them",
                    severity=Severity.NOTE,
                    flagged={split: wrong.tolist()},
                )

    def _rows(self, data: DataView) -> tuple[np.ndarray, np.ndarray]:
        """Rows of train with a class that every fold can have, and their labels; a draw of many."""
        import numpy as np

        labels = np.array(data.labels("train"))
        counts = Counter(labels.tolist())
        rows = np.flatnonzero([counts[label] >= _MIN_CLASS_ROWS for label in labels.tolist()])
        if len(rows) > self.max_rows:
            rows = np.sort(np.random.default_rng(data.seed).choice(rows, self.max_rows, replace=False))
        return rows, labels[rows]


class TargetInInput(DataGuard):
    """Rows whose input holds its own answer: an answer's text in the prompt, or a label's name in the text.

    A label's name counts where a row's own label stands in it several times more often than the other labels do.

    Args:
        mode: refuse, allow or off.
        warn_above: share of a split's rows.
        refuse_above: the same; null never refuses.
    """

    def __init__(
        self, *, mode: Mode = "refuse", warn_above: float | None = 0.01, refuse_above: float | None = None
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above, refuse_above=refuse_above)

    def look(self, data: DataView) -> Iterator[Sighting]:
        for split, rows in data.rows.items():
            inputs = [f" {data.texts.forms[number] or ''} " for number in data.ids[split]]
            targets = [data.texts.target_forms[number] for number in data.ids[split]]
            if data.texts.has_text_targets:
                found = [
                    row for row, target in enumerate(targets) if _is_answer(target) and f" {target} " in inputs[row]
                ]
            elif data.has_classes:
                found = _own_labels(inputs, targets)
            else:
                return
            if found:
                yield Sighting(
                    what=f"{of_rows(len(found), len(rows), split)} hold their own answer in the input",
                    count=len(found),
                    num_rows=len(rows),
                    examples=places(rows, found),
                    flagged={} if split == "train" else {split: found},
                    remedy=_ANSWER_REMEDY if data.texts.has_text_targets else _LABEL_REMEDY,
                )


_ANSWER_REMEDY = "A model learns to copy it, and cannot where it is asked in earnest: mask it in the source"
_LABEL_REMEDY = (
    "Where it was written with the label, a model learns to copy it and cannot later: mask it in the source. Where "
    "people say it of themselves, as they will later, it may stay"
)


def _undecided(counted: str, num_wrong: int, examples: tuple[str, ...]) -> Sighting:
    """Rows that contradict a model which may be the one that is wrong: a note without a rate."""
    return Sighting(
        what=f"{counted}; whether those labels are wrong or words do not tell them, the check cannot tell",
        count=num_wrong,
        num_rows=0,  # no rate
        examples=examples,
        remedy="Look at some of these rows" if examples else "",
        severity=Severity.NOTE,
    )


def _texts(data: DataView, split: str, rows: Iterable[int]) -> list[str]:
    """The beginnings of the normalised inputs of these rows."""
    ids = data.ids[split]
    return [(data.texts.forms[ids[row]] or "")[:_CHARACTERS] for row in rows]


def _is_answer(form: str) -> bool:
    return form.count(" ") >= MIN_ANSWER_WORDS - 1


def _own_labels(inputs: list[str], targets: list[str]) -> list[int]:
    """Rows that name their label, if that is no chance: other labels stand in inputs too."""
    names = [label for label, _ in Counter(targets).most_common(_MAX_CLASSES) if label]
    if len(names) < 2:
        return []
    holds = {label: [f" {label} " in text for text in inputs] for label in names}
    own = [row for row, target in enumerate(targets) if target in holds and holds[target][row]]
    num_others = sum(sum(held) for held in holds.values()) - len(own)
    return own if len(own) > LIFT * num_others / (len(names) - 1) else []
