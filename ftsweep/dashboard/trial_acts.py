"""What may be asked about a trial from its page, and where else it can be found."""

from __future__ import annotations

from typing import Any

from dash import ALL, dcc, html

from ftsweep.domain.commands import spelled
from ftsweep.recording.trial_link import trial_link
from ftsweep.report.overview import StudyOverview
from ftsweep.report.repeat import repeat_command
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.store.folders import StudyFolder

COPY: dict[str, Any] = {"type": "copy", "index": ALL}
"""The inputs of a changed copy, in the order of the store `copied`."""


def trial_acts(study: StudyOverview, trial: TrialSummary, *, may_act: bool) -> html.Div:
    """Buttons, and the trial's setting as a form to change a copy of."""
    values = [[study.param_path(name), spelled(value)] for name, value in study.params_of(trial).items()]
    fields = [
        html.Label([f"{path} ", _field(index, text, may_act=may_act)]) for index, (path, text) in enumerate(values)
    ]
    buttons = (("Stop this trial", "stop-trial"), ("Pin: never prune it", "pin-trial"), ("Unpin", "unpin-trial"))
    return html.Div(
        [
            html.Div(
                [
                    *(html.Button(words, id=name, disabled=not may_act) for words, name in buttons),
                    html.Span("" if may_act else "Read-only: open the printed link to act.", className="reading"),
                    html.Span("", id="act-answer", role="status"),
                ],
                className="toolbar",
            ),
            html.H2("Try a changed copy"),
            dcc.Store(id="copied", data=values),
            html.Div([*fields, html.Button("Enqueue", id="enqueue", disabled=not may_act)], className="copy"),
        ]
    )


def _field(index: int, text: str, *, may_act: bool) -> dcc.Input:
    """As wide as its text, within reason."""
    width = {"width": f"{min(60, max(9, len(text) + 4))}ch"}
    return dcc.Input(id={"type": "copy", "index": index}, value=text, disabled=not may_act, style=width)


def elsewhere(study: StudyOverview, trial: TrialSummary, folder: StudyFolder) -> list[Any]:
    """The trial's run in MLflow, the command that runs its setting again, its folder."""
    parts: list[Any] = []
    if (link := trial_link(folder, trial.number)) is not None:
        served = f" (while it is served: {link.command})" if link.command else ""
        parts.append(
            html.P([html.A("Its run in MLflow", href=link.address, target="_blank", rel="noreferrer"), served])
        )
    again = repeat_command(study, trial)
    parts.append(html.P(["Run this setting again, as a study of its own: ", html.Code(again)]))
    return [*parts, html.P(["Folder: ", html.Code(str(folder.trial(trial.number).path))])]
