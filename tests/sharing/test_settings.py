"""Settings for others: short numbers, the options of a run, the line for a shell."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.load import compose
from sleep_tune.sharing.settings import overrides_of, shell_command, short_numbers


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_short_number_is_close_and_stays_inside_open_ranges(value: float) -> None:
    short = short_numbers(value)
    assert abs(short - value) <= 1e-3 * abs(value)
    assert (short > 0) == (value > 0)
    assert (short < 1) == (value < 1)


def test_only_real_numbers_are_shortened() -> None:
    settings = {"replay": {"ratio": 0.3123456, "strategy": "strict"}, "folds": 12345678, "rungs": [0.1234567, None]}
    assert short_numbers(settings) == {
        "replay": {"ratio": 0.3123, "strategy": "strict"},
        "folds": 12345678,
        "rungs": [0.1235, None],
    }


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["model=llama_small", "sleep=random", "sleep.replay.ratio=0.123456789012", "training.seed=7"],
        ["data=babylm", "model=large", "evaluation.rungs=[0.25,0.5]", "training.ema=0.999"],
        ["model=hf", "model.config=bert", "model.options={hidden_size: 64, hidden_act: relu}"],
        ["data=babylm", "data.max_words=null", "tokenizer=hub", "tokenizer.name=owner/name"],
    ],
)
def test_the_options_of_a_run_give_the_same_run_in_a_shell(overrides: list[str]) -> None:
    config = compose(overrides)
    line = shell_command("sleep-tune train", overrides_of(config))
    assert compose(shlex.split(line)[2:]) == config


@pytest.mark.parametrize(
    ("overrides", "key", "shown"),
    [
        (["data=text", "data.path=/home/me/my text"], "data.path", "DATA_PATH"),
        (["tokenizer=hub", "tokenizer.name=/home/me/tokenizer"], "tokenizer.name", "TOKENIZER_NAME"),
        (["tokenizer=hub", "tokenizer.name=owner/name"], "tokenizer.name", "owner/name"),
    ],
)
def test_a_place_on_this_machine_is_not_shown(overrides: list[str], key: str, shown: Any, tmp_path: Path) -> None:
    assert overrides_of(compose(overrides))[key] == shown
