"""A study that grew after a first table says so, with how."""

from collections.abc import Sequence
from typing import Any

import pytest

from sleep_tune.experiment.event_log import read_events
from sleep_tune.results.comparison import compare
from sleep_tune.results.study_growth import StudySize, describe_growth, find_growth
from tests.results.conftest import has_note, outcome


def grow(log: Any, steps: Sequence[int], *, arms: Sequence[str] = ("epochs", "t0001"), finish: bool = True) -> None:
    """Runs of each arm over more and more seeds; the study ends after each step."""
    log.open()
    before = 0
    for step in steps:
        for seed in range(before, step):
            for arm in arms:
                nll = 2.0 + seed / 10 - (0.5 + seed / 100) * (arm != "epochs")
                log.run(arm, seed, nll, 0.9, role="baseline" if arm == "epochs" else "finalist")
        before = step
        if finish or step != steps[-1]:
            log.event("closed", finished=True)
        log.event("resumed")


def test_a_study_that_ended_once_has_not_grown(log: Any) -> None:
    grow(log, [5])
    comparison = compare(log.folder)
    assert comparison.growth == (StudySize(seeds=5, arms=2, trials=0),)
    assert not any("grew" in text for text in (*comparison.notes, comparison.verdict))


@pytest.mark.parametrize("finish", [True, False])
def test_seeds_that_were_added_are_counted_and_named(log: Any, finish: bool) -> None:
    """Whether or not the new ones have all been run. The log is of a version that kept nothing for them: 5% + 0.5%."""
    grow(log, [3, 5, 8], finish=finish)
    comparison = compare(log.folder)
    assert [size.seeds for size in comparison.growth] == [3, 5, 8]
    assert has_note(comparison, "grew from the planned 3 to 8 seeds", "5.5%")
    assert outcome(comparison) == "better"
    assert "grew from the planned 3 to 8 seeds" in comparison.verdict


def test_a_study_that_was_interrupted_and_resumed_has_not_grown(log: Any) -> None:
    grow(log, [5])
    log.event("closed", finished=False)
    log.event("resumed")
    log.event("closed", finished=True)
    assert len(find_growth(read_events(log.path))) == 1


def test_trials_and_arms_that_were_added_are_named(log: Any) -> None:
    log.open()
    log.ask("t0001")
    log.run("epochs", 1, 2.0, 0.9)
    log.event("closed", finished=True)
    log.ask("t0002")
    log.run("t0002", 1, 1.9, 0.9, role="finalist")
    assert describe_growth(find_growth(read_events(log.path))) == "arms 1 -> 2, trials of all searches 1 -> 2"
    assert has_note(compare(log.folder), "Warning", "arms 1 -> 2, trials of all searches 1 -> 2")


def test_a_log_without_an_end_has_one_size(log: Any) -> None:
    log.open()
    assert find_growth(read_events(log.path)) == (StudySize(0, 0, 0),)


def test_an_arm_whose_settings_were_changed_is_another_arm(log: Any) -> None:
    """Settings that are chosen after a first table are a second try."""
    log.open()
    log.run("epochs", 1, 2.0, 0.9)
    log.run("strict", 1, 1.9, 0.9, role="arm", parameters={"sleep.folds": 5})
    log.event("closed", finished=True)
    log.event("resumed")
    log.ask("strict-v2-s1", role="arm", arm="strict", seed=1, parameters={"sleep.folds": 6})
    assert describe_growth(find_growth(read_events(log.path))) == "arms 2 -> 3"
