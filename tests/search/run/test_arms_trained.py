"""Arms that really train on the toy language: a control has the exposures of its parent, also after kills."""

from pathlib import Path

import numpy as np
import pytest

from sleep_tune.experiment.event_log import read_events
from sleep_tune.experiment.exposures import read_exposures
from sleep_tune.experiment.run_folder import read_config
from sleep_tune.experiment.search_state import SearchState, fold_events
from sleep_tune.search.run.launch import PreparedSearch
from tests.search.run.killing import kill_when

SPACE = """\
base: {data: toy, data.sentences: 200, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 3,
       evaluation.samples: 16, evaluation.pairs: 24, training.checkpoint_ratio: 0.1, training.threads: 1,
       training.save_model: false}
stop: {trials: 0}
arms: {shuffled: {matched: strict}, strict: {sleep: strict, sleep.folds: 2}}
comparison: {reference: strict}
finalists: {seeds: 1, rungs: []}
"""


def write(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "arms.yaml").write_text(SPACE)


def run(folder: Path) -> None:
    """Run the study, or what is left of it, to its end."""
    PreparedSearch.read(folder / "arms.yaml", [], folder).run(launcher="inline", address=None)


def state(folder: Path) -> SearchState:
    return fold_events(read_events(folder / "arms" / "trials.jsonl"))


def check(folder: Path) -> None:
    """Check that the control saw each sample as often as its parent did, in another order."""
    trials = {trial.arm: trial for trial in state(folder).trials.values()}
    assert list(trials) == ["strict", "shuffled"]
    assert {trial.state for trial in trials.values()} == {"completed"}
    parent, control = (folder / "arms" / "trials" / trials[arm].id for arm in ("strict", "shuffled"))
    assert trials["shuffled"].matched == parent.name
    times_seen = read_exposures(parent).times_seen
    assert times_seen.max() > 1
    assert np.array_equal(times_seen, read_exposures(control).times_seen)
    assert read_config(control).sleep.matched == str(parent.resolve())
    ends = [trial.outcome for trial in trials.values() if trial.outcome is not None]
    assert ends[0].words_seen == ends[1].words_seen
    assert ends[0].metrics["test/nll"] != ends[1].metrics["test/nll"]


def test_a_control_has_the_exposures_of_its_parent(tmp_path: Path) -> None:
    write(tmp_path)
    run(tmp_path)
    check(tmp_path)


def kill_in(folder: Path, arm: str) -> None:
    """Run until a run of this arm has started and trained for a moment, then kill the process."""
    log = folder / "arms" / "trials.jsonl"
    kill_when(
        folder,
        "arms.yaml",
        lambda: log.exists() and any(trial.arm == arm and trial.attempt for trial in state(folder).trials.values()),
    )


@pytest.mark.slow
def test_killed_while_the_parent_and_while_the_control_runs(tmp_path: Path) -> None:
    """At the first kill the control has not been asked for. The results are those of a study that was not killed."""
    for name in ("killed", "whole"):
        write(tmp_path / name)
    kill_in(tmp_path / "killed", "strict")
    assert [trial.arm for trial in state(tmp_path / "killed").trials.values()] == ["strict"]
    (tmp_path / "killed").rename(tmp_path / "moved")
    kill_in(tmp_path / "moved", "shuffled")
    (tmp_path / "moved").rename(tmp_path / "again")
    for name in ("again", "whole"):
        run(tmp_path / name)
    killed, whole = (state(tmp_path / name) for name in ("again", "whole"))
    assert {name: trial.value for name, trial in killed.trials.items()} == {
        name: trial.value for name, trial in whole.trials.items()
    }
    assert killed.sessions == 3
