"""Settings are listed once each, whatever is conditional on what."""

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.experiment.trial_state import configuration_key
from sleep_tune.search.space.search_space import Choice, Int, LogUniform, Parameter, Uniform, active
from sleep_tune.search.space.settings import list_settings, num_settings
from sleep_tune.search.space.space_json import parameters_from_json, to_json
from tests.search.studies import study

CONDITIONAL = (
    Parameter("a", Choice(("x", "y", "z"))),
    Parameter("b", Int(1, 3), {"a": ("x",)}),
    Parameter("c", Choice((True, False)), {"b": (2,), "a": ("x", "y")}),
)


def test_an_inactive_parent_switches_its_children_off() -> None:
    assert active(CONDITIONAL[1], {"a": "x"})
    assert not active(CONDITIONAL[1], {"a": "y"})
    assert not active(CONDITIONAL[2], {"a": "y"})


def test_settings_are_listed_once() -> None:
    listed = list(list_settings(CONDITIONAL))
    assert listed == [
        {"a": "x", "b": 1},
        {"a": "x", "b": 2, "c": True},
        {"a": "x", "b": 2, "c": False},
        {"a": "x", "b": 3},
        {"a": "y"},
        {"a": "z"},
    ]
    assert num_settings(CONDITIONAL) == len(listed)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_without_conditions_it_is_the_product(sizes: list[int]) -> None:
    parameters = tuple(Parameter(str(n), Choice(tuple(range(size)))) for n, size in enumerate(sizes))
    expected = [dict(zip(map(str, range(len(sizes))), values, strict=True)) for values in product(*map(range, sizes))]
    assert list(list_settings(parameters)) == expected


def test_counting_lists_only_what_others_depend_on() -> None:
    """A billion settings for each value of `a` are counted at once."""
    large = tuple(Parameter(key, Int(1, 1000), {"a": ("x", "y")}) for key in "def")
    assert num_settings((*CONDITIONAL, *large)) == 4 * 10**9 + 10**9 + 1


def test_what_cannot_be_listed() -> None:
    assert num_settings((Parameter("a", Uniform(0, 1)),)) is None
    with pytest.raises(ValueError, match="real numbers cannot be listed"):
        list(list_settings((Parameter("a", LogUniform(1, 2)),)))
    assert list(list_settings((Parameter("a", Uniform(0, 1)),), corners=True)) == [{"a": 0}, {"a": 1}]


def test_a_range_with_a_step_is_listed() -> None:
    parameters = (Parameter("a", Uniform(0.1, 0.7, 0.3)), Parameter("b", Int(1, 9, 4)))
    assert list(list_settings(parameters)) == [{"a": a, "b": b} for a in (0.1, 0.4, 0.7) for b in (1, 5, 9)]
    assert list(list_settings(parameters, corners=True)) == [{"a": a, "b": b} for a in (0.1, 0.7) for b in (1, 9)]
    assert num_settings(parameters) == 9


def test_keys_tell_settings_apart() -> None:
    assert configuration_key({"a": 1, "b": 2.5}) == configuration_key({"b": 2.5, "a": 1})
    assert configuration_key({"a": 1}) != configuration_key({"a": True})
    assert configuration_key({"a": 0.1 + 0.2}) != configuration_key({"a": 0.3})


def test_parameters_survive_their_json() -> None:
    stepped = (Parameter("e", Uniform(0, 1, 0.1)), Parameter("f", Int(1, 9, 2)), Parameter("g", Int(1, 9, log=True)))
    parameters = (*study().parameters, *CONDITIONAL, Parameter("d", LogUniform(0.1, 1)), *stepped)
    assert parameters_from_json(to_json(study(parameters=parameters))["parameters"]) == parameters


def test_a_space_is_plain_json() -> None:
    plain = to_json(study(enqueue=({"sleep.folds": 5},), warm_start=("results/a",)))
    assert json.loads(json.dumps(plain)) == plain
    assert plain["parameters"]["sleep.replay.ratio"] == {
        "uniform": [0.1, 0.9],
        "when": {"sleep.replay.strategy": ["strict"]},
    }
    assert plain["enqueue"] == [{"sleep.folds": 5}]
    assert plain["warm_start"] == ["results/a"]
