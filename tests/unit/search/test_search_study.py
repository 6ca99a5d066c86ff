"""The study's bookkeeping: exact, restartable, and honest towards the sampler."""

from __future__ import annotations

import fcntl
import json
import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from ftsweep.domain.decision import Prune
from ftsweep.domain.importance import Importances
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, Choice, FloatInterval, IntInterval, Space
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal
from ftsweep.errors import ConfigError, FtsweepError, MissingExtraError, StudyError
from ftsweep.search.importance import compute
from ftsweep.search.pruners import Median, NoPruner, Pruner
from ftsweep.search.samplers import Ask, CmaEs, Gp, Grid, Qmc, Random, Sampler, Tpe
from ftsweep.search.storage.sqlite import close_storage, open_storage
from ftsweep.search.study import Study
from ftsweep.search.study_view import with_values

CONFIG = {"training": {"learning_rate": 1e-3, "batch_size": 16}, "strategy": {"rank": 8}}
SPACE = Space(
    {
        "training.learning_rate": FloatInterval(1e-4, 1e-1, log=True),
        "training.batch_size": Choice((8, 16, 32)),
        "strategy.rank": IntInterval(2, 32),
    }
)
BRANCH = Branch("", CONFIG, SPACE)
Open = Callable[..., Study]


def why(study: Study, number: int) -> str | None:
    """Why the trial ends at its last rung; None where it goes on."""
    decision = study.decide(number)
    return decision.reason if isinstance(decision, Prune) else None


@pytest.fixture
def open_study(tmp_path: Path, copied_tables: None) -> Iterator[Open]:
    opened: list[Study] = []

    def open_(
        branches: Sequence[Branch] = (BRANCH,),
        sampler: Sampler | None = None,
        pruner: Pruner | None = None,
        objective: Objective = Objective(),  # noqa: B008 - frozen
        name: str = "s",
        **settings: Any,
    ) -> Study:
        for study in opened:
            study.close()
        settings = {"seed": 3, "num_rungs": 10} | settings
        path = tmp_path / "store" / "optuna.db"
        study = Study.open(path, name, objective, branches, sampler or Random(), pruner or NoPruner(), **settings)
        opened[:] = [study]
        return study

    yield open_
    for study in opened:
        study.close()


def ask(study: Study) -> Proposal:
    proposal = study.ask()
    assert proposal is not None
    return proposal


def measured(rung: int, value: float, key: str = "validation/loss") -> Measurement:
    return Measurement(rung, rung / 10, 0, 0, 0.0, 0.0, {key: value})


def end(study: Study, value: float, kind: OutcomeKind = OutcomeKind.COMPLETE, **settings: Any) -> Proposal:
    proposal = ask(study)
    study.tell(proposal.number, Outcome(kind), [measured(10, value)], **settings)
    return proposal


def importances_of(study: Study) -> Importances:
    with study.computing_importances() as importances:
        return importances()


def optuna_trials(tmp_path: Path, name: str = "s") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path}/store/optuna.db").get_trials()


def test_every_outcome_is_told_so_that_the_sampler_learns_from_it(open_study: Open, tmp_path: Path) -> None:
    study = open_study()
    curve = [measured(0, 0.1), measured(1, 2.0), measured(2, 1.0), measured(3, 1.5)]
    for kind in (OutcomeKind.COMPLETE, OutcomeKind.PRUNED, OutcomeKind.PRUNED, OutcomeKind.DIVERGED):
        study.tell(ask(study).number, Outcome(kind), curve)
    study.tell(ask(study).number, Outcome(OutcomeKind.INFEASIBLE))
    study.tell(ask(study).number, Outcome(OutcomeKind.FAILED))
    study.tell(ask(study).number, Outcome(OutcomeKind.COMPLETE), [measured(1, math.nan), measured(2, math.inf)])
    trials = optuna_trials(tmp_path)
    assert [trial.state for trial in trials] == [
        TrialState.COMPLETE,
        *[TrialState.PRUNED] * 4,
        TrialState.FAIL,
        TrialState.PRUNED,
    ]
    assert [trial.constraints for trial in trials] == [
        {},
        {},
        {},
        {"infeasible": 1},
        {"infeasible": 1},
        {},
        {"infeasible": 1},
    ]
    assert trials[0].value == 1.0  # the best rung; rung 0 is no result of training
    assert all(trial.intermediate_values == {1: 2.0, 2: 1.0, 3: 1.5} for trial in trials[:4])
    assert trials[6].intermediate_values == {}
    assert study.num_asked == 7
    assert study.running() == []


def test_reporting_and_telling_twice_changes_nothing(open_study: Open, tmp_path: Path) -> None:
    study = open_study()
    number = ask(study).number
    study.report(number, measured(1, 2.0))
    study.report(number, measured(1, 0.5))
    study.tell(number, Outcome(OutcomeKind.COMPLETE), [measured(1, 0.5), measured(2, 1.0)])
    study.tell(number, Outcome(OutcomeKind.FAILED), [measured(3, 0.1)])
    study.report(number, measured(4, 0.1))
    study = open_study()
    study.tell(number, Outcome(OutcomeKind.FAILED))
    (trial,) = study.records()
    assert trial.outcome == Outcome(OutcomeKind.COMPLETE)
    assert trial.values == {1: 2.0, 2: 1.0}
    assert optuna_trials(tmp_path)[0].value == 1.0


def test_maximised_objective_keeps_the_highest_rung(open_study: Open, tmp_path: Path) -> None:
    study = open_study(objective=Objective("f1", "validation", "maximize"))
    number = ask(study).number
    study.tell(
        number,
        Outcome(OutcomeKind.COMPLETE),
        [measured(r, v, "validation/f1") for r, v in enumerate([0.9, 0.2, 0.7, 0.3])],
    )
    assert optuna_trials(tmp_path)[0].value == 0.7


def test_killed_study_knows_what_was_running_and_what_it_measured(open_study: Open) -> None:
    study = open_study(pruner=Median(startup_trials=0, min_peers=1, patience=0, warmup=0))
    end(study, 1.0)
    asked = [ask(study) for _ in range(3)]
    study.report(asked[0].number, measured(1, 1.0))
    study.report(asked[1].number, measured(1, 5.0))
    study.tell(asked[2].number, Outcome(OutcomeKind.PRUNED, "worse", rung=1), [measured(1, 0.5)])
    before = study.records()
    study = open_study(pruner=Median(startup_trials=0, min_peers=1, patience=0, warmup=0))
    assert study.records() == before
    assert study.running() == asked[:2]
    assert study.num_asked == 4
    assert why(study, asked[1].number) == "validation/loss 5 at rung 1 is above the median 0.75 of 2 peers."
    assert why(study, asked[0].number) is None
    study.tell(asked[0].number, Outcome(OutcomeKind.COMPLETE), [measured(2, 0.1)])
    assert study.running() == [asked[1]]


def test_ask_that_was_killed_half_way_leaves_no_trial_and_is_made_again_with_the_same_setting(
    open_study: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    branches = [Branch("a", CONFIG, SPACE), Branch("b", CONFIG, SPACE)]
    study = open_study(branches, Tpe(startup_trials=2), name="whole")
    whole = [end(study, number / 10) for number in range(8)] + [ask(study)]
    study = open_study(branches, Tpe(startup_trials=2))
    assert [end(study, number / 10) for number in range(8)] == whole[:8]

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("ftsweep.search.storage.inserts._attributes", killed)  # within the transaction, or before it
    with pytest.raises(KeyboardInterrupt):
        study.ask()
    monkeypatch.undo()
    study = open_study(branches, Tpe(startup_trials=2))
    assert study.running() == []
    assert ask(study) == whole[8]
    assert study.num_asked == 9


def test_default_comes_first_then_enqueued_settings_once(open_study: Open) -> None:
    enqueue = [{"strategy.rank": 4}, {"training.learning_rate": 1e-3}, {"strategy": {"rank": 4}}]
    study = open_study(enqueue=enqueue)
    default, enqueued = ask(study), ask(study)
    study = open_study(enqueue=[*enqueue, {"strategy.rank": 5}])
    added, drawn = ask(study), ask(study)
    written = {"training.learning_rate": 1e-3, "training.batch_size": 16, "strategy.rank": 8}
    assert default == Proposal(0, "", written, is_default=True)
    assert enqueued == Proposal(1, "", written | {"strategy.rank": 4})
    assert added == Proposal(2, "", written | {"strategy.rank": 5})
    assert drawn.params["training.learning_rate"] != 1e-3
    assert [trial.proposal for trial in study.records()] == [default, enqueued, added, drawn]


def test_default_setting_is_never_pruned(open_study: Open) -> None:
    pruner = Median(startup_trials=0, min_peers=1, patience=0, warmup=0)
    study = open_study([Branch("a", CONFIG, SPACE), Branch("b", CONFIG, SPACE)], pruner=pruner)
    proposals = [ask(study) for _ in range(4)]
    for proposal in proposals:
        study.report(proposal.number, measured(1, 9.0 if proposal.number else 0.1))
    assert [why(study, proposal.number) is not None for proposal in proposals] == [False, False, True, False]
    study.report(proposals[1].number, measured(2, 8.0))
    study.report(proposals[3].number, measured(2, 0.2))
    study.report(proposals[0].number, measured(2, 0.1))
    study.report(proposals[2].number, measured(2, 7.9))
    assert why(study, proposals[1].number) is None
    assert why(study, proposals[2].number)


def test_slow_starting_branch_is_not_pruned_against_a_quick_one(open_study: Open) -> None:
    pruner = Median(startup_trials=0, patience=0, warmup=0)
    study = open_study([Branch("slow", CONFIG, SPACE), Branch("quick", CONFIG, SPACE)], pruner=pruner)
    slow: list[Proposal] = []
    for place in range(14):
        proposal = ask(study)
        value = 1.0 + place / 100 if proposal.branch == "quick" else 5.0 + place / 100
        study.report(proposal.number, measured(1, value))
        if proposal.branch == "slow":
            slow.append(proposal)
            if len(slow) <= 5:  # with fewer than five peers of its own nothing is pruned, whatever the others reached
                assert why(study, proposal.number) is None
    assert len(slow) == 7
    reason = why(study, slow[-1].number)
    assert reason == "validation/loss 5.12 at rung 1 is above the median 5.05 of 6 peers."
    assert why(study, slow[1].number) is None


def changed(dimensions: Mapping[str, Any]) -> list[Branch]:
    return [Branch("", CONFIG, Space({**SPACE.dimensions, **dimensions}))]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"branches": changed({"strategy.rank": IntInterval(2, 64)})},
            r"space.strategy.rank was \[2 .. 32\], is now \[2 .. 64\]",
        ),
        (
            {"branches": changed({"training.batch_size": Choice((8, 16))})},
            r"batch_size was \{8, 16, 32\}, is now \{8, 16\}",
        ),
        ({"branches": [Branch("", CONFIG, Space({}))]}, r"space.strategy.rank is gone"),
        ({"branches": [Branch("lora", CONFIG, SPACE)]}, r"branches.lora is new; branches.main is gone"),
        ({"objective": Objective("f1")}, r"objective.metric was 'loss', is now 'f1'"),
        ({"objective": Objective(direction="maximize")}, r"direction was 'minimize', is now 'maximize'"),
        ({"num_rungs": 5}, "rungs was 10, is now 5"),
    ],
)
def test_study_under_other_terms_is_refused_with_every_difference(
    open_study: Open, settings: dict[str, Any], says: str
) -> None:
    open_study().ask()
    with pytest.raises(ConfigError, match=says):
        open_study(**settings)
    assert open_study(sampler=Tpe(), pruner=Median(), seed=9).num_asked == 1  # these may change


def test_study_without_a_trial_may_be_begun_anew_on_other_terms(open_study: Open) -> None:
    open_study()
    mended = Objective(direction="maximize")
    study = open_study(objective=mended, num_rungs=5)
    proposal = study.ask()
    assert proposal is not None
    study.tell(proposal.number, Outcome(OutcomeKind.FAILED))
    with pytest.raises(ConfigError, match="rungs was 5"):
        open_study(objective=mended)
    with pytest.raises(ConfigError, match="direction was 'maximize'"):
        open_study(num_rungs=5)


def test_values_of_any_json_type_come_back_as_they_were(open_study: Open) -> None:
    odd = (True, 1, "1", None, ["q", "v"], '["q", "v"]', {"a": [1, {"b": None}]}, 2.5)
    branch = Branch("", {"x": True, "y": "p"}, Space({"x": Choice(odd), "y": Choice(("p", 0.1))}))
    study = open_study([branch], Grid())
    while proposal := study.ask():
        study.tell(proposal.number, Outcome(OutcomeKind.FAILED))
    settings = [trial.proposal.params for trial in open_study([branch], Grid()).records()]
    assert {(repr(params["x"]), repr(params["y"])) for params in settings} == {
        (repr(x), repr(y)) for x in odd for y in ("p", 0.1)
    }
    assert len(settings) == 16


def test_grid_refuses_a_continuous_dimension_with_its_key(open_study: Open) -> None:
    with pytest.raises(ConfigError, match=r"space.training.learning_rate.*`step`"):
        open_study(sampler=Grid())


def test_cmaes_without_its_package_names_the_extra(open_study: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"ftsweep\[cmaes\]"):
        open_study(sampler=CmaEs())


def test_cmaes_without_a_number_to_adapt_is_refused(open_study: Open) -> None:
    with pytest.raises(ConfigError, match="choices only"):
        open_study([Branch("", {"x": 1}, Space({"x": Choice((1, 2))}))], CmaEs())


@pytest.mark.parametrize(
    "make", [lambda: Tpe(startup_trials=0), lambda: CmaEs(population=1), lambda: Qmc(sequence="x")]
)  # type: ignore[arg-type]
def test_impossible_sampler_settings_are_refused(make: Callable[[], Sampler]) -> None:
    with pytest.raises(ConfigError, match=r"sampler\."):
        make()


def test_dimension_that_cannot_be_searched_is_refused_and_leaves_no_study(open_study: Open) -> None:
    with pytest.raises(ConfigError, match=r"space.training.learning_rate.*low > 0"):
        open_study(changed({"training.learning_rate": FloatInterval(0.0, 1.0, log=True)}))
    assert open_study().num_asked == 0


def test_measurement_without_the_objective_is_refused_with_what_it_has(open_study: Open) -> None:
    study = open_study()
    number = ask(study).number
    with pytest.raises(StudyError, match="validation/f1"):
        study.report(number, measured(1, 1.0, "validation/f1"))
    with pytest.raises(StudyError, match="no trial 5"):
        study.report(5, measured(1, 1.0))


def test_file_that_is_no_database_is_refused(open_study: Open, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "optuna.db").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(StudyError, match=r"optuna\.db"):
        open_study()


def wall(study: Study, kind: OutcomeKind, num_trials: int) -> list[bool]:
    """Trials whose value is the better the nearer to a wall at rank 16; beyond it nothing fits in memory."""
    hits = []
    for _ in range(num_trials):
        proposal = ask(study)
        rank = proposal.params["strategy.rank"]
        hits.append(rank > 16)
        if rank > 16:
            study.tell(proposal.number, Outcome(kind))
        else:
            study.tell(proposal.number, Outcome(OutcomeKind.COMPLETE), [measured(10, 32.0 - rank)])
    return hits


def test_tpe_keeps_away_from_where_trials_did_not_fit(tmp_path: Path) -> None:
    late: dict[OutcomeKind, int] = {}
    for kind in (OutcomeKind.INFEASIBLE, OutcomeKind.FAILED):
        late[kind] = 0
        for seed in range(3):
            path = tmp_path / f"{kind}{seed}.db"
            with closing(
                Study.open(path, "s", Objective(), [BRANCH], Tpe(), NoPruner(), seed=seed, num_rungs=10)
            ) as study:
                late[kind] += sum(wall(study, kind, 30)[12:])
    # The optimum lies at the wall itself, so some hits are fair; a sampler that learns nothing hits nearly always.
    assert late[OutcomeKind.INFEASIBLE] < 0.6 * late[OutcomeKind.FAILED]


def test_constraints_are_stored_and_a_nan_counts_as_violated(open_study: Open, tmp_path: Path) -> None:
    study = open_study()
    end(study, 1.0, constraints={"forgetting": -0.1})
    end(study, 0.5, constraints={"forgetting": math.nan})
    assert [trial.constraints for trial in optuna_trials(tmp_path)] == [{"forgetting": -0.1}, {"forgetting": 1.0}]
    assert [trial.constraints for trial in open_study().records()] == [{"forgetting": -0.1}, {"forgetting": 1.0}]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_sampler_that_knows_only_values_sees_stand_ins(open_study: Open, tmp_path: Path, direction: Any) -> None:
    study = open_study(objective=Objective(direction=direction))
    end(study, 3.0)
    study.tell(ask(study).number, Outcome(OutcomeKind.PRUNED), [measured(1, 5.0), measured(2, 4.0), measured(3, 6.0)])
    study.tell(ask(study).number, Outcome(OutcomeKind.INFEASIBLE))
    study.tell(ask(study).number, Outcome(OutcomeKind.DIVERGED), [measured(1, 2.0)])
    study.tell(ask(study).number, Outcome(OutcomeKind.PRUNED))
    study.tell(ask(study).number, Outcome(OutcomeKind.FAILED))
    ask(study)
    stored = optuna_trials(tmp_path)
    seen = with_values(stored, optuna.study.StudyDirection[direction.upper()])
    expected = {0: 3.0, 1: 4.0, 2: 4.0, 3: 4.0} if direction == "minimize" else {0: 3.0, 1: 6.0, 2: 3.0, 3: 3.0}
    assert {trial.number: trial.value for trial in seen if trial.state == TrialState.COMPLETE} == expected
    assert [trial.number for trial in seen if trial.state == TrialState.RUNNING] == [6]
    assert stored[2].state == TrialState.PRUNED


def test_importances_name_what_mattered_and_are_silent_with_too_few_trials(open_study: Open) -> None:
    study = open_study()
    for number in range(24):
        if number == 5:
            assert importances_of(study) == Importances()
        proposal = ask(study)
        value = abs(math.log10(proposal.params["training.learning_rate"]) + 2) + proposal.params["strategy.rank"] / 1e6
        study.tell(proposal.number, Outcome(OutcomeKind.COMPLETE), [measured(10, value)])
    with study.computing_importances() as importances:
        end(study, 1.0)  # as the study goes on meanwhile
        found = importances()
        assert importances() == found
    shares = found.shares
    assert next(iter(shares)) == "training.learning_rate"
    assert set(shares) == set(SPACE.dimensions) == set(found.ranges)
    assert sum(shares.values()) == pytest.approx(1)
    for name, (low, high) in found.ranges.items():
        assert 0 <= low < high <= 1, "trials that are drawn again tell another share"
        assert low - 0.2 < shares[name] < high + 0.2


def test_importances_cover_branches_and_their_own_parameters(open_study: Open) -> None:
    study = open_study([Branch("a", CONFIG, SPACE), Branch("b", CONFIG, Space({"strategy.rank": IntInterval(2, 32)}))])
    for _ in range(16):
        proposal = ask(study)
        value = 1.0 + proposal.params.get("b.strategy.rank", 100)
        study.tell(proposal.number, Outcome(OutcomeKind.COMPLETE), [measured(10, value)])
    shares = compute(study._study).shares  # what the process of its own does
    assert {"branch", "a.training.learning_rate", "a.strategy.rank", "b.strategy.rank"} <= set(shares)


def test_equal_values_have_no_importances(open_study: Open) -> None:
    study = open_study()
    for _ in range(8):
        end(study, 1.0)
    assert importances_of(study) == Importances()


ASK_NINE = """
import sys
from pathlib import Path
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, FloatInterval, Space
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Random
from ftsweep.search.storage.sqlite import close_storage, open_storage
from ftsweep.search.study import Study

branch = Branch("", {"x": 0.5}, Space({"x": FloatInterval(0.0, 1.0)}))
study = Study.open(Path(sys.argv[1]), sys.argv[2], Objective(), [branch], Random(), NoPruner(), seed=0, num_rungs=2)
for _ in range(9):
    study.tell(study.ask().number, Outcome(OutcomeKind.PRUNED))
print(study.num_asked)
"""


def test_studies_of_several_processes_share_one_database(tmp_path: Path) -> None:
    database = tmp_path / "new" / "optuna.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ASK_NINE, str(database), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    assert [process.communicate() for process in processes] == [("9\n", "")] * 2
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (18,)


def test_every_transaction_waits_for_its_turn_before_it_reads(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "optuna.db")
    with closing(sqlite3.connect(tmp_path / "optuna.db", timeout=0, isolation_level=None)) as other:
        with storage.engine.begin() as connection:
            connection.exec_driver_sql("SELECT 1")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    close_storage(storage)


def test_only_one_process_at_a_time_makes_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_while_locked(*args: Any, **settings: Any) -> RDBStorage:
        handle = os.open(tmp_path, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(handle)
        return RDBStorage(*args, **settings)

    monkeypatch.setattr("ftsweep.search.storage.sqlite.RDBStorage", made_while_locked)
    close_storage(open_storage(tmp_path / "optuna.db"))


ASK_GP = """
import json, sys
from pathlib import Path
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, FloatInterval, Space
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Gp
from ftsweep.search.storage.sqlite import close_storage, open_storage
from ftsweep.search.study import Study

branch = Branch("", {"x": 0.5}, Space({"x": FloatInterval(0.0, 1.0)}))
study = Study.open(
    Path(sys.argv[1]), "s", Objective(), [branch], Gp(startup_trials=3), NoPruner(), seed=0, num_rungs=1
)
for _ in range(6):
    proposal = study.ask()
    values = {"validation/loss": (proposal.params["x"] - 0.3) ** 2}
    study.tell(proposal.number, Outcome(OutcomeKind.COMPLETE), [Measurement(1, 1.0, 0, 0, 0.0, 0.0, values)])
helper = study._sampler._process._process
study.close()
print(json.dumps({"x": proposal.params["x"], "helper": helper.returncode, "torch": "torch" in sys.modules}))
"""


def test_gp_proposes_from_its_helper_and_leaves_this_process_without_torch(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK_GP, str(tmp_path / "optuna.db")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert answer["torch"] is False
    assert answer["helper"] is not None
    assert answer["x"] == pytest.approx(0.3, abs=0.05)


def test_gp_fit_that_dies_is_one_clear_error(open_study: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    study = open_study(sampler=Gp(startup_trials=1))
    end(study, 1.0)
    with pytest.raises(FtsweepError, match=r"helper process died"):
        study.ask()


def test_optunas_own_pages_call_the_value_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    with closing(Study.open(path, "s", Objective(), [BRANCH], Random(), NoPruner(), seed=0, num_rungs=2)):
        pass
    seen = optuna.load_study(study_name="s", storage=f"sqlite:///{path}")
    assert seen.metric_names == ["validation/loss"]


class Draws(Sampler):
    """Draws one value for everything; None: makes no sampler of Optuna's."""

    def __init__(self, value: object) -> None:
        self.value = value

    def make(self, ask: Ask) -> Any:
        value = self.value

        class Always(optuna.samplers.RandomSampler):
            def sample_independent(self, *_: Any, **__: Any) -> Any:
                return value

        return None if value is None else Always()


@pytest.mark.parametrize(("value", "said"), [(None, "Draws makes None"), (1e9, "proposes training"), ("x", "='x'")])
def test_sampler_of_ones_own_that_leaves_the_space_is_told_so(open_study: Open, value: object, said: str) -> None:
    study = open_study(sampler=Draws(value))
    study.ask()  # the default setting
    with pytest.raises(StudyError, match=said):
        study.ask()
