"""Records survive the trip through JSON that carries them between processes and into the log."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.records import SCHEMA, Event, Outcome, Progress

METRICS = st.dictionaries(st.text(max_size=12), st.floats(allow_nan=False), max_size=3)


@given(
    words=st.integers(0, 10**12),
    rung=st.none() | st.integers(1, 10**12),
    phase=st.sampled_from(("wake", "sleep")),
    metrics=METRICS,
    control=st.sampled_from(("", "interleaved", "matched")),
)
def test_progress(words: int, rung: int | None, phase: str, metrics: dict[str, float], control: str) -> None:
    progress = Progress(
        words_seen=words,
        budget_words=10**12,
        updates=3,
        phase=phase,
        cycle=1,
        pass_index=0,
        fold=1,
        folds=4,
        read_ratio=0.5,
        seconds=1.5,
        rung=rung,
        metrics=metrics,
        control=control,
    )
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


@pytest.mark.parametrize("trial", ["", ".", "..", "../../home", "/etc", "a/b", "a\0b", 3, ["t0001"]])
def test_a_trial_has_the_name_of_one_folder(trial: Any) -> None:
    """Below trials/ of the experiment, what it names is written and removed."""
    with pytest.raises(ValueError, match="trial must be the name of one folder; got "):
        Event.from_json({"schema": SCHEMA, "event": "asked", "time": 1.0, "trial": trial})


@given(metrics=METRICS)
def test_outcome(metrics: dict[str, float]) -> None:
    outcome = Outcome(
        state="completed", words_seen=10, updates=2, seconds=0.5, flops=1e9, device="cpu", metrics=metrics
    )
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


NAMES = st.from_regex(r"[a-z_]+(-s)?[0-9]*", fullmatch=True)


@given(trial=st.none() | NAMES, seed=st.none() | st.integers(), data=METRICS)
def test_event(trial: str | None, seed: int | None, data: dict[str, float]) -> None:
    event = Event(event="asked", time=1.0, trial=trial, seed=seed, data=data)
    line = json.loads(json.dumps(event.to_json()))
    assert line["schema"] == SCHEMA
    assert Event.from_json(line) == event
