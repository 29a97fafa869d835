import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sleep_tune.sleep.context import CONTEXTS, ReplayPass
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sleep_phase import SleepPhase
from tests.sleep.corpora import packed


def sleep_on(samples: Samples, buffer: list[int], context: str = "keep", *, cycle: int = 0) -> SleepPhase:
    """A sleep that replays some samples."""
    return SleepPhase(CONTEXTS[context](samples), np.array(buffer, np.int32), cycle=cycle, seed=5, num_candidates=20)


@pytest.mark.parametrize("context", CONTEXTS)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6), buffer=st.sets(st.integers(0, 19), min_size=1))
def test_rows_do_not_depend_on_how_many_are_drawn_at_once(context: str, sizes: list[int], buffer: set[int]) -> None:
    samples = packed(20, 7)
    pieces, whole = (sleep_on(samples, sorted(buffer), context) for _ in range(2))
    drawn = [pieces.draw(size) for size in sizes]
    wanted = whole.draw(sum(sizes))
    assert [len(rows.input_ids) for rows in drawn] == sizes
    assert np.array_equal(np.concatenate([rows.input_ids for rows in drawn]), wanted.input_ids)
    assert np.array_equal(np.concatenate([rows.begun for rows in drawn]), wanted.begun)
    assert sum(rows.words for rows in drawn) == wanted.words


def test_orders_differ_between_cycles_and_passes() -> None:
    samples = packed(40, 7)
    orders = [sleep_on(samples, list(range(40)), cycle=cycle).draw(80).begun.reshape(2, 40) for cycle in range(2)]
    assert len({tuple(order) for pair in orders for order in pair.tolist()}) == 4


def test_passes_are_made_when_they_are_reached() -> None:
    """Forty orders at once once held forty times the buffer, of which 1.5% was used."""
    made: list[int] = []
    keep = CONTEXTS["keep"](packed(10, 7))

    def counted(order: NDArray[np.int32], rng: np.random.Generator) -> ReplayPass:
        made.append(len(order))
        return keep(order, rng)

    phase = SleepPhase(counted, np.arange(10, dtype=np.int32), cycle=0, seed=0, num_candidates=10)
    phase.draw(10)
    assert made == [10]
    phase.draw(1)
    assert made == [10, 10]
