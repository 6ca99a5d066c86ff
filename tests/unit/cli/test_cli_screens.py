"""Terminals of two sizes show all that matters, and nothing is cut."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_studies import write_demo
from rich.console import Console
from study_screens import write_store
from terminal_screens import CAPTURED, CAPTURES, SIZES, capture

from ftsweep.cli.live_view import LiveScreen
from ftsweep.cli.main import VERBS
from ftsweep.cli.render import rich_table
from ftsweep.cli.result_view import counts_text
from ftsweep.cli.status_view import print_store
from ftsweep.cli.wrapping import VERBS as COMMAND_VERBS
from ftsweep.cli.wrapping import wrapped
from ftsweep.domain.spelling import param
from ftsweep.domain.study_state import StudyState
from ftsweep.report.overview import read_overview
from ftsweep.report.sparkline import GAP
from ftsweep.report.store_overview import StudyLine
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.short_trials import short_names, trials_table
from ftsweep.report.tables.table import Column, Row, Table, columns


@pytest.fixture(scope="module", params=SIZES, ids=["80x24", "120x30"])
def screens(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    shown = capture(request.param, write_store(tmp_path_factory.mktemp("screens")))
    return {**shown, "size": "x".join(map(str, request.param))}


@pytest.fixture
def running(tmp_path: Path) -> StudyState:
    return read_overview(write_demo(tmp_path, finished=False)).state


def test_screens_are_as_they_were_captured(screens: dict[str, str]) -> None:
    folder = CAPTURES / screens["size"]
    for name in CAPTURED:
        captured = (folder / f"{name}.txt").read_text(encoding="utf-8")
        assert screens[name] == captured, f"see {folder / name}.txt; tests/unit/cli/terminal_screens.py writes it anew"


def test_help_says_what_every_command_does_in_the_order_of_use(screens: dict[str, str]) -> None:
    lines = screens["help"].splitlines()
    names = [line.split()[0] for line in lines[lines.index("Commands, in the order of use:") + 1 :] if line[2] != " "]
    assert names == [verb.name for verb in VERBS]
    text = " ".join(screens["help"].split())
    assert "..." not in text.partition("Commands,")[2]
    assert "Copy a shipped sweep as a starting point of your own (to DESTINATION, default ./SWEEP.yaml)." in text


def test_a_list_is_broken_between_words_under_its_own_column(screens: dict[str, str]) -> None:
    text = " ".join(screens["list"].split())
    assert "The embedded 1 M parameter Llama-architecture model with its own tokenizer; needs no network." in text
    sweeps = screens["list"].partition("model\n")[0].splitlines()[1:]
    broken = [line for line in sweeps if line[2] == " "]
    named = re.match(r"  \S+ +", sweeps[0])
    assert named is not None
    assert {len(line) - len(line.lstrip()) for line in broken} == {named.end()}


def test_the_command_of_an_error_is_one_piece(screens: dict[str, str]) -> None:
    assert re.search(r"ftsweep status under-way --store '/\S*/a store'", screens["error"].replace("\n", ""))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 30), (60, 20), (200, 12)])
def test_best_and_running_trials_are_seen_with_all_their_values(running: StudyState, width: int, height: int) -> None:
    console = Console(width=width, height=height, force_terminal=True, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(LiveScreen(running))
    lines = captured.get().splitlines()
    assert len(lines) < height
    names = short_names(running)
    for record in (running.best, *running.running):
        assert record is not None
        setting = [f"{names[k.rsplit('.', 1)[-1]]}={param(v)}" for k, v in record.proposal.params.items()]
        assert set(setting) <= set(" ".join(lines).split())
        assert width < 80 or any(" ".join(setting) in line for line in lines)
    assert max(map(len, lines)) <= width


def test_short_names_stay_apart(running: StudyState) -> None:
    assert short_names(running) == {"learning_rate": "lr", "batch_size": "bs", "epochs": "epochs", "rank": "rank"}
    note = trials_table(running).legend("*")
    assert "lr learning_rate, bs batch_size." in note
    assert "* best so far." in note


def test_a_column_that_has_no_room_is_not_explained(running: StudyState) -> None:
    wide, narrow = (printed(trials_table(running), width) for width in (120, 44))
    assert "curve: by rung" in " ".join(wide.split())
    assert "No room for: curve" in narrow
    assert "curve: by rung" not in " ".join(narrow.split())


def test_a_study_without_trials_says_so_and_explains_no_column(running: StudyState) -> None:
    empty = replace(running, trials=())
    assert counts_text(empty) == "No trial has started yet."
    assert trials_table(empty).legend("*") == ""


def test_no_number_of_a_store_is_cut_from_its_unit_where_names_are_long() -> None:
    line = StudyLine("preference_pydocs", "complete", 3, 0, 30, "validation/ranking_accuracy", 12, 2, 0.56, 7e6, {})
    console = Console(file=io.StringIO(), width=80, highlight=False)
    disk = {"studies": 1, "artifacts": 1, "databases": 1, "cache": {}, "free": 1}
    print_store(console, [line], "s3://bucket", disk)
    _, first, second, *_ = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert first.split() == ["preference_pydocs", "complete", "3/30", "0.56", "(trial", "validation/ranking_accuracy"]
    assert second.split() == ["12,", "fresh", "seed"], "broken between words alone"
    assert "No room for: size." in console.file.getvalue()  # type: ignore[attr-defined]


def test_curves_of_answers_are_drawn_though_few_rungs_have_any(running: StudyState) -> None:
    key = running.objective.key
    trials = []
    for record in running.trials:
        late = [replace(each, values={}) if each.rung % 2 == 0 else each for each in record.measurements]
        trials.append(replace(record, measurements=tuple(late)))
    table = trials_table(replace(running, trials=trials))
    assert all(each.rung == 0 or key in each.values for record in running.trials for each in record.measurements)
    bars = {bar for row in table.rows for bar in row.cells[2].text} - {GAP}
    assert len(bars) > 2, "as tall as the values are"


def test_text_is_broken_between_words_and_never_within_what_is_copied() -> None:
    override = "training.data='a path with spaces/of many words.jsonl'"
    command = "ftsweep best tweets --export 'my own models/for tweets' --store '/a long way/from here'"
    lines = wrapped(f"the winner's rate is the best at an edge, so widen it: {override} and see: {command}", 40)
    assert override in lines
    assert command in lines
    assert all(len(line) <= 40 for line in lines if line not in (override, command))
    sentence = "split: ftsweep made validation and test with rows that tell of each other on one side"
    assert max(map(len, wrapped(sentence, 40))) <= 40, "no command"
    assert {verb.name for verb in VERBS} == set(COMMAND_VERBS)
    assert wrapped("  trial 3 overfit: its loss rises again after rung 4", 30) == [
        "  trial 3 overfit: its loss",
        "    rises again after rung 4",
    ]


def printed(table: Table, width: int) -> str:
    console = Console(width=width, force_terminal=True, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(rich_table(table))
    return captured.get()


def test_a_table_too_wide_for_its_numbers_is_turned_and_then_a_list() -> None:
    names = ("model", *(f"metric_number_{i}" for i in range(6)))
    rows = tuple(Row(tuple(map(words, (model, *(f"0.{i}1234567" for i in range(6)))))) for model in ("a", "b"))
    table = Table(columns(*names, text=["model"]), rows)
    for width in (200, 60, 30):
        text = printed(table, width)
        assert max(len(line) for line in text.splitlines()) <= width
        assert [text.count(word) for word in ("0.51234567", "0.01234567")] == [2, 2]
    assert printed(table, 200).splitlines()[0].split() == list(names)
    assert printed(table, 60).splitlines()[0].split() == ["model", "a", "b"]


def test_a_column_that_may_go_is_left_out_with_a_word() -> None:
    heads = (
        Column("trial", is_whole=True),
        Column("fit", "text", True, may_go=True),
        Column("setting", "text", room=20),
    )
    table = Table(heads, (Row((words("0"), words("worse than baseline"), words("lr=1e-3 bs=16 epochs=4"))),))
    assert "worse than baseline" in printed(table, 60)
    narrow = printed(table, 40)
    assert "worse than baseline" not in narrow
    assert "No room for: fit." in narrow
    assert "lr=1e-3 bs=16 epochs=4" in narrow
