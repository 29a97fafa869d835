"""A grid that really trains on the toy language and is killed three times: every point is trained once all the same."""

from pathlib import Path

import pytest

from sleep_tune.experiment.event_log import read_events
from sleep_tune.experiment.search_state import SearchState, fold_events
from sleep_tune.search.run.launch import PreparedSearch
from tests.search.run.killing import kill_when

SPACE = """\
name: grid
base: {data: toy, data.sentences: 200, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 2,
       evaluation.samples: 16, evaluation.pairs: 24, training.save_model: false, training.checkpoint_ratio: 0.1,
       training.threads: 1}
parameters:
  sleep.folds: {choice: [1, 2]}
  sleep.replay.strategy: {choice: [strict, random]}
  sleep.replay.decay: {choice: [0.0, 0.5], when: {sleep.replay.strategy: [strict]}}
search: {algorithm: grid}
finalists: {count: 0}
"""

POINTS = [
    {"sleep.folds": folds, "sleep.replay.strategy": strategy} | decay
    for folds in (1, 2)
    for strategy, decay in (
        ("strict", {"sleep.replay.decay": 0.0}),
        ("strict", {"sleep.replay.decay": 0.5}),
        ("random", {}),
    )
]


def state(folder: Path) -> SearchState:
    return fold_events(read_events(folder / "grid" / "trials.jsonl"))


def kill_after(folder: Path, starts: int) -> None:
    """Search until so many attempts have started in this session and the last one has reported, then kill it."""
    log = folder / "grid" / "trials.jsonl"

    def num_started() -> int:
        return log.read_text(encoding="utf-8").count('"event":"started"') if log.exists() else 0

    before = num_started()
    kill_when(folder, "grid.yaml", lambda: num_started() >= before + starts)


@pytest.mark.slow
def test_killed_three_times(tmp_path: Path) -> None:
    """Its trials and their results are those of a search that was not killed."""
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "grid.yaml").write_text(SPACE)
    for starts in (2, 1, 3):
        kill_after(tmp_path / "killed", starts)
    for name in ("killed", "whole"):
        space = tmp_path / name / "grid.yaml"
        PreparedSearch.read(space, [], space.parent).run(launcher="inline", address=None)
    killed, whole = (state(tmp_path / name) for name in ("killed", "whole"))
    assert killed.sessions == 4
    for each in (killed, whole):
        assert [trial.parameters for trial in each.trials.values()] == POINTS
        assert {trial.state for trial in each.trials.values()} <= {"completed", "stopped"}
    for name, trial in whole.trials.items():
        again = killed.trials[name]
        assert (again.state, again.value, again.rungs) == (trial.state, trial.value, trial.rungs)
