from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sleep_tune.errors import ConfigError
from sleep_tune.sleep.buffer import SCOPES, Replay, buffer_size, choose_buffer
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.selection import STRATEGIES


def history_of(scores: list[float], last_read: list[int]) -> SampleHistory:
    """A history in which those samples were scored in those cycles (-1: never)."""
    history = SampleHistory(len(scores))
    history.scores[:] = scores
    history.last_read[:] = last_read
    return history


def chosen(
    history: SampleHistory,
    replay: Replay,
    *,
    cycle: int,
    sources: NDArray[np.int16] | None = None,
    candidates: NDArray[np.intp] | None = None,
    rng: np.random.Generator | None = None,
) -> NDArray[np.int32]:
    """The buffer that is chosen from all samples of one source, unless given."""
    num_samples = len(history.scores)
    return choose_buffer(
        np.arange(num_samples) if candidates is None else candidates,
        history,
        sources=np.zeros(num_samples, np.int16) if sources is None else sources,
        cycle=cycle,
        replay=replay,
        rng=rng or np.random.default_rng(0),
    )


@given(st.integers(1, 10**7), st.integers(1, 100))
def test_a_buffer_is_the_floor_of_its_share_and_at_least_one(candidates: int, percent: int) -> None:
    assert buffer_size(candidates, percent / 100) == max(1, candidates * percent // 100)


def test_scopes() -> None:
    last_read = np.array([2, -1, 0, 2, 1], np.int32)
    assert SCOPES["seen"](last_read, 2).tolist() == [0, 2, 3, 4]
    assert SCOPES["fold"](last_read, 2).tolist() == [0, 3]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_buffer_holds_distinct_candidates(strategy: str, scope: str) -> None:
    rng = np.random.default_rng(0)
    history = history_of((rng.random(200) * 9).tolist(), rng.integers(-1, 4, 200).tolist())
    candidates = SCOPES[scope](history.last_read, 3)
    replay = Replay(strategy=strategy, scope=scope, ratio=0.5, decay=0.3)
    buffer = chosen(history, replay, cycle=3, candidates=candidates, rng=rng)
    assert len(buffer) == len(set(buffer.tolist())) == len(candidates) // 2
    assert set(buffer.tolist()) <= set(candidates.tolist())
    assert buffer.dtype == np.int32


def test_age_is_counted_in_cycles_since_the_last_reading() -> None:
    history = history_of([4.0, 3.0, 2.0], [0, 1, 2])

    def hardest(decay: float) -> list[int]:
        replay = Replay(strategy="strict", ratio=0.34, decay=decay)
        return list(chosen(history, replay, cycle=2))

    assert hardest(decay=0) == [0]
    assert hardest(decay=0.3) == [1]
    assert hardest(decay=0.7) == [2]


@pytest.mark.parametrize(("decay", "floor"), [(0.5, 0.5), (1.0, 0.0)])
def test_what_was_read_in_this_cycle_has_age_0_and_its_whole_priority(decay: float, floor: float) -> None:
    """Counted from the cycle after, it would have lost some of it: at these settings all of its lead."""
    history = history_of([4.0, 3.0, 3.9], [0, 2, 1])
    replay = Replay(strategy="strict", ratio=0.34, decay=decay, floor=floor)
    assert chosen(history, replay, cycle=2).tolist() == [1]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=30),
    st.sampled_from([0.0, 1.0, 32.0]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([0.0, 0.5]),
    st.floats(0.05, 1),
)
def test_strict_replays_the_hardest_where_decay_leaves_no_priority(
    samples: list[tuple[int, int]], alpha: float, decay: float, floor: float, ratio: float
) -> None:
    """Total decay once replayed the corpus's beginning: with every old priority at 0, indices chose."""
    scores, last_read = zip(*samples, strict=True)
    history = history_of([float(score) for score in scores], list(last_read))
    replay = Replay(strategy="strict", ratio=ratio, alpha=alpha, decay=decay, floor=floor)
    buffer = chosen(history, replay, cycle=2)

    def rank(index: int) -> tuple[float, float, int]:
        age = max((1 - decay) ** (2 - last_read[index]), floor)
        return -(scores[index] ** alpha) * age, -scores[index], index

    assert buffer.tolist() == sorted(sorted(range(len(samples)), key=rank)[: len(buffer)])


@pytest.mark.parametrize(
    ("normalise", "expected"),
    [("none", [0, 1, 2]), ("rank", [0, 1, 2]), ("cycle", [0, 3, 6]), ("source", [0, 3, 5])],
)
def test_normalised_scores_are_compared_with_their_like(normalise: str, expected: list[int]) -> None:
    """Three cycles or sources, and a buffer of three: the highest of each."""
    history = history_of([9.0, 8.0, 7.0, 6.0, 5.9, 2.0, 3.0, 1.0, 1.0], [0, 0, 0, 1, 1, 1, 2, 2, 2])
    sources = np.array([0, 0, 0, 1, 1, 2, 1, 2, 2], np.int16)
    replay = Replay(strategy="strict", ratio=0.34, normalise=normalise)
    assert chosen(history, replay, cycle=2, sources=sources).tolist() == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strategy": "strickt"}, r"unknown sleep.replay.strategy 'strickt'; did you mean 'strict'"),
        ({"scope": "all"}, r"unknown sleep.replay.scope 'all'; choose one of: fold, seen"),
        ({"normalise": "z"}, r"unknown sleep.replay.normalise 'z'; choose one of: cycle, none, rank, source"),
        ({"uniform": 1.5}, r"sleep.replay.uniform must be in \[0, 1\]; got 1.5"),
        ({"ratio": 0.0}, r"sleep.replay.ratio must be in \(0, 1\]; got 0.0"),
        ({"ratio": 1.5}, r"sleep.replay.ratio must be in \(0, 1\]; got 1.5"),
        ({"alpha": -1.0}, r"sleep.replay.alpha must be at least 0; got -1.0"),
        ({"alpha": float("nan")}, r"sleep.replay.alpha must be at least 0; got nan"),
        ({"decay": 1.1}, r"sleep.replay.decay must be in \[0, 1\]; got 1.1"),
        ({"floor": -0.1}, r"sleep.replay.floor must be in \[0, 1\]; got -0.1"),
    ],
)
def test_what_replay_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Replay(**given)
