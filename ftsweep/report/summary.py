"""What a page says beside its figures and tables: verdict, key numbers, facts. Pure functions of the study."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.analysis.conclusion import said_in_full
from ftsweep.domain.spelling import number, plural
from ftsweep.domain.verdict import counts_of
from ftsweep.report.data_facts import DataFacts
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.scores import tested
from ftsweep.report.tables.trials import OUTCOME_ORDER
from ftsweep.report.wording import seconds


@dataclass(frozen=True)
class Tile:
    """One key number: what it is, the number, and what to hold it against."""

    label: str
    value: str
    note: str = ""
    is_main: bool = False


def verdict(study: StudyOverview) -> str:
    """The study's own sentence; while there is none, what is known so far."""
    if study.conclusion.sentence:
        return study.conclusion.sentence
    ended = sum(trial.has_ended for trial in study.trials)
    planned = f" of {study.state.num_planned}" if study.state.num_planned else ""
    best = study.best
    if not study.trials:
        return "No trial has started yet."
    if best is None or best.value is None:
        return f"{ended}{planned} trials have ended, and none of them is complete with a value."
    what = "Chosen" if study.is_final else f"{ended}{planned} trials have ended. Best so far"
    return f"{what}: trial {best.number}, {study.objective.key} {number(best.value)} at rung {best.best_rung}."


def conclusion(study: StudyOverview) -> tuple[str, ...]:
    """What the study came to, beside its own sentence; nothing while it goes on."""
    if not study.conclusion.sentence:
        return ()
    said = said_in_full(study.conclusion, study.state.trials, study.objective)
    return tuple(text for text in said if text != study.conclusion.sentence)


def contents(
    study: StudyOverview, tables: Mapping[str, Any], sections: Sequence[Mapping[str, Any]], *, has_answers: bool
) -> list[tuple[str, str]]:
    """The page's sections in their order: anchor and title."""
    found = {
        "winner": winner_title(study) if study.best or tables["evidence"] else "",
        "approaches": "Approaches" if tables["approaches"] else "",
        "classes": "Classes on test" if tables["classes"] else "",
        "forgotten": "Forgetting" if study.conclusion.forgetting else "",
        "answers": "Answers" if has_answers else "",
        **{section["name"]: section["title"] for section in sections},
        "fit": "Fit" if counts_of(study.state.verdicts) or study.verdicts else "",
        "trials": "Trials",
        "flagged": "Flagged rows" if tables["flagged"] else "",
        "data": "Data" if study.data else "",
        "config": "Configuration",
    }
    return [(anchor, title) for anchor, title in found.items() if title]


def winner_title(study: StudyOverview) -> str:
    """The heading over the best trial beside the default setting and the untouched base."""
    if study.best is None:
        return "No winner" if study.is_final else "No best trial yet"
    return "The winner" if study.is_final else "Best so far"


def tiles(study: StudyOverview) -> list[Tile]:
    """The numbers that a reader looks for first: test, validation, default setting, untouched base."""
    best, default, key = study.best, study.default, study.objective.key
    found = []
    is_default = best is not None and best is default and not (study.model and study.model.seed)
    test = tested(study, best)
    test_key = f"test/{study.objective.metric}"
    if test is not None and test_key in test.values:
        value = study.model.value if study.model else best.value if best else None
        optimism = "" if value is None else f"validation {number(value)}"
        corrected = study.model.corrected if study.model is not None else None
        if corrected is not None and number(corrected) != number(value):
            optimism += f", {number(corrected)} without the luck of the choice"
        found.append(Tile(f"{test_key} · winner", number(test.values[test_key]), optimism, is_main=True))
    if best is not None and best.value is not None:
        label = ("winner" if study.is_final else "best so far") + (", the default setting" if is_default else "")
        of = f" of {study.state.num_rungs}" if study.state.num_rungs else ""
        value, rung, seed = best.value, best.best_rung, ""
        if study.model is not None:
            value, rung = study.model.value, study.model.rung
            seed = f", fresh seed {study.model.seed}" if study.model.seed else ""
        found.append(Tile(f"{key} · {label}", number(value), f"trial {best.number}{seed}, rung {rung}{of}", not found))
    if (setting := study.conclusion.setting) is not None and setting.chosen.mean is not None:
        count = plural(len(setting.chosen.seeds), "fresh seed")
        found.append(Tile(f"{key} · setting", number(setting.chosen.mean), f"trial {setting.number}, mean of {count}"))
    if default is not None and default.value is not None and not is_default:
        found.append(Tile(f"{key} · default setting", number(default.value), _against_default(study, default.value)))
    base = study.baseline_value(best.branch if best else next((trial.branch for trial in study.trials), ""))
    if base is not None:
        found.append(Tile(f"{key} · untouched base", number(base), _against(study, base)))
    return found


def _against_default(study: StudyOverview, value: float) -> str:
    """The same of the default setting in the search: a lead that chance makes as well is not told as one."""
    if study.best is study.default:
        return "the winner's setting with the search's own seed"
    lead = study.model.over_default if study.model is not None else None
    said = _against(study, value)
    return f"{said}, which chance makes as well" if lead is not None and not lead.is_sure else said


def _against(study: StudyOverview, value: float) -> str:
    """How much better the best trial is than `value`."""
    best = study.best
    if best is None or best.value is None:
        return ""
    own = study.model.value if study.model else best.value
    own_name = "winner" if study.is_final else "best so far"
    gain = value - own if study.objective.direction == "minimize" else own - value
    if gain == 0 or math.isnan(gain):
        return f"the {own_name} is equal"
    share = f" ({abs(gain / value):.0%})" if value else ""
    return f"the {own_name} is {number(abs(gain), digits=3)}{share} {'better' if gain > 0 else 'worse'}"


def outcome_counts(study: StudyOverview) -> list[tuple[str, int]]:
    counts = Counter(trial.kind for trial in study.trials)
    return [(kind, counts[kind]) for kind in OUTCOME_ORDER if counts[kind]]


def facts(study: StudyOverview) -> list[tuple[str, str]]:
    """What was tuned and what it cost, as label and words."""
    found = list(study.settings.summary.items())
    if study.state.num_rungs:
        found.append(("rungs", str(study.state.num_rungs)))
    total = sum(trial.train_seconds for trial in study.trials)
    found.append(("training time of all trials", seconds(total)))
    if (setting := study.conclusion.setting) is not None and setting.share:
        runs = f"{plural(setting.num_runs, 'run')}, {seconds(setting.train_seconds)}"
        what = f"{runs}, {setting.share:.0%} of the search's training"
        found.append(("fresh seeds", f"{what}; ended because {setting.ended}"))
    if study.database is not None:
        found.append(("database", str(study.database)))
    if study.result.registered:
        found.append(("registered as", study.result.registered))
    return found


def data_line(data: DataFacts) -> str:
    """The data's size and identity in one line."""
    parts = [f"{split}: {plural(count, 'row')}" for split, count in data.num_rows.items()]
    return " · ".join(parts + ([f"fingerprint {data.fingerprint[:16]}"] if data.fingerprint else []))
