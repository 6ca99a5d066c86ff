"""What a study came to is told in the same words by every screen, whatever kind of study it is."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from report_studies import StudyBuilder, write_demo
from rich.console import Console

from ftsweep.analysis.answers import as_model
from ftsweep.analysis.conclusion import next_command, said_in_full
from ftsweep.analysis.model_card import escaped, loading_from_mlflow, model_card, study_description
from ftsweep.analysis.seed_spread import Difference
from ftsweep.analysis.sentence import said_of_choice
from ftsweep.analysis.two_answers import ModelAnswer
from ftsweep.cli.best_view import print_best
from ftsweep.cli.live_view import PlainView
from ftsweep.cli.result_view import optimism_text
from ftsweep.cli.run_view import print_ending
from ftsweep.cli.status_view import print_study
from ftsweep.cli.study_json import study_json
from ftsweep.control.run import Launched
from ftsweep.domain.answers import Lead, Model, RacedSetting, Setting
from ftsweep.domain.forgetting import ForgettingResult
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.metric import right_answers
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.scores import Interval
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, StoredPause, TrialRecord
from ftsweep.report.overview import read_overview
from ftsweep.report.page import HtmlPage
from ftsweep.report.store_overview import read_store
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import StudyFolder
from ftsweep.store.manifest import Extension
from ftsweep.store.result import write_result

DISK = {"total": 0, "weights": 0, "checkpoints": 0, "other": 0}
TEST = {"trial-0003": {"loss": 0.44}, "trial-0000": {"loss": 0.66}, "baseline": {"loss": 1.6}}
SURE, UNSURE = Lead(0.2, 0.05, is_sure=True), Lead(0.02, 0.05, is_sure=False)
Records = tuple[TrialRecord, ...]


def raced(standing: str, lead: Lead, *, chosen: int = 3) -> Setting:
    own = RacedSetting(3, 0.445, (0.46, 0.48), 0.47, 0.02, over_default=lead, standing=standing)
    default = RacedSetting(0, 0.7294, (0.5, 0.52), 0.51, 0.02, is_default=True, behind=lead)
    return Setting(chosen, f"Setting: trial {chosen} has the mean that counts.", (own, default))


def concluded(records: Records, model: Model, setting: Setting | None, **more: object) -> StudyResult:
    test = {**TEST, **more.pop("test", {})}  # type: ignore[dict-item]
    sentence = said_of_choice(
        model, setting, records, Objective(), num_rungs=10, baseline={}, test=test, default=0 if setting else None
    )
    sure = {"trial-0003": {"loss": Interval(0.02, 0.4, 0.48)}}
    return StudyResult(
        sentence,
        model,
        setting,
        **{"test": test, "intervals": sure, "num_trials": len(records), **more},  # type: ignore[arg-type]
    )


def model(number: int = 3, lead: Lead | None = SURE) -> Model:
    return Model(number, 0.445, 10, f"Model: trial {number} has the lowest value in hand.", over_default=lead)


def default_wins(records: Records) -> StudyResult:
    return concluded(records, model(0, None), raced("no better", UNSURE, chosen=0))


def tie(records: Records) -> StudyResult:
    return concluded(records, model(lead=UNSURE), raced("undecided", UNSURE))


def cheaper_and_worse_on_test(records: Records) -> StudyResult:
    worse = {"trial-0003": {"loss": 0.7}}
    return concluded(records, model(lead=UNSURE), raced("undecided", UNSURE), test=worse)


def better(records: Records) -> StudyResult:
    return concluded(records, model(), raced("better", SURE))


def nothing_completed(records: Records) -> StudyResult:
    return StudyResult("No trial is complete: 4 were pruned.", num_trials=len(records))


def stopped_early(records: Records) -> StudyResult:
    return concluded(records, model(), None, note="Stopped by the time limit after 2 h.")


def branches(records: Records) -> StudyResult:
    return concluded(records, model(), raced("better", SURE), advice="Use lora: it costs a tenth of full.")


def forgets(records: Records) -> StudyResult:
    said = ("The limit on forgetting changes the choice: 0.02 worse.",)
    found = ForgettingResult(0.1, None, None, 0.02, 1, (), None, said)
    return concluded(records, model(), raced("better", SURE), forgetting=found)


TOLD: dict[Callable[[Records], StudyResult], list[str]] = {
    default_wins: ["Trial 0 is chosen", "Nothing that was tried is better than the default setting for sure"],
    tie: ["Trial 3 is chosen", "A tie: its setting leads the default", "chance makes such a lead"],
    cheaper_and_worse_on_test: ["A tie:", "on test its model is no better than the default setting's"],
    better: ["The search was worth it", "beats the default setting's on validation for sure and on test"],
    nothing_completed: ["No trial is complete"],
    stopped_early: ["Stopped by the time limit", "No setting has a mean over fresh seeds"],
    branches: ["Use lora: it costs a tenth of full."],
    forgets: ["The limit on forgetting changes the choice"],
}


COMPLETE, PRUNED, FAILED = (OutcomeKind(name) for name in ("complete", "pruned", "failed"))


def small(*kinds: OutcomeKind, default: int | None = 0) -> Records:
    """Trials with these outcomes, each with a value."""
    point = Measurement(10, 1.0, 1, 1, 1.0, 1.0, {"validation/loss": 0.5})
    return tuple(
        TrialRecord(Proposal(number, "", {}, is_default=number == default), (point,), Outcome(kind))
        for number, kind in enumerate(kinds)
    )


@pytest.mark.parametrize(
    ("records", "model", "said"),
    [
        (small(COMPLETE), model(0, None), "Only the default setting was tried: what a search would find is not known."),
        (
            small(COMPLETE, PRUNED, FAILED),
            model(0, None),
            "No other trial came to its end with a value that counts (1 pruned, 1 failed): nothing beats the default "
            "setting.",
        ),
        (
            small(COMPLETE, COMPLETE),
            model(0, None),
            "Nothing that was tried is better than the default setting for sure.",
        ),
        (
            small(COMPLETE, COMPLETE, default=None),
            model(1, None),
            "The default setting was not among the trials: whether the search beats it is not known.",
        ),
        (
            small(PRUNED, COMPLETE),
            model(1, None),
            "The default setting's trial has no value to hold the model against (1 pruned).",
        ),
    ],
)
def test_the_search_is_judged_by_what_was_tried(records: Records, model: Model, said: str) -> None:
    result = StudyResult("Chosen.", model, None)
    assert said in said_in_full(result, records, Objective())


def test_with_branches_the_default_setting_is_that_of_the_models_branch() -> None:
    records = [replace(each, proposal=replace(each.proposal, branch="lora")) for each in small(COMPLETE, COMPLETE)]
    said = said_in_full(StudyResult("Chosen.", model(0, None), None), records, Objective())
    assert "No setting of branch lora is better than its default one for sure." in said


def test_a_better_setting_beside_a_model_of_the_default_one_was_worth_the_search() -> None:
    result = StudyResult("Chosen.", model(0, None), raced("better", SURE))
    said = said_in_full(result, small(*4 * [COMPLETE]), Objective())[-1]
    assert said.startswith("The search was worth it for the setting of trial 3,")


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def builder(tmp_path: Path) -> StudyBuilder:
    return StudyBuilder(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return write_demo(tmp_path)


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.__name__)
def test_every_screen_has_the_same_words(folder: StudyFolder, kind: Callable[[Records], StudyResult]) -> None:
    records = read_overview(folder).state.trials
    result = kind(records)
    write_result(folder, result)
    overview, store = read_overview(folder), folder.store.root
    said = said_in_full(result, records, Objective())
    for text in TOLD[kind]:
        assert any(text in each for each in said), said
    assert "is best" not in " ".join(said)

    screens: dict[str, str] = {}
    for name in ("run", "status", "best"):
        console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None, highlight=False)
        if name == "run":
            print_ending(console, Launched(folder, overview.state))
        elif name == "status":
            print_study(console, overview, DISK, [], store)
        elif result.model is not None:
            print_best(console, overview, store, None)
        screens[name] = console.file.getvalue()  # type: ignore[attr-defined]
        if screens[name]:
            assert f"Next: {next_command(result, records, Objective(), 'demo', store)}" in plain(screens[name])
    if result.model is None:
        del screens["best"]
    screens["report"] = html.unescape(
        re.sub("<script.*?</script>|<[^>]+>", " ", HtmlPage(figures=[]).html(overview), flags=re.S)
    )
    screens["MLflow"] = study_description(result, records, Objective(), study="demo", store=store).replace("\\", "")
    for name, screen in screens.items():
        for text in said:
            assert plain(text) in plain(screen), name


def test_paused_trials_are_told_in_the_same_words_on_every_screen(builder: StudyBuilder) -> None:
    folder = builder.folder
    builder.trial(0, [1.6, 0.5], is_default=True)
    for number, has_checkpoint in ((1, True), (2, False)):
        builder.trial(number, [1.6, 1.5, 1.4, 1.3], None)
        pause = StoredPause(3, "It waits to be promoted.", has_checkpoint=has_checkpoint)
        write_json(folder.trial(number).pause_file, asdict(pause))
    records = read_overview(folder).state.trials
    write_result(folder, concluded(records, model(0, None), None, unfinished=(1, 2)))
    overview, store = read_overview(folder), folder.store.root
    assert overview.is_final
    console = Console(file=io.StringIO(), width=200, highlight=False)
    print_ending(console, Launched(folder, overview.state))
    print_study(console, overview, DISK, [], store)
    view = PlainView(console)
    view(overview.state)
    text = plain(console.file.getvalue())  # type: ignore[attr-defined]
    told = "Paused: trial 1 at rung 3, trial 2 at rung 3 (to begin anew). A run with more budget (budget.trials, or"
    assert text.count(told) == 2
    assert text.count("3 trials: 1 complete, 2 paused; ") == 2
    assert text.count("paused 3/10") == 4
    assert "trial 1 paused at rung 3: It waits to be promoted. trial 2 paused at rung 3, to begin anew (its" in text
    view(replace(overview.state, trials=(records[0], replace(records[1], last_pause=None), records[2])))
    assert "trial 1 goes on: " in console.file.getvalue()  # type: ignore[attr-defined]
    page = html.unescape(re.sub("<script.*?</script>|<[^>]+>", " ", HtmlPage(figures=[]).html(overview), flags=re.S))
    assert told in plain(page)
    assert "2 paused" in plain(page)
    assert "paused at rung 3: It waits to be promoted." in plain(page)
    assert "still running" not in plain(page)
    facts = study_json(overview, DISK, [], Extension())["trials"]
    assert [each["pause"] and each["pause"]["has_checkpoint"] for each in facts] == [None, True, False]
    (line,) = read_store(folder.store)
    assert (line.state, line.num_ended, line.num_paused) == ("not finished", 1, 2), "14 trials were planned"


def test_a_store_tells_the_value_of_the_model_that_was_chosen(folder: StudyFolder) -> None:
    records = read_overview(folder).state.trials
    write_result(folder, concluded(records, replace(model(), seed=2, value=0.43), None))
    (line,) = read_store(folder.store)
    assert (line.best_trial, line.best_value) == (3, 0.43), "and not what the search had of its setting, 0.445"
    assert line.best_name == "trial 3, fresh seed 2"


def test_what_was_not_run_again_is_named_the_best_first(folder: StudyFolder) -> None:
    records = read_overview(folder).state.trials
    said = said_in_full(better(records), records, Objective())
    assert "Not in the race: of trials 11, 1, 13 and 2 more the search's run alone was weighed" in " ".join(said)
    beside = "The setting of trial 3: validation/loss 0.445 in the search, 0.47 ± 0.02 on average over 2 fresh seeds."
    assert beside not in said, "the reason of the setting has it"
    other = concluded(records, model(), raced("no better", UNSURE, chosen=0))
    assert beside in said_in_full(other, records, Objective())
    against = "the default setting 0.66, the untouched base 1.6."
    assert f"On test, loss (95 % intervals): the model 0.44 (0.4 to 0.48), {against}" in said


def test_the_model_card_says_what_it_is_and_its_limits(folder: StudyFolder) -> None:
    records = read_overview(folder).state.trials
    data = {
        "main": {
            "num_rows": {"train": 3000},
            "fingerprint": "9f2c",
            "findings": [{"check": "duplicates", "severity": "warn", "message": "63 <b>copies</b>"}],
        }
    }
    result = concluded(records, model(), raced("better", SURE), data=data)
    config = {"model": {"_target_": "ftsweep.models.HubModel", "name": "a/b_c"}, "strategy": {"_target_": "x.Lora"}}
    card, fixed = (
        model_card(
            result,
            Objective(),
            study="demo",
            branch="",
            config=config,
            params=params,
            loading=loading_from_mlflow("demo"),
        )
        for params in (records[3].proposal.params, {})
    )
    assert "| base | HubModel a/b\\_c |" in card
    assert "| data fingerprint | 9f2c |" in card
    assert "| training.learning\\_rate | 0.0022 |" in card
    assert "| loss | 0.445 | 0.44 | 0.4 to 0.48 | 1.6 |" in card
    assert "## Setting\n\nThe study varied nothing here" in fixed, "no heading without a word below it"
    assert "63 \\<b\\>copies\\</b\\>" in card
    assert 'mlflow.pyfunc.load_model("models:/demo@champion")' in card
    assert escaped("[x](javascript:1) `y`") == "\\[x\\](javascript:1) \\`y\\`"


def test_the_only_model_in_hand_is_not_called_the_lowest_of_one() -> None:
    answer = ModelAnswer(0, 0, 2.058, 0.0, 1, (), is_best=True, over_default=None)
    best = Measurement(4, 1.0, 1, 1, 1.0, 1.0, {"validation/loss": 2.058})
    assert (
        as_model(answer, best, Objective(), tells_rows=True).reason
        == "Model: trial 0 has validation/loss 2.058; it is the only model in hand."
    )


def test_of_models_that_are_equal_none_is_called_the_lowest() -> None:
    best = Measurement(4, 1.0, 1, 1, 1.0, 1.0, {"validation/loss": 1.07})

    def why(*equals: tuple[int, int]) -> str:
        answer = ModelAnswer(0, 0, 1.07, 0.0, 6, equals, is_best=True, over_default=None)
        return as_model(answer, best, Objective(), tells_rows=False).reason

    assert why() == "Model: trial 0 has validation/loss 1.07, the lowest of 6 models in hand."
    tied = (
        "Model: trial 0 has validation/loss 1.07, as good as the best of 6 models in hand: the rows do not tell it from"
    )
    assert why((1, 0)) == f"{tied} trial 1."
    assert why((1, 0), (1, 2), (3, 0), (4, 0)) == f"{tied} trial 1, trial 1 with fresh seed 2, trial 3 and 1 more."


def test_a_lead_of_which_the_rows_tell_nothing_is_never_sure(folder: StudyFolder) -> None:
    """A metric of one's own without scores of rows: all resamples are alike, and their error would be 0."""
    best = Measurement(4, 1.0, 1, 1, 1.0, 1.0, {"validation/loss": 0.445})
    answer = ModelAnswer(3, 0, 0.445, 0.0, 2, (), is_best=True, over_default=Difference(0.3, 0.0, 0.0))
    told, untold = (as_model(answer, best, Objective(), tells_rows=tells) for tells in (True, False))
    records = read_overview(folder).state.trials
    assert "The search was worth it" in " ".join(said_in_full(concluded(records, told, None), records, Objective()))
    said = " ".join(said_in_full(concluded(records, untold, None), records, Objective()))
    assert "Whether the search was worth it is open: validation/loss of single rows is not known" in said


def said_of_scores(own: float, base: float, **more: object) -> tuple[str, StudyResult, Records]:
    records = small(COMPLETE, COMPLETE)
    test = {"trial-0001": {"loss": own}, "baseline": {"loss": base}}
    sure = {"trial-0001": {"loss": Interval(0.1, own - 0.2, own + 0.2)}}
    result = StudyResult("Chosen.", model(1, None), None, **{"test": test, "intervals": sure, **more})  # type: ignore[arg-type]
    return " ".join(said_in_full(result, records, Objective())), result, records


def test_a_model_that_its_untouched_base_equals_gained_nothing_and_is_not_what_to_go_on_with() -> None:
    said, result, records = said_of_scores(0.7, 0.69)
    assert "Fine-tuning gained nothing: on test the untouched base has loss 0.69, the model 0.7." in said
    assert next_command(result, records, Objective(), "demo", "mlruns").startswith("ftsweep status demo")
    said, result, records = said_of_scores(0.6, 0.69)
    assert "Whether fine-tuning gained anything is open: on test the untouched base has loss 0.69" in said
    assert next_command(result, records, Objective(), "demo", "mlruns").startswith("ftsweep best demo --export")
    assert "ine-tuning gained" not in said_of_scores(0.4, 0.69)[0]
    untested = StudyResult("Chosen.", model(1, None), None, baseline={"main": {"loss": 0.4}})
    assert "on validation the untouched base has loss 0.4" in " ".join(said_in_full(untested, records, Objective()))


SHARES = {"macro_f1": right_answers(is_readable=True), "accuracy": right_answers()}
LOSS_AND_SHARE, BY_ACCURACY = Objective(metrics=SHARES), Objective("accuracy", direction="maximize", metrics=SHARES)


def test_a_model_that_is_right_more_often_and_surer_gained_something() -> None:
    sure = {"trial-0001": {"loss": Interval(0.1, 1.9, 2.3), "macro_f1": Interval(0.01, 0.65, 0.75)}}
    test = {"trial-0001": {"loss": 2.1, "macro_f1": 0.7}, "baseline": {"loss": 2.0, "macro_f1": 0.05}}
    result = StudyResult("Chosen.", model(1, None), None, test=test, intervals=sure)
    records = small(COMPLETE, COMPLETE)
    said = " ".join(said_in_full(result, records, LOSS_AND_SHARE))
    assert "By loss fine-tuning gained nothing, by macro_f1 it did" in said
    assert "best demo --export" in next_command(result, records, LOSS_AND_SHARE, "demo", "mlruns")
    nearly = replace(result, test={**test, "baseline": {"loss": 2.2, "macro_f1": 0.05}})
    assert "is open: on test the untouched" not in " ".join(said_in_full(nearly, records, LOSS_AND_SHARE))
    untested = replace(
        result,
        model=replace(model(1, None), values={"validation/macro_f1": 0.7}),
        test={},
        baseline={"main": {"loss": 0.4, "macro_f1": 0.05}},
        data={"main": {"num_rows": {"validation": 200}}},
    )
    assert "by macro_f1 it did: on validation" in " ".join(said_in_full(untested, records, LOSS_AND_SHARE))


@pytest.mark.parametrize(("accuracy", "loss", "is_said"), [(0.47, 0.76, True), (0.6, 0.76, False), (0.47, 0.6, False)])
def test_a_better_f1_with_fewer_right_answers_and_a_higher_loss_may_be_guessing(
    accuracy: float, loss: float, is_said: bool
) -> None:
    own = {"macro_f1": 0.47, "accuracy": accuracy, "loss": loss}
    test = {"trial-0001": own, "baseline": {"macro_f1": 0.34, "accuracy": 0.53, "loss": 0.69}}
    objective = Objective("macro_f1", direction="maximize", metrics=SHARES)
    said = " ".join(said_in_full(StudyResult("C.", model(1), None, test=test), small(COMPLETE, COMPLETE), objective))
    assert ("Guesses have a better macro_f1 than always naming one label" in said) is is_said


def test_where_training_gained_nothing_the_search_is_not_called_worth_it() -> None:
    test = {"trial-0001": {"loss": 0.7}, "trial-0000": {"loss": 0.9}, "baseline": {"loss": 0.6}}
    said = said_in_full(StudyResult("Chosen.", model(1), None, test=test), small(COMPLETE, COMPLETE), Objective())
    assert "was worth it" not in " ".join(said)
    assert said[-1].endswith("for sure and on test; the untouched base is no worse than it.")
    right = {"trial-0001": {"accuracy": 1.0}, "baseline": {"accuracy": 1.0}}
    said = said_in_full(StudyResult("C.", model(1), None, test=right), small(COMPLETE, COMPLETE), BY_ACCURACY)
    assert "The base leaves nothing to gain." in " ".join(said)


def test_what_is_no_number_on_test_is_held_against_nothing() -> None:
    sure = {"trial-0001": {"accuracy": Interval(math.nan, math.nan, math.nan)}}
    test = {"trial-0001": {"accuracy": math.nan}, "baseline": {"accuracy": 0.5}}
    result = StudyResult("Chosen.", model(1, None), None, test=test, intervals=sure)
    said = " ".join(said_in_full(result, small(COMPLETE, COMPLETE), BY_ACCURACY))
    assert "gained nothing" not in said
    assert "worse by" not in said
    assert optimism_text(result, BY_ACCURACY) == ""


@pytest.mark.parametrize(
    ("own", "value", "error", "num_rows", "is_said"),
    [
        (0.85, 0.9, 0.005, {"validation": 50, "test": 5000}, False),  # validation's rows are the few
        (0.85, 0.9, 0.005, {"validation": 5000, "test": 5000}, True),
        (0.0, 0.7, 0.0, {"validation": 50, "test": 3}, False),
        (0.0, 0.7, 0.0, {"validation": 500, "test": 500}, True),
        (0.0, 0.7, 0.0, {}, False),
    ],
)
def test_a_fall_is_held_against_the_rows_of_both_splits(
    own: float, value: float, error: float, num_rows: dict[str, int], is_said: bool
) -> None:
    sure = {"trial-0001": {"accuracy": Interval(error, own, own)}}
    test = {"trial-0001": {"accuracy": own}}
    chosen = replace(model(1, None), value=value)
    result = StudyResult("C.", chosen, None, test=test, intervals=sure, data={"main": {"num_rows": num_rows}})
    said = " ".join(said_in_full(result, small(COMPLETE, COMPLETE), BY_ACCURACY))
    assert ("On test the model is worse by" in said) is is_said


def test_a_model_that_was_not_trained_is_not_held_against_its_base() -> None:
    (record,) = small(COMPLETE)
    idle = replace(record, outcome=Outcome(COMPLETE, extra={"num_trained_parameters": 0}))
    test = {"trial-0000": {"loss": 0.7}, "baseline": {"loss": 0.7}}
    result = StudyResult("Chosen.", model(0, None), None, test=test)
    assert "gained nothing" not in " ".join(said_in_full(result, [idle], Objective()))
    assert "gained nothing" in " ".join(said_in_full(result, [record], Objective()))


def test_a_fall_from_validation_to_test_beyond_chance_is_said_and_so_are_scores_without_a_fault() -> None:
    assert "On test the model is worse by 0.4" in said_of_scores(0.9, 1.6)[0]
    assert "worse by" not in said_of_scores(0.6, 1.6)[0]
    objective = Objective("accuracy", "validation", "maximize", metrics={"accuracy": right_answers()})
    result = StudyResult("Chosen.", model(0, None), None, test={"trial-0000": {"accuracy": 1.0}})
    assert "something gives the answers away" in " ".join(said_in_full(result, small(COMPLETE), objective))
    result = replace(result, test={"trial-0000": {"accuracy": 0.99}})
    assert "gives the answers away" not in " ".join(said_in_full(result, small(COMPLETE), objective))


def test_the_lines_of_a_pipe_tell_of_every_trial_that_began_and_count_those_that_ended(folder: StudyFolder) -> None:
    state = replace(read_overview(folder).state, result=None, trials=())
    console = Console(file=io.StringIO(), width=200, highlight=False)
    view = PlainView(console)
    view(state)
    view(replace(state, trials=small(COMPLETE, COMPLETE)))  # both began and ended between two looks
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.partition(":")[0].partition(",")[0] for line in lines[-4:]] == [
        "trial 0 begins",
        "trial 0 complete",
        "trial 1 begins",
        "trial 1 complete",
    ]
    assert "[1/" in lines[-3]
    assert "[2/" in lines[-1]


def test_trials_that_ended_before_a_run_went_on_are_not_told_to_begin(folder: StudyFolder) -> None:
    state = replace(read_overview(folder).state, result=None, trials=small(COMPLETE))
    console = Console(file=io.StringIO(), width=200, highlight=False)
    view = PlainView(console)
    view(state)
    view(replace(state, trials=small(COMPLETE, COMPLETE)))
    begun = [line for line in console.file.getvalue().splitlines() if " begins" in line]  # type: ignore[attr-defined]
    assert [line.partition(":")[0] for line in begun] == ["trial 1 begins"]
