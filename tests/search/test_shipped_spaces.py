"""Every shipped search space in miniature: all by a worker that trains nothing, some by one that trains."""

from pathlib import Path

import pytest

from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.run.worker import summarize, train_worker
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import CorpusSummary
from sleep_tune.search.space.settings import list_settings
from sleep_tune.search.space.space_file import load_space

SPACES = Path(__file__).parents[2] / "search_spaces"

STRICT_SMALL = CorpusSummary(words=10_000_000, samples=111_600)
"""Size of BabyLM's strict-small, for which most of the spaces are made."""

FEWER = {
    "replay": ["stop.trials=5", "baselines.epochs.trials=3"],
    "causal": ["stop.trials=5", "baselines.epochs.trials=3"],
    "ancestor_sweep": ["stop.trials=5"],
    "knobs": ["stop.trials=12"],
}
"""Overrides that make a search short."""


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_is_searched_to_its_end(path: Path, tmp_path: Path) -> None:
    space = load_space(path, ["data=toy", *FEWER.get(path.stem, ())])
    director = Director(space, compose_base(space), STRICT_SMALL, tmp_path / path.stem)
    run_inline(director, FakeWorker(corpus=STRICT_SMALL))
    assert director.finished
    trials = director.trials.values()
    for arm in (*space.baselines, *space.arms):
        runs = [trial for trial in trials if trial.arm == arm and not trial.study]
        assert [run.state for run in runs] == ["completed"] * space.finalists.most_seeds
        parents = [None if run.matched is None else director.trials[run.matched] for run in runs]
        assert all(parent is None or parent.seed == run.seed for run, parent in zip(runs, parents, strict=True))
    assert {trial.state for trial in trials} <= {"completed", "stopped", "refused", "failed"}
    if space.search.algorithm == "grid":
        searched = [trial.parameters for trial in trials if trial.study == "search"]
        assert searched == list(list_settings(space.parameters))
    director.close()


TINY = [
    *("data=toy", "data.sentences=400", "data.max_length=64", "tokenizer.vocab_size=300", "model=tiny"),
    *("evaluation.samples=8", "evaluation.pairs=0", "finalists.seeds=1", "finalists.rungs=[]", "budget.passes=4"),
    *("training.batch_size=16", "training.save_model=false"),
]

REAL = {
    "ancestor_arms": ["sleep.folds=2"],
    "controls": ["arms.sleep.sleep.folds=2"],
    "knobs": ["sleep.folds=2", "stop.trials=3", "finalists.count=1", "baselines={}"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_it_really_trains(name: str, tmp_path: Path) -> None:
    """Controls find the exposures of their parents, and options of every knob are trained with."""
    space = load_space(SPACES / f"{name}.yaml", [*TINY, *REAL[name]])
    base = compose_base(space)
    director = Director(space, base, summarize(base), tmp_path / name)
    run_inline(director, train_worker)
    assert director.finished
    assert {trial.state for trial in director.trials.values()} <= {"completed", "stopped"}
    assert {*space.arms} <= {trial.arm for trial in director.trials.values() if trial.state == "completed"}
    director.close()
