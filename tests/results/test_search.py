"""The log of a real search, with a worker that replays curves, read by this layer: the two speak one language."""

from pathlib import Path

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.results.comparison import compare
from sleep_tune.results.trial_tables import read_curves, read_trials
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS, FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Baseline, Choice, Finalists, Parameter, Space, Stop, Uniform
from tests.results.conftest import has_note


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve trials, the baseline tuned by two of its own, and two finalists over three seeds."""
    space = Space(
        name="study",
        parameters=(
            Parameter("sleep.folds", Choice((5, 10, 20))),
            Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)),
            Parameter("training.learning_rate", Uniform(0.001, 0.04)),
        ),
        stop=Stop(trials=12),
        baselines={"epochs": Baseline(trials=2, parameters=("training.learning_rate",)), "as_epochs": Baseline()},
        finalists=Finalists(count=2, seeds=3),
    )
    folder = tmp_path_factory.mktemp("results") / "study"
    director = Director(space, RunConfig(), TOY_CORPUS, folder)
    run_inline(director, FakeWorker())
    director.close()
    return folder


def test_every_trial_is_a_row_with_the_directors_data(folder: Path) -> None:
    table = read_trials(folder).set_index("trial")
    assert len(table) == 12 + 2 + 4 * 3
    assert set(table["state"]) <= {"completed", "stopped", "failed"}
    completed = table[table["state"] == "completed"]
    assert (completed["words_seen"] == completed["budget_words"]).all()
    assert completed["eval/nll"].notna().all()
    assert completed.loc[completed["study"] == "", "test/nll"].notna().all()
    assert table["sleep.folds"].dropna().isin([5, 10, 20]).all()


def test_curves_hold_every_rung_that_was_judged(folder: Path) -> None:
    curves = read_curves(folder)
    judged = curves[curves["decision"].notna() & (curves["metric"] == "eval/nll")]
    assert set(judged["decision"]) <= {"continue", "stop"}
    assert len(judged) >= 12
    assert (judged["rung"] < 1_000_000).all()


def test_the_comparison_has_every_arm_with_an_interval(folder: Path) -> None:
    comparison = compare(folder)
    assert [arm.kind for arm in comparison.arms] == ["baseline", "control", "finalist", "finalist"]
    for arm in comparison.arms:
        assert len(arm.seeds) == 3
        estimate = arm.estimates["test/nll"]
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.mean < estimate.high
    assert has_note(comparison, "Tuned: the finalists", "12 trials")
    assert has_note(comparison, "Tuned: epochs", "2 trials")
    assert has_note(comparison, "Not tuned: as_epochs, ")
    assert comparison.arms[0].parameters.keys() == {"training.learning_rate"}
