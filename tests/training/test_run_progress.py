"""Counts and milestones of a run."""

from pathlib import Path

import pytest

from sleep_tune.data.prepare import Corpus
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.run_progress import Milestones, RunProgress
from sleep_tune.training.session import open_stream
from tests.training.runs import make_config


def make_progress(corpus: Corpus, *, batches: int = 0) -> RunProgress:
    """Without sleep, after some batches."""
    config = make_config(Path("unused"), sleep=False)
    stream = open_stream(config, corpus, ProcessGroup())
    for _ in range(batches):
        stream.next_batch()
    return RunProgress(stream, seconds=5.0, updates=batches)


def test_progress_is_the_streams(corpus: Corpus) -> None:
    made = make_progress(corpus, batches=3)
    stream = made.stream
    progress = made.snapshot(rung=7, metrics={"eval/nll": 1.0})
    assert progress.words_seen == stream.words_seen > 0
    assert progress.budget_words == stream.plan.budget_words
    assert (progress.updates, progress.phase, progress.fold, progress.folds) == (3, "wake", 0, 1)
    assert progress.read_ratio == stream.read_ratio
    assert (progress.rung, progress.metrics) == (7, {"eval/nll": 1.0})
    assert progress.seconds >= 5.0
    assert made.line().keys() == {
        *("words_seen", "updates", "phase", "cycle", "pass_index", "fold", "read_ratio", "seconds")
    }


@pytest.mark.parametrize("ratio", [0.07, 0.25, 1.0])
def test_milestones_are_passed_once_each(ratio: float, corpus: Corpus) -> None:
    progress = make_progress(corpus)
    milestones = Milestones(progress, ratio)
    passed = 0
    while progress.stream.next_batch() is not None:
        passed += milestones.passed()
    assert passed == int(progress.words_seen / (ratio * progress.budget_words))
    assert not milestones.passed()


def test_a_share_of_nothing_is_never_passed(corpus: Corpus) -> None:
    progress = make_progress(corpus)
    milestones = Milestones(progress, 0)
    while progress.stream.next_batch() is not None:
        assert not milestones.passed()


def test_milestones_of_a_resumed_run_are_those_of_an_uncut_one(corpus: Corpus) -> None:
    whole = make_progress(corpus)
    milestones = Milestones(whole, 0.07)
    expected = []
    while whole.stream.next_batch() is not None:
        expected.append(milestones.passed())
    for cut in range(0, len(expected), 7):
        progress = make_progress(corpus, batches=cut)
        milestones = Milestones(progress, 0.07)
        after = []
        while progress.stream.next_batch() is not None:
            after.append(milestones.passed())
        assert after == expected[cut:]
