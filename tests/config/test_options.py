"""Every option is documented, and a value is taken or refused as its documentation says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.options import Option, options, sections
from sleep_tune.errors import ConfigError

ALL = list(options().values())


@pytest.mark.parametrize("option", ALL, ids=lambda option: option.key)
def test_is_documented_and_its_default_is_valid(option: Option) -> None:
    assert option.doc and not option.doc.endswith(".")
    assert option.check(option.default) == option.default
    if option.choices:
        assert option.type in (str, tuple)


def test_sections_say_what_they_are_about() -> None:
    assert list(sections())[:2] == ["run", "data"]
    assert "sleep.replay" in sections()
    assert all(sections().values())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sleep.replay.ratio", 1.5, r"sleep\.replay\.ratio must be a number in \(0, 1\]; got 1\.5"),
        ("sleep.replay.ratio", 0, r"must be a number in \(0, 1\]; got 0"),
        ("training.learning_rate", "1e-5", r"must be a number in \(0, 1\]; got '1e-5'"),
        ("training.learning_rate", True, "got true"),
        ("training.learning_rate", math.nan, "got nan"),
        ("budget.passes", math.inf, "must be a number > 0 or null; got inf"),
        ("budget.passes", 10**400, "got a number of more than 77 digits"),
        ("training.seed", 1.0, r"training\.seed must be a whole number in \[0, 4294967295\]; got 1\.0"),
        ("training.seed", True, "got true"),
        ("training.seed", -1, "got -1"),
        ("training.seed", None, "got null"),
        ("training.compile", 1, r"training\.compile must be true or false; got 1"),
        ("training.compile", "yes", "got 'yes'"),
        ("run.name", 3, r"run\.name must be text; got 3"),
        ("run.name", " ", r"run\.name must be text; got empty text"),
        ("run.dir", "a\0b", r"run\.dir must be text without control characters, in UTF-8; got 'a"),
        ("run.dir", "a\udc80", r"run\.dir must be text without control characters, in UTF-8"),
        ("evaluation.rungs", 0.3, r"evaluation\.rungs must be a list of numbers in \(0, 1\); got 0\.3"),
        ("evaluation.rungs", [0.3, 1.0], r"got \[0\.3, 1\.0\]"),
        ("evaluation.rungs", [0.3, "x"], r"got \[0\.3, 'x'\]"),
        ("evaluation.tasks", "blimp_fast", r"evaluation\.tasks must be a list of: blimp_fast, .*; got 'blimp_fast'"),
        ("evaluation.tasks", ["blimp_fats"], r"unknown evaluation\.tasks 'blimp_fats'; did you mean 'blimp_fast'\?"),
        ("evaluation.tasks", [["blimp_fast"]], r"unknown evaluation\.tasks"),
        ("evaluation.tasks", ["comps", "comps"], r"must name each at most once; got \['comps', 'comps'\]"),
        ("sleep.replay.strategy", "strickt", "unknown sleep.replay.strategy 'strickt'; did you mean 'strict'?"),
        ("sleep.replay.strategy", None, "must be one of: random, strict, weighted; got null"),
        ("sleep.replay.strategy", ["strict"], r"got \['strict'\]"),
    ],
)
def test_refuses_with_key_expectation_and_value(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        options()[key].check(value)


def test_takes_a_whole_number_for_a_number_and_a_list_for_a_tuple() -> None:
    learning_rate = options()["training.learning_rate"].check(1)
    assert learning_rate == 1.0 and isinstance(learning_rate, float)
    assert options()["evaluation.rungs"].check([0.5]) == (0.5,)
    assert options()["evaluation.tasks"].check(["zorro", "comps"]) == ("zorro", "comps")
    assert options()["run.dir"].check(None) is None


@given(
    st.sampled_from(ALL), st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)
)
def test_any_value_is_taken_or_refused_by_name(option: Option, value: object) -> None:
    """And what was taken once is taken again, unchanged."""
    try:
        checked = option.check(value)
    except ConfigError as error:
        assert option.key in str(error)
    else:
        assert option.check(checked) == checked
