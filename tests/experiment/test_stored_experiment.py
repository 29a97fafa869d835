"""An experiment's folder that version 67fd32a wrote is read, tabulated and resumed by this version.

That version ran the study of `tests.search.studies` with the fake worker and was killed while t0008 ran.
`finished.json` holds the trials of the same search without the kill. Two of the run folders are kept.
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.experiment_file import describe_experiment
from sleep_tune.experiment.run_folder import record_run
from sleep_tune.experiment.search_state import SearchState, fold_events
from sleep_tune.records import Outcome, Report
from sleep_tune.results.comparison import compare
from sleep_tune.results.trial_tables import read_curves, read_trials
from sleep_tune.search.monitor.status import show_status
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Choice, Parameter
from tests.search.monitor.shown import console, text_of
from tests.search.studies import open_search, study

STORED = Path(__file__).parent / "stored_67fd32a"
RATE = Parameter("training.learning_rate", Choice((1e-3, 1e-4, 0.1)))
"""`study` lists these rates in another order now."""
SPACE = study(parameters=(*study().parameters[:-1], RATE))


def curve(config: RunConfig, seed: int, share: float) -> float:
    """Return the loss that the fake worker replayed when the folder was made."""
    if config.training.learning_rate > 0.05 and share >= 0.5:
        return math.nan
    sleep = config.sleep
    floor = (
        3.0 + 0.5 / sleep.folds + (sleep.replay.ratio - 0.5) ** 2 + abs(math.log10(config.training.learning_rate) + 3)
    )
    return floor + 5.0 * math.exp(-3.0 * share) + seed % 7 / 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(STORED, tmp_path / "small", ignore=shutil.ignore_patterns("finished.json"))


def described(state: SearchState) -> dict[str, Any]:
    return {
        trial.id: {
            "role": trial.role,
            "arm": trial.arm,
            "seed": trial.seed,
            "parameters": trial.parameters,
            "state": trial.state,
            "value": trial.value,
            "rungs": {str(rung): repr(value) for rung, value in trial.rungs.items()},
        }
        for trial in state.trials.values()
    }


def test_it_is_read(folder: Path) -> None:
    experiment = describe_experiment(folder)
    assert (experiment.name, experiment.objective, experiment.mode) == ("small", "eval/nll", "min")
    assert experiment.tuned == {"epochs": 3, "as_epochs": 0}
    state = fold_events(read_events(folder / LOG))
    finished = json.loads((STORED / "finished.json").read_text())
    for name, trial in described(state).items():
        if state.trials[name].ended:
            assert trial == finished[name]
    screen = console(80)
    show_status(folder, (), folder.parent, screen)
    assert "small" in text_of(screen)


def test_its_tables_are_made(folder: Path) -> None:
    trials, curves = read_trials(folder), read_curves(folder)
    (running,) = trials.index[trials["state"] == "running"]
    assert running == len(trials) - 1
    assert set(curves["trial"]) <= set(trials["trial"])
    assert not compare(folder).arms


def test_it_is_resumed_and_ends_with_the_same_trials(folder: Path) -> None:
    """The run folder of the trial that was running is recognised: its configuration is the same."""
    resumed = {}

    def work(config: RunConfig, report: Report) -> Outcome:
        run = Path(config.run.dir or "")
        resumed[run.name] = record_run(run, config)
        return FakeWorker(curve=curve)(config, report)

    director = open_search(folder, SPACE)
    assert director.changes == []
    run_inline(director, work)
    director.close()
    assert described(director.state) == json.loads((STORED / "finished.json").read_text())
    assert [name for name, was_there in resumed.items() if was_there] == ["t0008"]
    assert described(fold_events(read_events(folder / LOG))) == described(director.state)
    assert {arm.name for arm in compare(folder).arms} == {"epochs", "as_epochs", "t0002", "t0008"}
