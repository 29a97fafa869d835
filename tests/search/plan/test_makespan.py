"""Slots that are never idle while there is work, finalists that wait for the search, controls for their parents."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.search.plan.makespan import MOST, EqualRuns, Span, makespan

BATCHES = st.lists(st.builds(EqualRuns, st.floats(0, 20), st.floats(0.1, 100)), max_size=3)


def total(batches: list[EqualRuns]) -> float:
    return sum(batch.runs * batch.seconds for batch in batches)


def test_by_hand() -> None:
    finalists = EqualRuns(2, 5, after_search=True)
    assert makespan([EqualRuns(3, 10)], [EqualRuns(1, 4), finalists], slots=2) == Span(search=20, whole=25)
    finalists = EqualRuns(1, 5, after_search=True)
    assert makespan([EqualRuns(1, 10)], [EqualRuns(1, 40), finalists], slots=2) == Span(search=10, whole=40)
    assert makespan([], [], slots=3) == Span(0, 0)


def test_a_control_starts_when_the_run_has_ended_that_it_is_matched_to() -> None:
    arm, control = EqualRuns(2, 5), EqualRuns(2, 5, parent=0)
    assert makespan([], [arm, control], slots=4) == Span(search=0, whole=10)
    assert makespan([], [arm, control], slots=1) == Span(search=0, whole=20)
    assert makespan([], [arm, control, EqualRuns(3, 2)], slots=3) == Span(search=0, whole=10)  # these fill the third


@given(BATCHES, BATCHES, BATCHES, st.integers(1, 9))
def test_bounds(search: list[EqualRuns], others: list[EqualRuns], finalists: list[EqualRuns], slots: int) -> None:
    span = makespan(search, [*others, *(replace(batch, after_search=True) for batch in finalists)], slots)
    everything = [*search, *others, *finalists]
    longest = max((batch.seconds for batch in everything), default=0.0)
    assert total(search) / slots <= span.search + 1e-6
    assert span.search <= total(search) / slots + longest + 1e-6
    assert total(everything) / slots <= span.whole + 1e-6
    assert span.whole <= total(everything) / slots + 3 * longest + 1e-6


@given(BATCHES, BATCHES, BATCHES)
def test_one_slot_takes_the_sum(search: list[EqualRuns], others: list[EqualRuns], finalists: list[EqualRuns]) -> None:
    later = [replace(batch, after_search=True) for batch in finalists]
    assert makespan(search, [*others, *later], 1).whole == pytest.approx(total([*search, *others, *finalists]))


def test_very_many_runs_are_not_laid_out() -> None:
    span = makespan([EqualRuns(10 * MOST, 3.0)], [EqualRuns(4, 5.0, after_search=True)], slots=2)
    assert span == Span(search=10 * MOST * 1.5, whole=10 * MOST * 1.5 + 10)
