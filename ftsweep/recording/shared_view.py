"""How MLflow's page of an experiment shows a study: its trials, best first, with what matters of each.

MLflow keeps views that people share as tags of the experiment. That is no documented interface of it: tests open the
page in a browser, and where the tag cannot be set, links ask for the order alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ftsweep.domain.objective import Objective

VIEW = "ftsweep"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
LEARNING_RATE = "learning_rate"
"""A parameter that a run has a second time, by its bare name; the view shows it once."""
_LIMIT = 5000  # characters of an experiment's tag
_TAGS = ("ftsweep.outcome", "verdict", "ftsweep.winner", "branch")


def view_state(objective: Objective, params: Iterable[str], *, has_branches: bool) -> str:
    """The value of `VIEW_TAG`. params: by name, the columns that a study varies."""
    order = f"metrics.`value/{objective.key}`"
    tags = [f"tags.`{name}`" for name in _TAGS if has_branches or name != "branch"]
    columns = [order, *(f"params.`{name}`" for name in params if name != LEARNING_RATE), *tags]
    state = {
        "searchFilter": "tags.`ftsweep.run` LIKE 'trial-%'",
        "orderByKey": order,
        "orderByAsc": objective.direction == "minimize",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "runsExpanded": {},
        "runsHiddenMode": "FIRST_10_RUNS",
    }
    text = json.dumps(state)
    while len(text) > _LIMIT and columns:  # a space of very many parameters: the first ones stand
        columns.pop(-1 - len(tags))
        text = json.dumps(state)
    return text
