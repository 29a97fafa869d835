"""What the commands print is complete, aligned, and reads back."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.config.describe import describe_groups, describe_options, to_yaml
from sleep_tune.config.groups import groups
from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import assign, from_dict, to_dict


@pytest.mark.parametrize("width", [80, 100, 140])
def test_options_are_complete_and_fit(width: int) -> None:
    text = describe_options(width)
    for key in options():
        assert f"\n  {key} " in text
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()


def test_options_show_the_defaults_of_the_default_groups() -> None:
    text = " ".join(describe_options(140).split())
    assert " model.layers 2 transformer layers; [1, 256] " in text
    assert " sleep.replay.ratio 0.3 buffer size as a share of the candidates; (0, 1] " in text
    assert " the rest of the budget is sleep; > 0; instead of ratio or repeats " in text


def test_groups_show_choices_what_they_set_and_the_default() -> None:
    text = describe_groups(120)
    for group, choices in groups().items():
        assert f"\n{group}\n" in f"\n{text}"
        assert all(f" {choice} " in text for choice in choices)
    assert "* toy" in text and "* tiny" in text and "* weighted" not in text
    assert "[folds=1, interleave=false, length.ratio=0, replay.max_exposures=null]" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 120


def test_yaml_reads_back_by_any_reader() -> None:
    """A stock YAML 1.1 reader takes 1e-06 for text and `on` for true."""
    tree = to_dict(RunConfig())
    assign(tree, "training.epsilon", 1e-6)
    assign(tree, "evaluation.rungs", [0.3, 1e-5 + 0.5])
    assign(tree, "model.options", {"a": 1e-6, "b c": ["on", {"null": None}], "d": {}, "e:": "f, g"})
    tree["model"] |= {"kind": "hf", "config": "bert"}
    assert yaml.safe_load(to_yaml(from_dict(tree))) == tree


def test_a_long_value_does_not_run_into_its_comment() -> None:
    tree = to_dict(RunConfig())
    assign(tree, "run.name", "a" * 60)
    assert yaml.safe_load(to_yaml(from_dict(tree))) == tree


def test_yaml_comments_say_meaning_and_range() -> None:
    text = to_yaml(RunConfig())
    assert "    ratio: 0.3                          # buffer size as a share of the candidates; (0, 1]\n" in text
    assert all("# " in line for line in text.splitlines())


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1).filter(str.strip), st.floats(1e-12, 1.0))
def test_any_text_and_number_reads_back(path: str, rate: float) -> None:
    tree = to_dict(RunConfig())
    assign(tree, "run.dir", path)
    assign(tree, "training.learning_rate", rate)
    assert yaml.safe_load(to_yaml(from_dict(tree))) == tree


@pytest.mark.parametrize(
    "text", ["on", "No", "null", "~", "1", "1e5", "0x1", "-", "1_0", "=", "<<", "a: b", "a #b", "é"]
)
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    tree = to_dict(RunConfig())
    assign(tree, "run.dir", text)
    assert yaml.safe_load(to_yaml(from_dict(tree)))["run"]["dir"] == text
