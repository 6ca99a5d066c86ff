"""What people who look a study or its model up have to know, as Markdown. Pure functions of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftsweep.analysis.advice import shown_metric
from ftsweep.analysis.answers import model_words
from ftsweep.analysis.conclusion import next_command, said_in_full
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import BASELINE, StudyResult
from ftsweep.domain.spelling import number, param
from ftsweep.domain.trial import TrialRecord
from ftsweep.domain.verdict import Verdict

_MAX_FINDINGS = 5
_NAMING = ("name", "path", "study", "train")


def study_description(
    result: StudyResult, records: Sequence[TrialRecord], objective: Objective, *, study: str, store: Path | str
) -> str:
    """What the study came to, in the words of every screen, and the command to go on with."""
    said = [escaped(text) for text in said_in_full(result, records, objective)]
    return "\n\n".join([*said, f"```sh\n{next_command(result, records, objective, study, store)}\n```"])


def trial_description(record: TrialRecord, verdicts: Sequence[Verdict]) -> str:
    """How a trial ended and how well it fits."""
    outcome = record.outcome
    ending = "" if outcome is None else f"**{outcome.kind}**: {escaped(outcome.reason.rstrip('.'))}."
    return "\n\n".join(filter(None, [ending, *(f"Fit: {escaped(verdict.text)}" for verdict in verdicts)]))


def model_card(
    result: StudyResult,
    objective: Objective,
    *,
    study: str,
    branch: str,
    config: Mapping[str, Any],
    params: Mapping[str, Any],
    loading: str,
) -> str:
    """Base, data, setting, scores and limits of the chosen model; then `loading`, Markdown that says how it is used.

    branch: that of the model's trial; config: its nodes, by name; params: its setting.
    """
    assert result.model is not None
    facts = result.data.get(branch or "main", {})
    rows = ", ".join(f"{split} {count:,}" for split, count in (facts.get("num_rows") or {}).items())
    parts = [
        f"# {escaped(study)}: the model of {model_words(result.model.number, result.model.seed)}",
        escaped(result.sentence),
        "## What it is",
        text_table(
            ("", ""),
            [
                ("base", _component(config.get("model"))),
                ("fine-tuned by", _component(config.get("strategy"))),
                ("task", _component(config.get("task"))),
                ("data", _component(config.get("data"))),
                ("rows", rows),
                ("data fingerprint", str(facts.get("fingerprint", ""))),
            ],
        ),
        "## Setting",
        text_table(("parameter", "value"), [(name, _spelled(value)) for name, value in params.items()])
        or "The study varied nothing here: it is the configuration's own setting, which its `sweep.yaml` has.",
        "## Scores",
        _scores(result, objective),
        "## Limits",
        "\n".join(f"- {escaped(text)}" for text in _limits(result, facts, objective)),
        loading,
    ]
    return "\n\n".join(filter(None, parts))


def loading_from_mlflow(study: str) -> str:
    """How the registered model is loaded."""
    code = f'import mlflow\n\nmodel = mlflow.pyfunc.load_model("models:/{study}@champion")'
    return f"## How to load it\n\n```python\n{code}\n```"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{character}" if character in "\\`*_[]<>#|" else character for character in text)


def _scores(result: StudyResult, objective: Objective) -> str:
    """Every metric on the rows that chose the model and on test, the one that people are told first."""
    model, test = result.model, result.model_test
    assert model is not None
    prefix = "validation/"
    chosen_by = {key.removeprefix(prefix): value for key, value in model.values.items() if key.startswith(prefix)}
    chosen_by.setdefault(objective.metric, model.value)
    shown = shown_metric(test or chosen_by, objective)
    base, intervals = result.test.get(BASELINE, {}), result.intervals.get(model.name, {})
    rows = []
    for name in sorted({*chosen_by, *test}, key=lambda name: (name != shown, name)):
        sure = f"{number(intervals[name].low)} to {number(intervals[name].high)}" if name in intervals else ""
        values = (number(scores[name]) if name in scores else "" for scores in (chosen_by, test, base))
        validated, tested, untouched = values
        rows.append((name, validated, tested, sure, untouched))
    return text_table(("metric", "validation", "test", "95 % interval on test", "untouched base on test"), rows)


def _limits(result: StudyResult, facts: Mapping[str, Any], objective: Objective) -> list[str]:
    said = [
        "It was measured on rows like those it was trained on; of other texts, languages and labels nothing is known.",
        f"{objective.key} chose it, so that this value is too good; the scores on test are not.",
    ]
    if result.test_looks > 1:
        said[1] = (
            f"Models of the study were measured on test {result.test_looks} times, so that scores may be too good."
        )
    found = [each for each in facts.get("findings") or () if each.get("severity") != "note"]
    said += [f"Data: {each['check']}: {each['message']}." for each in found[:_MAX_FINDINGS]]
    if result.forgetting is not None:
        said += list(result.forgetting.sentences)
    return said


def _component(node: Any) -> str:
    """A component in a few words: its class, and the name or file that it was given, without the folders it lies in."""
    found = node if isinstance(node, Mapping) else {}
    kind = str(found.get("_target_") or "").rpartition(".")[2]
    which = next((_named(found[key]) for key in _NAMING if found.get(key)), "")
    at = f"at {found['revision']}" if found.get("revision") else ""
    return " ".join(part for part in (kind, which, at) if part)


def _named(given: Any) -> str:
    """A name, or the files' own names: a card is read elsewhere, where the folders of this machine say nothing."""
    names = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return ", ".join(Path(str(name)).name if Path(str(name)).is_absolute() else str(name) for name in names)


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown, without the rows that say nothing; "" where none is left."""
    told = [row for row in rows if any(row[1:])]
    lines = [heads, ["---"] * len(heads), *([escaped(cell) for cell in row] for row in told)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if told else ""


def _spelled(value: Any) -> str:
    return param(value, digits=6)
