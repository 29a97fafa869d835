"""A configuration survives the way to a dictionary and back; what does not belong there is refused by name."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.options import options, sections
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import assign, flatten, from_dict, to_dict
from sleep_tune.errors import ConfigError


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
    ("tree", "message"),
    [
        ({"slep": {}}, "unknown option 'slep'; did you mean 'sleep'?"),
        (
            {"sleep": {"fold": 3}},
            r"unknown option 'sleep\.fold'; did you mean 'sleep\.folds'\? There are: sleep\.folds",
        ),
        ({"sleep": {"ratio": 3}}, r"did you mean 'sleep\.replay\.ratio'"),
        ({"folds": 3}, r"unknown option 'folds'; did you mean 'sleep\.folds'"),
        ({"training": {"lr": 3}}, r"unknown option 'training\.lr'; there are: training\.seed"),
        ({"traning": {"seed": 3}}, "unknown option 'traning'; did you mean 'training'"),
        ({"sleep": 3}, r"sleep must be a mapping of sleep\.folds, sleep\.context, sleep\.replay\.\*"),
        ({"sleep": {"folds": {"a": 1}}}, r"sleep\.folds must be a whole number"),
        ({1: 2}, "unknown option '1'"),
        ({"data.kind": "toy"}, ""),
        ({"sleep": {"length": {"ratio": 1, "passes": 1}}}, r"set exactly one of sleep\.length\.passes"),
        ({"budget": {"passes": None}}, r"set exactly one of budget\.passes, budget\.words; got none"),
    ],
)
def test_refuses_what_does_not_belong(tree: dict[Any, Any], message: str) -> None:
    if message:
        with pytest.raises(ConfigError, match=message):
            from_dict(tree)
    else:
        assert from_dict(tree) == RunConfig()


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
    ("key", "value", "message"),
    [
        ("sleep.replay.ration", 0.5, r"did you mean 'sleep\.replay\.ratio'"),
        ("sleep.replay", 0.5, r"sleep\.replay is a section, not an option; set one of: sleep\.replay\.strategy"),
        ("sleep.replay.ratio", 2, r"must be a number in \(0, 1\]; got 2"),
        ("", 2, "unknown option ''"),
        (".", 2, "unknown option '.'"),
    ],
)
def test_assign_refuses_and_leaves_the_tree_alone(key: str, value: object, message: str) -> None:
    tree = to_dict(RunConfig())
    before = copy.deepcopy(tree)
    with pytest.raises(ConfigError, match=message):
        assign(tree, key, value)
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
