"""A paused run saves and ends; started again, it continues as if it had not been paused."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleep_tune.data.prepare import Corpus
from sleep_tune.experiment.run_folder import read_outcome
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.training.attempts import find_latest
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.run import train
from sleep_tune.training.rung_evaluation import Rungs
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh

RUNGS = (0.2, 0.45, 0.7)


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(
        make_config(folder, rungs=RUNGS, checkpoint_ratio=0), keep_training, corpus=corpus, evaluate=weigh
    )


def at_beat(number: int) -> Callable[[Progress], Decision]:
    """Pause at the heartbeat of that number."""
    beats = 0

    def report(progress: Progress) -> Decision:
        nonlocal beats
        beats += progress.rung is None
        return Decision.PAUSE if progress.rung is None and beats == number else Decision.CONTINUE

    return report


def at_rung(number: int) -> Callable[[Progress], Decision]:
    """Pause at the rung of that number."""
    rungs = 0

    def report(progress: Progress) -> Decision:
        nonlocal rungs
        rungs += progress.rung is not None
        return Decision.PAUSE if progress.rung is not None and rungs == number else Decision.CONTINUE

    return report


def paused(config: Any, report: Callable[[Progress], Decision], corpus: Corpus) -> Outcome:
    """Run into the pause, and check what it leaves."""
    folder = Path(config.run.dir)
    outcome = train(config, report, corpus=corpus, evaluate=weigh)
    assert outcome.state == "paused"
    assert outcome.metrics == {}
    assert read_outcome(folder) is None
    assert not (folder / "model").exists()
    checkpoint = find_latest(folder)
    assert checkpoint is not None
    assert checkpoint.updates == outcome.updates
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"accumulation": 3, "log_ratio": 0.07}])
def test_a_run_paused_at_a_rung_equals_one_that_was_not(
    options: dict[str, Any], whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path
) -> None:
    """Batches, losses, sleeps and rungs are those of the whole run; no rung is reported twice."""
    folder, expected = whole
    if options:
        folder = tmp_path / "whole"
        config = make_config(folder, rungs=RUNGS, checkpoint_ratio=0, **options)
        expected = train(config, keep_training, corpus=corpus, evaluate=weigh)
    config = make_config(tmp_path / "cut", rungs=RUNGS, checkpoint_ratio=0, **options)
    for _ in range(2):
        paused(config, at_rung(1), corpus)
    reported: list[int | None] = []

    def report(progress: Progress) -> Decision:
        reported.append(progress.rung)
        return Decision.CONTINUE

    assert same_outcome(train(config, report, corpus=corpus, evaluate=weigh), expected)
    assert read_lines(tmp_path / "cut") == read_lines(folder)
    budget = int(3.5 * corpus.train.num_words)
    assert [rung for rung in reported if rung] == [round(RUNGS[-1] * budget), budget]


@pytest.mark.slow
def test_a_heartbeat_pauses_after_its_update(whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path) -> None:
    """Again and again, so that each attempt makes one update, until nothing is left to do but to end."""
    config = make_config(tmp_path, rungs=RUNGS, checkpoint_ratio=0)
    updates = [paused(config, at_beat(1), corpus).updates for _ in range(4)]
    assert updates == [1, 2, 3, 4]
    assert same_outcome(train(config, keep_training, corpus=corpus, evaluate=weigh), whole[1])
    assert read_lines(tmp_path) == read_lines(whole[0])


@pytest.mark.slow
def test_a_run_may_be_paused_after_its_last_update(whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path, rungs=RUNGS, checkpoint_ratio=0)
    last = whole[1].words_seen

    def report(progress: Progress) -> Decision:
        at_end = progress.rung is not None and progress.words_seen == last
        return Decision.PAUSE if at_end and progress.rung != progress.budget_words else Decision.CONTINUE

    config.evaluation.rungs = (*RUNGS, last / int(3.5 * corpus.train.num_words))
    assert paused(config, report, corpus).updates == whole[1].updates
    assert same_outcome(train(config, keep_training, corpus=corpus, evaluate=weigh), whole[1])
    assert read_lines(tmp_path, "train") == read_lines(whole[0], "train")


@pytest.mark.slow
def test_rungs_of_one_update_are_all_reported_before_the_pause(corpus: Corpus, tmp_path: Path) -> None:
    """Rungs that were left out would never be reported: the run resumes after them."""
    config = make_config(tmp_path, rungs=(0.5, 0.501, 0.502))
    reported: list[int | None] = []

    def report(progress: Progress) -> Decision:
        reported.append(progress.rung)
        return Decision.PAUSE if progress.rung is not None else Decision.CONTINUE

    paused(config, report, corpus)
    budget = int(3.5 * corpus.train.num_words)
    assert [rung for rung in reported if rung] == [round(share * budget) for share in config.evaluation.rungs]


@pytest.mark.slow
def test_the_answer_to_the_last_report_changes_nothing(corpus: Corpus, tmp_path: Path) -> None:
    outcome = train(
        make_config(tmp_path),
        lambda progress: Decision.CONTINUE if progress.rung is None else Decision.PAUSE,
        corpus=corpus,
        evaluate=weigh,
    )
    assert outcome.state == "completed"


def test_a_rung_that_was_hit_exactly_is_not_reported_again_after_the_pause() -> None:
    """Its words are the words that the checkpoint has seen."""
    reported: list[int] = []
    model: Any = None
    progress = SimpleNamespace(budget_words=100, words_seen=50, snapshot=lambda rung, metrics: rung)
    session: Any = SimpleNamespace(progress=progress, processes=ProcessGroup())
    examine: Any = lambda model, split, rung: {}  # noqa: E731

    def report(rung: Any) -> Decision:
        reported.append(rung)
        return Decision.CONTINUE

    rungs = Rungs(session, examine, report, (0.5, 0.8))
    for words_seen in (60, 80):
        progress.words_seen = words_seen
        assert set(rungs.report_due(model)) <= {Decision.CONTINUE}
    assert reported == [80]
