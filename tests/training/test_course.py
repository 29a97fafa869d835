"""Counts and marks."""

from pathlib import Path

import pytest
import torch

from sleep_tune.data.prepare import Corpus
from sleep_tune.training.course import Course, Marks
from sleep_tune.training.feed import Feed
from sleep_tune.training.peers import Peers
from sleep_tune.training.session import open_stream
from tests.training.runs import make_config


def make_course(corpus: Corpus, *, batches: int = 0) -> Course:
    """Without sleep, after some batches."""
    config = make_config(Path("unused"), sleep=False)
    feed = Feed(
        open_stream(config, corpus, Peers()),
        corpus.train,
        config.training.masking,
        seed=0,
        device=torch.device("cpu"),
        peers=Peers(),
    )
    for _ in range(batches):
        feed.next()
    return Course(feed, seconds=5.0, updates=batches)


def test_progress_is_the_streams(corpus: Corpus) -> None:
    course = make_course(corpus, batches=3)
    stream = course.feed.stream
    progress = course.progress(rung=7, metrics={"eval/nll": 1.0})
    assert progress.words_seen == stream.words_seen > 0
    assert progress.budget_words == stream.plan.budget_words
    assert (progress.updates, progress.phase, progress.fold, progress.folds) == (3, "wake", 0, 1)
    assert progress.read_ratio == stream.read_ratio
    assert (progress.rung, progress.metrics) == (7, {"eval/nll": 1.0})
    assert progress.seconds >= 5.0
    assert course.line().keys() == {
        *("words_seen", "updates", "phase", "cycle", "pass_index", "fold", "read_ratio", "seconds")
    }


@pytest.mark.parametrize("ratio", [0.07, 0.25, 1.0])
def test_marks_are_passed_once_each(ratio: float, corpus: Corpus) -> None:
    course = make_course(corpus)
    marks = Marks(course, ratio)
    passed = 0
    while course.feed.next() is not None:
        passed += marks.passed()
    assert passed == int(course.words_seen / (ratio * course.budget_words))
    assert not marks.passed()


def test_a_share_of_nothing_is_never_passed(corpus: Corpus) -> None:
    course = make_course(corpus)
    marks = Marks(course, 0)
    while course.feed.next() is not None:
        assert not marks.passed()


def test_marks_of_a_resumed_run_are_those_of_an_uncut_one(corpus: Corpus) -> None:
    whole = make_course(corpus)
    marks = Marks(whole, 0.07)
    expected = []
    while whole.feed.next() is not None:
        expected.append(marks.passed())
    for cut in range(0, len(expected), 7):
        course = make_course(corpus, batches=cut)
        marks = Marks(course, 0.07)
        after = []
        while course.feed.next() is not None:
            after.append(marks.passed())
        assert after == expected[cut:]
