"""Interrupted and resumed equals uninterrupted, loss for loss."""

import dataclasses
import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from sleep_tune.config.schema import LengthConfig, MaskingConfig, ReplayConfig, RunConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import DiskError, RunFolderError
from sleep_tune.interrupts import catching
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.sleep.context import CONTEXTS
from sleep_tune.training import batch_feed, checkpoint_saver
from sleep_tune.training.attempts import find_latest
from sleep_tune.training.checkpoint import complete_checkpoint
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.run import train
from sleep_tune.training.session import open_stream
from sleep_tune.training.trainer import SleepTrainer
from tests.training.processes import start_process
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh

SHARES = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)


class Cut(Exception):
    """What ends a run in these tests."""


def cut_at(share: float) -> Callable[[Progress], Decision]:
    def report(progress: Progress) -> Decision:
        if progress.rung is not None and progress.rung >= round(share * progress.budget_words):
            raise Cut
        return Decision.CONTINUE

    return report


def run(config: RunConfig, corpus: Corpus) -> Outcome:
    return train(config, keep_training, corpus=corpus, evaluate=weigh)


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(make_config(folder, rungs=SHARES), corpus)


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
def test_a_run_cut_by_an_exception_equals_an_uninterrupted_one(
    share: float, whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path
) -> None:
    """Dropout is on; lines written after the last checkpoint are there once; rungs passed are not reported again."""
    config = make_config(tmp_path, rungs=SHARES)
    with pytest.raises(Cut):
        train(config, cut_at(share), corpus=corpus, evaluate=weigh)
    assert find_latest(tmp_path) is not None
    reported: list[int | None] = []

    def report(progress: Progress) -> Decision:
        reported.append(progress.rung)
        return Decision.CONTINUE

    outcome = train(config, report, corpus=corpus, evaluate=weigh)
    folder, expected = whole
    assert read_lines(tmp_path) == read_lines(folder)
    assert same_outcome(outcome, expected)
    budget = 3.5 * corpus.train.num_words
    assert [rung for rung in reported if rung] == [round(s * int(budget)) for s in SHARES if s >= share] + [int(budget)]


@pytest.mark.slow
def test_cuts_fall_into_both_phases(corpus: Corpus, tmp_path: Path) -> None:
    """The test above means nothing for sleep unless checkpoints are made asleep."""
    phases = set()
    for share in SHARES:
        config = make_config(tmp_path / str(share), rungs=(share,))
        with pytest.raises(Cut):
            train(config, cut_at(share), corpus=corpus, evaluate=weigh)
        checkpoint = find_latest(tmp_path / str(share))
        assert checkpoint is not None
        stream = open_stream(config, corpus, ProcessGroup())
        stream.load_state_dict(checkpoint.stream_state())
        phases.add(stream.phase)
    assert phases == {"wake", "sleep"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"accumulation": 3},
        {"log_ratio": 0.07},
        {"checkpoint_ratio": 0.04},
        {"checkpoint_minutes": 1e-9},
        {"masking": MaskingConfig(probability=0.5, final=0.1)},
        {"ema": 0.9},
    ],
)
def test_a_run_cut_twice_is_the_same_with_other_options(
    options: dict[str, Any], corpus: Corpus, tmp_path: Path
) -> None:
    expected = run(make_config(tmp_path / "whole", rungs=SHARES, **options), corpus)
    config = make_config(tmp_path / "cut", rungs=SHARES, **options)
    for share in (0.45, 0.6):
        with pytest.raises(Cut):
            train(config, cut_at(share), corpus=corpus, evaluate=weigh)
    assert same_outcome(run(config, corpus), expected)
    assert read_lines(tmp_path / "cut") == read_lines(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("context", CONTEXTS)
def test_a_run_cut_twice_is_the_same_with_every_knob_of_scores(
    context: str, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where losses are passed on before the stream needs them."""
    knobs = ReplayConfig(ratio=0.3, signal="progress", refresh=0.4, normalise="source", uniform=0.1, decay=0.2)
    configs = [make_config(tmp_path / name, rungs=SHARES) for name in ("whole", "cut", "plain")]
    for config in configs:
        config.sleep.context = context
    for config in configs[:2]:
        config.sleep.replay = knobs
    expected = run(configs[0], corpus)
    monkeypatch.setattr(batch_feed, "MOST_PENDING", 300)
    for share in (0.45, 0.6):
        with pytest.raises(Cut):
            train(configs[1], cut_at(share), corpus=corpus, evaluate=weigh)
    assert same_outcome(run(configs[1], corpus), expected)
    assert read_lines(tmp_path / "cut") == read_lines(tmp_path / "whole")
    assert run(configs[2], corpus).metrics != expected.metrics
    assert any(line["mean_signal"] != line["mean_score"] for line in read_lines(tmp_path / "cut", "sleep"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_a_run_by_hand(
    number: signal.Signals, whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path
) -> None:
    def interrupt(progress: Progress) -> Decision:
        if progress.rung is not None:
            os.kill(os.getpid(), number)
        return Decision.CONTINUE

    config = make_config(tmp_path, rungs=SHARES, checkpoint_ratio=0)
    before = signal.getsignal(number)
    ended = KeyboardInterrupt if number is signal.SIGINT else SystemExit
    with pytest.raises(ended):
        train(config, interrupt, corpus=corpus, evaluate=weigh, show_progress=True)
    assert signal.getsignal(number) is before
    checkpoint = find_latest(tmp_path)
    assert checkpoint is not None
    last = read_lines(tmp_path, "train")[-1]
    assert checkpoint.updates == last["updates"]
    assert same_outcome(run(config, corpus), whole[1])
    assert read_lines(tmp_path) == read_lines(whole[0])


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["first update", "rung", "end"])
def test_a_signal_ends_at_once_what_saves_nothing(
    phase: str, whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals were ignored while compiling and evaluating. The work since the last checkpoint is repeated."""
    budget = round(3.5 * corpus.train.num_words)

    def hang(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(300)

    def weigh_until(model: PreTrainedModel, split: str) -> dict[str, float]:
        at_end = read_lines(tmp_path, "train")[-1]["words_seen"] > 0.95 * budget
        return hang() if phase == ("end" if at_end else "rung") else weigh(model, split)

    config = make_config(tmp_path, rungs=SHARES)
    with catching(), monkeypatch.context() as patched:
        if phase == "first update":
            patched.setattr(SleepTrainer, "_losses", hang)
        begun = time.monotonic()
        with pytest.raises(SystemExit) as ended:
            train(config, keep_training, corpus=corpus, evaluate=weigh_until, show_progress=True)
    assert ended.value.code == 143
    assert time.monotonic() - begun < 240
    assert same_outcome(run(config, corpus), whole[1])
    assert read_lines(tmp_path) == read_lines(whole[0])


def train_until_killed(folder: Path) -> None:
    def report(progress: Progress) -> Decision:
        if progress.rung is not None and progress.rung > 0.5 * progress.budget_words:
            os.kill(os.getpid(), signal.SIGKILL)
        return Decision.CONTINUE

    train(make_config(folder, rungs=SHARES), report, evaluate=weigh)


@pytest.mark.slow
def test_a_killed_process_is_resumed_by_another(whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path) -> None:
    killed = start_process(train_until_killed, tmp_path)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert same_outcome(run(make_config(tmp_path, rungs=SHARES), corpus), whole[1])
    assert read_lines(tmp_path) == read_lines(whole[0])


@pytest.mark.slow
def test_a_checkpoint_of_another_corpus_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path, rungs=SHARES)
    with pytest.raises(Cut):
        train(config, cut_at(0.3), corpus=corpus, evaluate=weigh)
    with pytest.raises(RunFolderError, match="is of another run: its corpus"):
        run(config, dataclasses.replace(corpus, key="other"))


@pytest.mark.slow
def test_every_sleep_is_on_record(corpus: Corpus, tmp_path: Path) -> None:
    """The last one ends with the run, after the last line of losses where every update has one."""
    config = make_config(tmp_path)
    config.sleep.length = LengthConfig(passes=1.0)
    run(config, corpus)
    losses = read_lines(tmp_path, "train")
    assert losses[-1]["phase"] == "sleep"
    assert [line["cycle"] for line in read_lines(tmp_path, "sleep")] == sorted({line["cycle"] for line in losses})


@pytest.mark.slow
def test_another_seed_is_another_run(whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path) -> None:
    """Else the comparisons above would hold for runs that ignore their seeds."""
    other = run(make_config(tmp_path, rungs=SHARES, seed=1), corpus)
    assert other.metrics != whole[1].metrics


@pytest.mark.slow
def test_evaluation_and_reports_change_nothing_of_training(
    whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path
) -> None:
    """Neither does the state of the process's own random generators."""

    def disturb(model: torch.nn.Module, split: str) -> dict[str, float]:
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002 - no run may depend on this generator
        return {"eval/nll": 1.0, "test/nll": 1.0}

    torch.manual_seed(123)
    train(make_config(tmp_path, rungs=(0.2, 0.3)), keep_training, corpus=corpus, evaluate=disturb)
    assert read_lines(tmp_path, "train") == read_lines(whole[0], "train")
    assert read_lines(tmp_path, "sleep") == read_lines(whole[0], "sleep")


@pytest.mark.slow
def test_a_disk_that_runs_full_leaves_no_half_checkpoint(
    whole: tuple[Path, Outcome], corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take the room that the next attempt needs."""
    completed = 0
    real = complete_checkpoint

    def complete(folder: Path, *states: Any) -> None:
        nonlocal completed
        completed += 1
        if completed > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(folder, *states)

    config = make_config(tmp_path, rungs=SHARES)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_saver, "complete_checkpoint", complete)
        with pytest.raises(DiskError, match="the disk must have room for checkpoints"):
            run(config, corpus)
    latest = find_latest(tmp_path)
    assert latest is not None
    left = list(tmp_path.glob("attempt-*/checkpoint-*"))
    assert latest.folder in left
    assert all((folder / "complete.json").exists() for folder in left)
    assert same_outcome(run(config, corpus), whole[1])
    assert read_lines(tmp_path) == read_lines(whole[0])
