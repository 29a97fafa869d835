import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.sleep.sleep_record import EXAMPLES, EXPOSURE_BINS, Example, SleepRecord, from_rows, to_rows

examples = st.builds(
    Example,
    sample=st.integers(0, 10**9),
    score=st.floats(0, 100),
    age=st.integers(0, 10**6),
    times_seen=st.integers(1, 10**6),
)
records = st.builds(
    SleepRecord,
    cycle=st.integers(0, 10**6),
    buffer_size=st.integers(1, 10**9),
    candidates=st.integers(1, 10**9),
    words=st.integers(0, 10**12),
    batches=st.integers(1, 10**9),
    mean_score=st.floats(0, 100),
    mean_age=st.floats(0, 1000),
    sources=st.floats(0, 1).map(lambda share: {"books": share, "talk": 1 - share}),
    exposures=st.integers(0, 10**9).map(lambda count: [*range(EXPOSURE_BINS - 1), count]),
    examples=st.lists(examples, max_size=EXAMPLES),
    mean_signal=st.floats(-100, 100),
)


@given(st.lists(records, max_size=3))
def test_records_survive_as_numbers_exactly(given: list[SleepRecord]) -> None:
    rows = to_rows(given)
    assert rows.dtype == np.float64
    assert from_rows(rows, ("books", "talk")) == given


@given(records)
def test_a_record_of_an_earlier_version_has_the_score_as_its_signal(given: SleepRecord) -> None:
    (record,) = from_rows(to_rows([given])[:, :-1], ("books", "talk"))
    assert record == dataclasses.replace(given, mean_signal=given.mean_score)


def test_a_record_is_plain_for_a_line_of_json() -> None:
    record = from_rows(np.arange(7 + EXPOSURE_BINS + 4 * EXAMPLES + 3, dtype=float)[None], ("books", "talk"))[0]
    plain = dataclasses.asdict(record)
    assert plain["examples"][0] == {"sample": 40, "score": 41.0, "age": 42, "times_seen": 43}
    assert plain["mean_signal"] == 58.0
    assert plain["sources"] == {"books": 56.0, "talk": 57.0}
    assert {type(value) for value in plain.values()} == {int, float, dict, list}
    assert {type(value) for value in plain["exposures"]} == {int}
