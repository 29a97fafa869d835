"""Detection of divergence: sleep phases alone never end a run, losses that stay high do."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import Diverged
from sleep_tune.records import Decision, Progress
from sleep_tune.training.attempts import find_latest
from sleep_tune.training.divergence import MIN_LINES, WINDOW, DivergenceGuard, unigram_entropy
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.run import train
from sleep_tune.training.session import open_session, open_stream
from tests.training.runs import keep_training, make_config, read_lines, weigh

ENTROPY, VOCABULARY = 6.5, 8192
GUESSING = math.log(VOCABULARY)
PATIENCE = 5
"""In lines, which lie a word apart here."""

Line = Mapping[str, float]


def make_guard() -> DivergenceGuard:
    return DivergenceGuard(level=0.8, patience=PATIENCE, entropy=ENTROPY, vocab_size=VOCABULARY)


def watch(guard: DivergenceGuard, lines: Iterable[Line], start: int = 0) -> int:
    """Check line after line.

    Returns:
        How many lines passed before it raised; all of them, if it did not.
    """
    number = 0
    for number, line in enumerate(lines, 1):
        try:
            guard.check(line, start + number)
        except Diverged:
            return number - 1
    return number


def learning(number: int, floor: float = 4.0) -> list[Line]:
    """Wake losses that fall to about `floor`."""
    return [{"loss/wake": floor + (9 - floor) * math.exp(-5 * index / number)} for index in range(number)]


cycles = st.lists(
    st.tuples(
        st.lists(st.floats(-0.4, 0.4), min_size=1, max_size=4),
        st.lists(st.floats(0, 15), max_size=12),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)
"""Of each cycle: noise of its wake lines, its sleep's losses, and whether the phases meet in a line."""


@given(cycles=cycles)
def test_sleep_losses_alone_never_end_a_run(
    cycles: list[tuple[list[float], list[float], bool]],
) -> None:
    """Strict replay of the hardest samples may begin with any loss, which may stay high."""
    lines = learning(30)
    for noise, sleep, meets in cycles:
        lines += [{"loss/wake": 4.0 + each} for each in noise]
        if meets and sleep:
            lines[-1] = {**lines[-1], "loss/sleep": sleep[0]}
        lines += [{"loss/sleep": each} for each in sleep]
    assert watch(make_guard(), lines) == len(lines)


@given(wake=st.lists(st.floats(0, 15), min_size=1, max_size=60), every=st.integers(1, PATIENCE))
def test_wake_losses_alone_never_end_a_run_whose_sleep_losses_are_low(wake: list[float], every: int) -> None:
    """After a long sleep phase on few samples, the model must first adapt to the text again."""
    lines = learning(30)
    for number, loss in enumerate(wake):
        lines.append({"loss/wake": loss} | ({"loss/sleep": 0.2} if number % every == 0 else {}))
    assert watch(make_guard(), lines) == len(lines)


@given(losses=st.lists(st.floats(0, 20), min_size=1, max_size=200), sleeps=st.booleans())
def test_a_model_that_has_learned_nothing_cannot_diverge(losses: list[float], sleeps: bool) -> None:
    phase = "loss/sleep" if sleeps else "loss/wake"
    lines = [{phase: (1 - 0.19) * GUESSING + loss} for loss in losses]
    assert watch(make_guard(), lines) == len(lines)


@given(
    before=st.integers(20, 60),
    height=st.floats(6.2, 30),
    phases=st.lists(st.sampled_from(["wake", "sleep"]), min_size=60, max_size=60),
)
def test_losses_that_stay_up_in_every_phase_end_the_run(before: int, height: float, phases: list[str]) -> None:
    """At the first line with patience spent and a wake loss among them."""
    guard = make_guard()
    learned = learning(before)
    assert watch(guard, learned) == before
    expected = max(PATIENCE, phases.index("wake")) if "wake" in phases else len(phases)
    assert watch(guard, [{f"loss/{phase}": height} for phase in phases], before) == expected


def test_a_spike_is_forgiven() -> None:
    lines = learning(40) + [*[{"loss/wake": 12.0}] * PATIENCE, {"loss/wake": 4.0}] * 3
    assert watch(make_guard(), lines) == len(lines)


def test_few_lines_far_apart_are_too_few() -> None:
    guard = make_guard()
    watch(guard, learning(40))
    for number in range(1, MIN_LINES):
        guard.check({"loss/wake": 9.0}, 40 + 10 * number)
    with pytest.raises(Diverged):
        guard.check({"loss/wake": 9.0}, 100)


def test_one_lucky_line_does_not_lower_the_bar() -> None:
    guard = make_guard()
    watch(guard, [*learning(40), {"loss/wake": 0.5}])
    assert guard.lowest > 3.0


def test_worse_than_guessing_counts_before_frequencies_are_learned() -> None:
    """A rate that is too high from the start: the loss falls below uniform guessing only, then rises."""
    guard = make_guard()
    lines = [{"loss/wake": 6.8}] * WINDOW + [{"loss/wake": 12.0}] * 20
    assert watch(guard, lines) == WINDOW + PATIENCE


def test_the_message_has_the_figures() -> None:
    guard = make_guard()
    watch(guard, learning(200))
    figures = (
        r"fallen to 4\.04 nats, has been above 6\.01 for 5 words and is 9 nats \(wake\): lower training\.learning_rate"
    )
    with pytest.raises(Diverged, match=figures):
        for number in range(20):
            guard.check({"loss/wake": 9.0}, 200 + number)


@given(cut=st.integers(0, 60))
def test_a_restored_guard_comes_to_the_same_result(cut: int) -> None:
    lines = [*learning(40), *[{"loss/wake": 9.0, "loss/sleep": 8.0}] * 20]
    whole = watch(make_guard(), lines)
    first, second = make_guard(), make_guard()
    seen = watch(first, lines[:cut])
    if seen == cut:
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        seen += watch(second, lines[cut:], cut)
    assert seen == whole


def test_frequencies_alone_have_an_entropy() -> None:
    tokens = np.array([[0, 5, 6, 1], [0, 5, 6, 2]], np.int16)
    assert unigram_entropy(tokens, (0, 1, 2, 99)) == pytest.approx(math.log(2))
    many = np.random.default_rng(0).integers(4, 1000, (1_000_000, 8), dtype=np.int16)
    assert unigram_entropy(many, (0,)) == pytest.approx(math.log(996), abs=1e-3)


@pytest.mark.slow
def test_a_rate_that_rises_until_the_model_falls_apart_is_caught(corpus: Corpus, tmp_path: Path) -> None:
    """It learns while the rate warms up, and is lost at its height. Without the guard it trains to the end."""
    options: dict[str, Any] = {
        "learning_rate": 1.0,
        "schedule": "wsd",
        "warmup": 0.8,
        "cooldown": 0.1,
        "log_ratio": 0.02,
    }
    config = make_config(tmp_path / "guarded", **options, divergence_level=0.4)
    with pytest.raises(Diverged, match="the training loss must come down again"):
        train(config, keep_training, corpus=corpus, evaluate=weigh)
    last = read_lines(tmp_path / "guarded", "train")[-1]
    assert last["words_seen"] < 0.95 * 3.5 * corpus.train.num_words
    config = make_config(tmp_path / "unguarded", **options, divergence_ratio=None)
    assert train(config, keep_training, corpus=corpus, evaluate=weigh).state == "completed"


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.05, 1.0])
@pytest.mark.parametrize("log_ratio", [1e-6, 0.01])
def test_strict_replay_never_trips(ratio: float, log_ratio: float, corpus: Corpus, tmp_path: Path) -> None:
    """Whole runs that replay their hardest samples, many times over or all of them."""
    config = make_config(tmp_path, log_ratio=log_ratio)
    config.sleep.replay.strategy, config.sleep.replay.ratio, config.sleep.replay.alpha = "strict", ratio, 2.0
    assert train(config, keep_training, corpus=corpus, evaluate=weigh).state == "completed"
    phases = {key for line in read_lines(tmp_path, "train") for key in line if key.startswith("loss/")}
    assert phases == {"loss/wake", "loss/sleep"}


def test_a_resumed_run_watches_on_where_it_was(corpus: Corpus, tmp_path: Path) -> None:
    """With nothing seen it would forgive a run that had been up for long, and take what it had reached for nothing."""
    config = make_config(tmp_path, rungs=(0.5,))

    def pause(progress: Progress) -> Decision:
        return Decision.CONTINUE if progress.rung is None else Decision.PAUSE

    assert train(config, pause, corpus=corpus, evaluate=weigh).state == "paused"
    checkpoint = find_latest(tmp_path)
    assert checkpoint is not None
    assert len(checkpoint.state["guard"]["window"]) == WINDOW
    stream = open_stream(config, corpus, ProcessGroup())
    session = open_session(config, tmp_path, stream, corpus, torch.device("cpu"), ProcessGroup())
    with session.journal:
        assert session.guard.state_dict() == checkpoint.state["guard"]
