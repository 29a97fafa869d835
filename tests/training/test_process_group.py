"""Several processes train what one would."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from transformers import PreTrainedModel

from sleep_tune.config.schema import MaskingConfig, ReplayConfig, RunConfig, ShrinkConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import DataError, DiskError, JobCancelled, Superseded
from sleep_tune.records import Decision, Progress
from sleep_tune.training import checkpoint_saver
from sleep_tune.training.attempts import find_latest, make_attempt
from sleep_tune.training.process_group import ProcessGroup, find_process_group
from sleep_tune.training.run import train
from tests.training.processes import start_process
from tests.training.runs import keep_training, make_config, read_lines, weigh

MASKED = ("roberta_prelayernorm", "mlm")


class Cut(Exception):
    """Ends a run in these tests."""


def train_as_rank(
    rank: int, port: int, folder: Path, cut: float, event: str, family: tuple[str, str], options: dict[str, Any]
) -> None:
    """Train as one of two processes, and exit with a code that says how the run ended.

    Args:
        rank: 0 or 1.
        port: of the leading process.
        folder: of the run.
        cut: share of the budget at whose rung the report raises an error; 1 never does.
        event: what happens on the way.
        family: architecture and objective.
        options: of training.
    """
    signal.alarm(240)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo")
    saver: Any = checkpoint_saver
    if event == "clock":  # the leading process's clock asks for a checkpoint at once, the other's never
        saver.SAVING_SHARE = 1e9 if rank == 0 else 1e-9
    if event == "full disk":
        saver.complete_checkpoint = fill_disk

    def report(progress: Progress) -> Decision:
        assert rank == 0
        kind = "beat" if progress.rung is None else "rung"
        if event == f"cancelled at a {kind}":
            raise JobCancelled("the search is over")
        if progress.rung is not None and progress.rung >= cut * progress.budget_words and cut < 1:
            raise Cut
        if progress.rung is not None and event == "superseded":
            make_attempt(folder)
        return Decision.PAUSE if event == kind else Decision.CONTINUE

    config = configure(folder, family, batch_size=4, checkpoint_minutes=1e-9, **options)
    codes: dict[type[Exception], int] = {Superseded: 7, JobCancelled: 5, DiskError: 6, Cut: 9}
    try:
        outcome = train(config, report, evaluate=weigh_alike)
        assert outcome.state == ("completed" if event in ("never", "clock") else "paused")
        dist.destroy_process_group()
    except tuple(codes) as error:
        os._exit(codes[type(error)])  # at once: the other process may have gone


def weigh_alike(model: PreTrainedModel, split: str) -> dict[str, float]:
    """An evaluation of weights that must be the same in both processes, to the bit."""
    weighed = weigh(model, split)
    assert ProcessGroup(dist.get_rank(), 2).all_gather(weighed) == [weighed, weighed]
    return weighed


def configure(
    folder: Path, family: tuple[str, str], shrink: str | None = None, refresh: float = 0.0, **options: Any
) -> RunConfig:
    """A run with one rung and without dropout, which each process draws for itself.

    `shrink` also sets a slow sleep; `refresh` sets every knob of scores, with rows of which each process has a part.
    """
    config = make_config(folder, rungs=(0.5,), **options)
    if refresh:
        config.sleep.context = "shuffle"
        config.sleep.replay = ReplayConfig(signal="progress", refresh=refresh, normalise="source", uniform=0.1)
    if shrink is not None:
        config.sleep.learning_rate, config.sleep.masking = 0.5, 0.4
        config.sleep.shrink = ShrinkConfig(factor=0.8, by=shrink)
    config.model.kind, config.training.objective = family
    config.model.dropout = config.model.attention_dropout = 0.0
    return config


def fill_disk(*arguments: Any) -> None:
    raise OSError(28, "the disk is full")


def run_pair(
    folder: Path, *, cut: float = 1.0, event: str = "never", family: tuple[str, str] = MASKED, **options: Any
) -> list[int | None]:
    """Exit codes of two processes that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [start_process(train_as_rank, rank, port, folder, cut, event, family, options) for rank in (0, 1)]
    for process in ranks:
        process.join()
    return [process.exitcode for process in ranks]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes trained undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert run_pair(folder) == [0, 0]
    return folder


def test_alone_every_exchange_is_a_return() -> None:
    alone = find_process_group()
    assert alone == ProcessGroup(0, 1)
    assert alone.is_leader
    assert alone.all_gather(3) == [3]
    assert alone.broadcast("x") == "x"
    alone.barrier()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "family", "close"),
    [
        ({}, MASKED, 1e-3),
        ({"accumulation": 3}, MASKED, 1e-3),
        ({}, ("gpt2", "clm"), 1e-3),
        ({}, ("roberta", "hybrid"), 1e-3),
        ({"optimizer": "muon", "masking": MaskingConfig(final=0.5), "ema": 0.9}, MASKED, 1e-2),
        ({"accumulation": 3, "shrink": "magnitude"}, MASKED, 1e-2),
    ],
    ids=["mlm", "accumulation", "clm", "hybrid", "muon", "shrink"],
)
def test_two_processes_train_what_one_would_with_twice_the_batch(
    options: dict[str, Any], family: tuple[str, str], close: float, corpus: Corpus, whole: Path, tmp_path: Path
) -> None:
    """Loss for loss to float tolerance, without dropout, through wake and sleep; scores reach every process.

    Muon computes in bfloat16, which makes larger differences of those in the last digits of a gradient.
    """
    is_whole = (options, family) == ({}, MASKED)
    two_processes = whole if is_whole else tmp_path / "two"
    assert is_whole or run_pair(two_processes, family=family, **options) == [0, 0]
    config = configure(tmp_path / "one", family, batch_size=8, **options)
    train(config, keep_training, corpus=corpus, evaluate=weigh)
    one, two = (read_lines(folder, "train") for folder in (tmp_path / "one", two_processes))
    assert len(one) == len(two) > 15
    for ours, theirs in zip(two, one, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=close)
        assert (ours["words_seen"], ours["phase"], ours["updates"]) == (
            theirs["words_seen"],
            theirs["phase"],
            theirs["updates"],
        )


@pytest.mark.slow
def test_two_processes_resume_where_they_were_cut(corpus: Corpus, whole: Path, tmp_path: Path) -> None:
    """The leading one's clock asked for checkpoints, which both write."""
    assert run_pair(tmp_path / "cut", cut=0.5, event="clock") == [9, 5]
    assert run_pair(tmp_path / "cut") == [0, 0]
    assert read_lines(tmp_path / "cut", "train") == read_lines(whole, "train")


@pytest.mark.slow
def test_two_processes_resume_with_options_that_have_a_state(tmp_path: Path) -> None:
    options: dict[str, Any] = {"optimizer": "muon", "masking": MaskingConfig(final=0.5), "ema": 0.9}
    options |= {"shrink": "gradient", "refresh": 0.4}
    assert run_pair(tmp_path / "whole", **options) == [0, 0]
    assert run_pair(tmp_path / "cut", cut=0.5, event="clock", **options) == [9, 5]
    assert run_pair(tmp_path / "cut", **options) == [0, 0]
    assert read_lines(tmp_path / "cut") == read_lines(tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_pause_together(corpus: Corpus, whole: Path, tmp_path: Path) -> None:
    """At a rung, and at a heartbeat that only the leading one hears of; each ends after the same update."""
    assert run_pair(tmp_path / "paused", event="rung") == [0, 0]
    at_rung = find_latest(tmp_path / "paused")
    assert run_pair(tmp_path / "paused", event="beat") == [0, 0]
    at_beat = find_latest(tmp_path / "paused")
    assert at_rung is not None
    assert at_beat is not None
    assert at_beat.updates == at_rung.updates + 1
    assert run_pair(tmp_path / "paused") == [0, 0]
    assert read_lines(tmp_path / "paused", "train") == read_lines(whole, "train")


@pytest.mark.slow
def test_two_processes_that_were_replaced_leave_together(corpus: Corpus, tmp_path: Path) -> None:
    """Else one of them would wait for the other for ever."""
    assert run_pair(tmp_path, event="superseded") == [7, 7]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "codes"), [("cancelled at a rung", [5, 5]), ("cancelled at a beat", [5, 5]), ("full disk", [6, 5])]
)
def test_two_processes_leave_together_what_the_leading_one_gives_up(
    what: str, codes: list[int], corpus: Corpus, tmp_path: Path
) -> None:
    """The other one waited for it in an exchange, and held the slot's next trial up for a minute."""
    assert run_pair(tmp_path, event=what) == codes


def test_what_the_leading_process_does_alone_is_done_or_raised() -> None:
    assert find_process_group().run_on_leader(lambda: 3) == 3
    with pytest.raises(ValueError):
        find_process_group().run_on_leader(lambda: int("x"))


def test_what_the_leading_process_raised_is_sent_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's mistake as it is, which each process then says and ends for; another error in one of ours."""
    sent: list[tuple[object, Exception]] = []

    def exchange(_: ProcessGroup, value: tuple[object, Exception]) -> tuple[object, Exception]:
        sent.append(value)
        return value

    monkeypatch.setattr(ProcessGroup, "broadcast", exchange)
    mistake, bug = DataError("no text"), KeyError("x")
    for error in (mistake, bug):

        def fail(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            ProcessGroup(0, 2).run_on_leader(fail)
        assert raised.value is error
    assert sent[0] == (None, mistake)
    assert isinstance(sent[1][1], JobCancelled)
    assert str(sent[1][1]) == "KeyError: 'x'"
