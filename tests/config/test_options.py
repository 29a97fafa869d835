"""Every option is documented, and its check agrees with the documentation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.entry import shown
from sleep_tune.config.options import Option, options, section_fields, sections
from sleep_tune.errors import ConfigError
from sleep_tune.search.space.search_space import Resources
from tests.messages import missing

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
    ("key", "value", "facts"),
    [
        ("sleep.replay.ratio", 1.5, "(0, 1]|got 1.5"),
        ("sleep.replay.ratio", 0, "(0, 1]|got 0"),
        ("training.learning_rate", "1e-5", "(0, 1]|got '1e-5'"),
        ("training.learning_rate", True, "got true"),
        ("training.learning_rate", math.nan, "got nan"),
        ("budget.passes", math.inf, "> 0 or null|got inf"),
        ("budget.passes", 10**400, "more than 77 digits"),
        ("training.seed", 1.0, "[0, 4294967295]|got 1.0"),
        ("training.seed", True, "got true"),
        ("training.seed", -1, "got -1"),
        ("training.seed", None, "got null"),
        ("training.compile", 1, "true or false|got 1"),
        ("training.compile", "yes", "got 'yes'"),
        ("run.name", 3, "text|got 3"),
        ("run.name", " ", "text|empty"),
        ("run.dir", "a\0b", "control characters|'a\\x00b'"),
        ("run.dir", "a\udc80", "UTF-8|'a\\udc80'"),
        ("evaluation.rungs", 0.3, "list of numbers in (0, 1)|got 0.3"),
        ("evaluation.rungs", [0.3, 1.0], "got [0.3, 1.0]"),
        ("evaluation.rungs", [0.3, "x"], "got [0.3, 'x']"),
        ("evaluation.tasks", "blimp_fast", "a list of|blimp_filtered|got 'blimp_fast'"),
        ("evaluation.tasks", ["blimp_fats"], "'blimp_fats'|'blimp_fast'"),
        ("evaluation.tasks", [["blimp_fast"]], "blimp_filtered"),
        ("evaluation.tasks", ["comps", "comps"], "once|['comps', 'comps']"),
        ("sleep.replay.strategy", "strickt", "'strickt'|'strict'|random, strict, weighted"),
        ("sleep.replay.strategy", "my_lab.replay.middle", "did you mean my_lab.replay:middle?"),
        ("sleep.replay.strategy", None, "random, strict, weighted|got null"),
        ("sleep.replay.strategy", ["strict"], "got ['strict']"),
        ("model.options", [1], "a mapping of names to plain values|got [1]"),
        ("model.options", {"a": {"b": math.nan}}, "model.options.a.b|finite|got nan"),
        ("model.options", {"a": {1: 2}}, "model.options.a|names that are text|got 1"),
        ("model.options", {"a": [{"b": "c\0"}]}, "model.options.a.b|control characters"),
        ("model.options", {"a": [[[[[[[[[1]]]]]]]]]}, "model.options.a|got [[1]]"),
    ],
)
def test_refuses_with_key_expectation_and_value(key: str, value: object, facts: str) -> None:
    with pytest.raises(ConfigError) as raised:
        options()[key].check(value)
    assert not missing(raised.value, f"{key}|{facts}")


def test_a_number_may_be_auto_where_its_declaration_says_so() -> None:
    cpus = section_fields(Resources, "resources")["cpus_per_worker"]
    assert isinstance(cpus, Option)
    assert (cpus.check("auto"), cpus.check(2)) == ("auto", 2)
    for value in ("aut", 0, None, 1.5):
        with pytest.raises(ConfigError) as raised:
            cpus.check(value)
        assert not missing(raised.value, f"resources.cpus_per_worker|>= 1|auto|got {shown(value)}")


def test_a_mapping_is_copied_with_all_that_it_holds() -> None:
    given = {"a": {"b": [1, 2.5, None, "x", True]}, "c": 1e-5}
    taken = options()["model.options"].check(given)
    assert taken == given and taken["a"] is not given["a"]
    assert options()["model.options"].default == {}


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
    """A value that is valid stays valid and unchanged."""
    try:
        checked = option.check(value)
    except ConfigError as error:
        assert option.key in str(error)
    else:
        assert option.check(checked) == checked
