import numpy as np
import pytest

from sleep_tune.config.sleep_rules import SIGNED_SIGNALS
from sleep_tune.errors import ConfigError
from sleep_tune.sleep.buffer import Replay
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.signals import SIGNALS, SIGNED
from tests.messages import raises_naming


def history_of(first: list[float], second: list[float]) -> SampleHistory:
    """A history in which all samples were read, and the first of them once more."""
    history = SampleHistory(len(first))
    for cycle, losses in enumerate((first, second)):
        samples = np.arange(len(losses), dtype=np.int32)
        history.mark_read(samples, has_text=np.ones(len(losses), np.bool_))
        history.add_losses(samples, losses, np.ones(len(losses)))
        history.update_scores(samples, cycle)
    return history


def test_loss_is_the_score_of_the_last_reading() -> None:
    history = history_of([5.0, 3.0, 2.0], [4.0, 3.5])
    samples = np.array([2, 0, 1])
    assert SIGNALS["loss"](samples, history.scores[samples], history.previous).tolist() == [2, 4, 3.5]


def test_progress_is_the_fall_of_the_score_and_zero_after_one_reading() -> None:
    history = history_of([5.0, 3.0, 2.0], [4.0, 3.5])
    samples = np.array([2, 0, 1])
    assert SIGNALS["progress"](samples, history.scores[samples], history.previous).tolist() == [0, 1, -0.5]


@pytest.mark.parametrize("signal", sorted(SIGNED))
def test_a_signed_signal_needs_ranks(signal: str) -> None:
    with raises_naming(ConfigError, "sleep.replay.normalise", "none", f"sleep.replay.signal={signal}"):
        Replay(signal=signal)
    Replay(signal=signal, normalise="rank")


def test_the_configuration_knows_which_signals_are_signed() -> None:
    assert set(SIGNED_SIGNALS) == SIGNED <= set(SIGNALS)
