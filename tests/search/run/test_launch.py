import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.console import PlainConsole
from sleep_tune.errors import ConfigError, DiskError, RunFolderError, UserError
from sleep_tune.records import Outcome, Report
from sleep_tune.search.plan.plan_record import Plan
from sleep_tune.search.plan.plan_view import show_plan
from sleep_tune.search.run.fake_worker import TOY_CORPUS, FakeWorker
from sleep_tune.search.run.launch import Interrupted, PreparedSearch
from sleep_tune.search.space.search_space import Claim, Stop
from tests.messages import raises_naming
from tests.search.fake_search import study

SCRIPT = Path(__file__).parents[1] / "fake_search.py"


def test_the_inline_launcher_runs_a_whole_study(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path / "study"), "--launcher", "inline"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in (tmp_path / "study" / "trials.jsonl").read_text().splitlines()]
    assert events[-1]["data"] == {"finished": True}
    assert sum(event["event"] == "completed" for event in events) >= 5
    assert "1 slot of 1 worker" in shown.stdout
    assert "prints this" not in shown.stdout
    assert shown.stderr == ""
    assert "t0001 prints this" in (tmp_path / "study" / "logs" / "driver.log").read_text()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_a_signal_ends_the_session_and_the_same_search_resumes(tmp_path: Path) -> None:
    def interrupted(config: RunConfig, report: Report) -> Outcome:
        os.kill(os.getpid(), signal.SIGINT)
        return FakeWorker()(config, report)

    with pytest.raises(Interrupted, match="SIGINT") as caught:
        study(tmp_path / "study", worker=interrupted).run(launcher="inline", address=None)
    assert caught.value.exit_code == 130
    events = [json.loads(line) for line in (tmp_path / "study" / "trials.jsonl").read_text().splitlines()]
    assert events[-1]["data"] == {"finished": False}
    study(tmp_path / "study", worker=FakeWorker()).run(launcher="inline", address=None)


def test_a_mistake_before_the_first_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    search = study(tmp_path / "results" / "study", trials=3, worker=FakeWorker())
    endless = PreparedSearch(
        space=search.space.__class__(**vars(search.space) | {"baselines": {}, "parameters": ()}),
        base=search.base,
        corpus=search.corpus.__class__(words=10, samples=1),
        folder=search.folder,
        worker=search.worker,
    )
    with pytest.raises(ValueError, match="batches of a pass"):
        endless.run(launcher="inline", address=None)
    assert not (tmp_path / "results").exists()


def test_a_mistake_met_by_a_trial_keeps_what_was_trained(tmp_path: Path) -> None:
    def full(config: RunConfig, report: Report) -> Outcome:
        raise DiskError("no space left")

    with pytest.raises(DiskError, match="no space left"):
        study(tmp_path / "study", worker=full).run(launcher="inline", address=None)
    assert (tmp_path / "study" / "trials.jsonl").exists()


def test_a_plan_has_the_slots_and_writes_nothing(tmp_path: Path) -> None:
    search = study(tmp_path / "study", worker=FakeWorker())
    plan = search.plan(launcher="inline", address=None)
    assert plan.slots.description.startswith("1 slot of 1 worker")
    assert plan.trials == 3
    assert plan.speed is None
    assert not (tmp_path / "study").exists()


def test_a_plan_refuses_the_folder_of_another_study(tmp_path: Path) -> None:
    search = study(tmp_path / "x", worker=FakeWorker())
    search.run(launcher="inline", address=None)
    search.plan(launcher="inline", address=None)
    other = replace(search, space=replace(search.space, comparison=Claim(reference="as_epochs")))
    for start in (other.plan, other.run):
        with raises_naming(RunFolderError, "comparison.reference", "as_epochs"):
            start(launcher="inline", address=None)


def test_a_plan_has_the_scatter_of_earlier_runs(tmp_path: Path) -> None:
    """Of the experiment that is given, or else of its own."""
    search = study(tmp_path / "x", worker=FakeWorker())
    search.run(launcher="inline", address=None)
    new = study(tmp_path / "new", worker=FakeWorker())
    plans = (
        search.plan(launcher="inline", address=None),
        new.plan(launcher="inline", address=None, earlier=tmp_path / "x"),
    )
    own, given = (plan.power for plan in plans)
    assert own is not None and own.scatter is not None
    assert own == given
    fresh = new.plan(launcher="inline", address=None).power
    assert fresh is not None and fresh.scatter is None


def test_a_search_says_what_its_text_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = ("text: train 7 words (a [b].txt)", "warning: of test, all also occurs in train")
    corpus = replace(TOY_CORPUS, description=lines)
    replace(study(tmp_path / "study", worker=FakeWorker()), corpus=corpus).run(launcher="inline", address=None)
    shown = capfd.readouterr().out.splitlines()
    assert shown[1:3] == list(lines)


def test_a_calibrated_plan_leaves_its_speed_to_later_plans(tmp_path: Path) -> None:
    search = study(tmp_path / "study", worker=FakeWorker())
    plan = search.plan(launcher="inline", address=None, calibrated=True)
    assert plan.speed is not None
    assert plan.span is not None
    assert not (tmp_path / "study").exists()
    again = search.plan(launcher="inline", address=None)
    assert (again.speed, again.span) == (plan.speed, plan.span)


EXCESS = """\
base: {data: toy, data.sentences: 400, tokenizer.vocab_size: 300, model: tiny, budget.passes: 3, sleep.folds: 2}
comparison: {reference: plain}
arms: {plain: {}, excess: {sleep.replay.signal: excess, sleep.replay.normalise: rank, sleep.replay.reference: absent}}
stop: {trials: 0}
"""


def test_a_reference_model_that_an_arm_lacks_is_refused_before_the_first_trial(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(EXCESS)
    search = PreparedSearch.read(tmp_path / "x.yaml", [], tmp_path)
    with raises_naming(UserError, "x.yaml:3: arms.excess", "absent"):
        search.plan(launcher="inline", address=None)
    with raises_naming(UserError, "x.yaml:3: arms.excess", "absent"):
        search.run(launcher="inline", address=None)
    assert not (tmp_path / "x" / "trials.jsonl").exists()


def test_a_space_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        PreparedSearch.read(tmp_path / "none.yaml", (), tmp_path)


def _printed(plan: Plan) -> str:
    text = io.StringIO()
    show_plan(plan, PlainConsole(file=text))
    return " ".join(text.getvalue().split())


def test_the_plan_of_a_folder_that_exists_says_what_is_done(tmp_path: Path) -> None:
    """It refuses what the search would refuse, and writes nothing."""
    search = study(tmp_path / "study", worker=FakeWorker())
    assert search.plan(launcher="inline", address=None).done is None

    def interrupted(config: RunConfig, report: Report) -> Outcome:
        if config.run.name == "t0002":
            os.kill(os.getpid(), signal.SIGINT)
        return FakeWorker()(config, report)

    with pytest.raises(Interrupted):
        replace(search, worker=interrupted).run(launcher="inline", address=None)
    before = (tmp_path / "study" / "trials.jsonl").read_bytes()
    plan = search.plan(launcher="inline", address=None)
    assert plan.done is not None and not plan.done.is_over and plan.done.changes == ()
    assert plan.left == plan.runs - sum(plan.done.ended.values()) > 0
    larger = replace(search, space=replace(search.space, stop=Stop(trials=5))).plan(launcher="inline", address=None)
    assert larger.done is not None and larger.done.changes == ("stop.trials: 3 -> 5",)
    assert (tmp_path / "study" / "trials.jsonl").read_bytes() == before

    search.run(launcher="inline", address=None)
    plan = search.plan(launcher="inline", address=None)
    assert plan.done is not None and plan.done.is_over
    assert plan.left == 0
    assert dict(plan.done.ended) == {part.name: part.runs for part in plan.parts}
    assert "nothing is left" in _printed(plan)
    (seeds,) = search.space.finalists.looks
    more = replace(search.space.finalists, seeds=seeds + 1)
    grown = _printed(replace(search, space=replace(search.space, finalists=more)).plan(launcher="inline", address=None))
    assert f"began with finalists.seeds: {seeds}," in grown
    assert "in 80%" not in grown

    (tmp_path / "study" / "trials" / "t9999").mkdir(parents=True)
    (tmp_path / "study" / "trials" / "t9999" / "config.yaml").write_text("")
    with raises_naming(RunFolderError, "t9999"):
        search.plan(launcher="inline", address=None)


def test_a_plan_warns_of_a_space_without_a_baseline(tmp_path: Path) -> None:
    search = study(tmp_path / "study", worker=FakeWorker())
    alone = replace(search, space=replace(search.space, baselines={}))
    for plan, warns in (
        (search.plan(launcher="inline", address=None), False),
        (alone.plan(launcher="inline", address=None), True),
    ):
        text = io.StringIO()
        show_plan(plan, PlainConsole(file=text))
        assert ("no baseline" in text.getvalue()) is warns


def test_a_search_gains_a_tracker_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New runs have it, those that have ended do not, and the search says so, once."""
    search = study(tmp_path / "study", worker=FakeWorker())
    search.run(launcher="inline", address=None)
    tracked = {}

    def remember(config: RunConfig, report: Report) -> Outcome:
        tracked[config.run.name] = config.tracking.tensorboard
        return FakeWorker()(config, report)

    base = replace(search.base, tracking=TrackingConfig(tensorboard=True))
    for trials, says in ((4, True), (5, False)):
        capsys.readouterr()
        longer = replace(search, base=base, space=replace(search.space, stop=Stop(trials=trials)), worker=remember)
        longer.run(launcher="inline", address=None)
        assert ("tracked from now on (tensorboard)" in capsys.readouterr().out) is says
    assert {"t0004", "t0005"} <= tracked.keys() and all(tracked.values())
    assert read_yaml(tmp_path / "study" / "experiment.yaml")["base"]["tracking"]["tensorboard"] is True


def test_a_model_that_cannot_be_made_is_refused_before_the_text_is_read(tmp_path: Path) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("{base: {data: text}, parameters: {sleep.folds: {choice: [2]}}, stop: {trials: 1}}")
    wrong = ["model=hf", "model.config=optt", f"data.path={tmp_path / 'none'}"]
    with raises_naming(ConfigError, "optt", "opt"):
        PreparedSearch.read(space, wrong, tmp_path)
