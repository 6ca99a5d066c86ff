"""Curves of real fine-tunes out of a finished study: record_minilm.py STUDY_FOLDER; writes minilm_curves.json.

The study: MiniLM (all-MiniLM-L6-v2) with LoRA on the first 600 training rows and the 374 validation rows of TweetEval's
emotion task, sampler random, pruner none, the quickstart's space with epochs up to 4.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ftsweep.store.folders import Store

FILE = Path(__file__).with_name("minilm_curves.json")


def main() -> None:
    place = Path(sys.argv[1])
    folder = Store(place.parent.parent).study(place.name)
    trials = []
    for record in folder.records():
        if not record.is_complete:
            continue
        losses = [round(each.values["validation/loss"], 4) for each in record.measurements]
        params = {
            name: float(f"{value:.4g}") if isinstance(value, float) else value
            for name, value in record.proposal.params.items()
        }
        trials.append(json.dumps({"params": params, "validation/loss": losses}))
    note = "MiniLM with LoRA on 600 rows of TweetEval emotion, see record_minilm.py"
    lines = ",\n  ".join(trials)
    FILE.write_text(f'{{\n "note": {json.dumps(note)},\n "trials": [\n  {lines}\n ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
