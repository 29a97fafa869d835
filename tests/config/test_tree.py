"""A configuration becomes a dictionary and back, unchanged; what does not belong there is refused by name."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.options import options, sections
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import assign, flatten, from_dict, to_dict
from sleep_tune.errors import ConfigError
from tests.messages import missing


def test_there_and_back() -> None:
    tree = to_dict(RunConfig())
    assert from_dict(tree) == RunConfig()
    assert list(flatten(tree)) == list(options())
    assert tree["evaluation"]["rungs"] == []


def test_what_is_left_out_has_its_default() -> None:
    assert from_dict({}) == RunConfig()
    assert from_dict({"sleep": {"replay": {"ratio": 0.5}}}).sleep.replay.ratio == 0.5


def test_one_of_several_replaces_the_default_of_its_siblings() -> None:
    config = from_dict({"sleep": {"length": {"ratio": 0}}, "budget": {"words": 1000}})
    assert (config.sleep.length.passes, config.sleep.length.ratio) == (None, 0.0)
    assert (config.budget.passes, config.budget.words) == (None, 1000)


@pytest.mark.parametrize(
    ("tree", "facts"),
    [
        ({"slep": {}}, "'slep'|'sleep'"),
        ({"sleep": {"fold": 3}}, "'sleep.fold'|'sleep.folds'|sleep.context"),
        ({"sleep": {"ratio": 3}}, "'sleep.ratio'|'sleep.replay.ratio'"),
        ({"folds": 3}, "'folds'|'sleep.folds'"),
        ({"training": {"lr": 3}}, "'training.lr'|training.learning_rate"),
        ({"training": {"xyz": 3}}, "'training.xyz'|training.seed, |training.batch_size, training.accumulation"),
        ({"traning": {"seed": 3}}, "'traning'|'training'"),
        ({"sleep": 3}, "sleep|mapping|folds, context|got 3"),
        ({"sleep": {"folds": {"a": 1}}}, "sleep.folds|whole number|{'a': 1}"),
        ({1: 2}, "'1'|sleep.*"),
        ({"sleep": {"length": {"ratio": 1, "passes": 1}}}, "sleep.length.passes, |sleep.length.ratio=1"),
        ({"budget": {"passes": None}}, "budget.passes, budget.words|none"),
        ({"sleep": {"fold": 3}, "data": 4, "training": {"seed": -1}}, "3 mistakes|'sleep.fold'|data|training.seed"),
    ],
)
def test_refuses_what_does_not_belong(tree: dict[Any, Any], facts: str) -> None:
    with pytest.raises(ConfigError) as raised:
        from_dict(tree)
    assert not missing(raised.value, facts)


def test_assign_sets_one_option_and_clears_its_siblings() -> None:
    tree = to_dict(RunConfig())
    assign(tree, "sleep.length.repeats", 2)
    assign(tree, "training.learning_rate", 1)
    assign(tree, "evaluation.rungs", (0.3, 0.6))
    assert tree["sleep"]["length"] == {"passes": None, "ratio": None, "repeats": 2.0}
    assert tree["evaluation"]["rungs"] == [0.3, 0.6]
    assert from_dict(tree).training.learning_rate == 1.0


def test_assigning_null_clears_no_sibling() -> None:
    tree = to_dict(RunConfig())
    assign(tree, "sleep.length.ratio", None)
    assert tree == to_dict(RunConfig())


def test_assign_builds_the_sections_on_its_way() -> None:
    tree: dict[str, Any] = {}
    assign(tree, "sleep.replay.ratio", 0.5)
    assert tree == {"sleep": {"replay": {"ratio": 0.5}}}


@pytest.mark.parametrize(
    ("key", "value", "facts"),
    [
        ("sleep.replay.ration", 0.5, "'sleep.replay.ratio'"),
        ("sleep.replay", 0.5, "sleep.replay |section|sleep.replay.strategy"),
        ("sleep.replay.ratio", 2, "sleep.replay.ratio|(0, 1]|got 2"),
        ("", 2, "''"),
        (".", 2, "'.'"),
    ],
)
def test_assign_refuses_and_leaves_the_tree_alone(key: str, value: object, facts: str) -> None:
    tree = to_dict(RunConfig())
    before = copy.deepcopy(tree)
    with pytest.raises(ConfigError) as raised:
        assign(tree, key, value)
    assert not missing(raised.value, facts)
    assert tree == before


@given(st.sampled_from([*options(), *sections()]), st.integers(0, 40), st.characters())
def test_a_misspelt_key_is_refused_and_a_slip_of_one_letter_recognised(key: str, place: int, letter: str) -> None:
    """The suggestion is a key that exists, whichever it is."""
    place %= len(key)
    misspelt = key[:place] + letter + key[place + 1 :]
    if misspelt in options():
        return
    with pytest.raises(ConfigError) as caught:
        assign({}, misspelt, 1)
    if "did you mean '" in str(caught.value):
        meant = str(caught.value).split("did you mean '")[1].split("'")[0]
        assert meant in options() or meant in sections()
