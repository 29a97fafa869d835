"""Sections are read whole: valid values are kept, every mistake is reported with its place, and none hides another."""

from dataclasses import dataclass, field

import pytest

from sleep_tune.config.checker import read_section
from sleep_tune.config.entry import Entry
from sleep_tune.config.schema import option
from sleep_tune.config.yaml_file import read_document
from sleep_tune.errors import ConfigError
from tests.messages import missing


@dataclass(kw_only=True)
class Inner:
    """A section inside another."""

    share: float = option(0.5, "a share", low=0, high=1)


@dataclass(kw_only=True)
class Outer:
    """A section with one of each kind of field."""

    count: int = option(3, "a count", low=1)
    kind: str = option("a", "a kind", choices=("a", "other"))
    inner: Inner = field(default_factory=Inner)


def document(text: str) -> Entry:
    return read_document(text, "x.yaml")


def test_values_are_kept_and_the_rest_has_its_default() -> None:
    assert read_section(Outer, document("kind: other\ninner: {share: 1}")) == Outer(
        kind="other", inner=Inner(share=1.0)
    )


def test_an_option_with_a_mistake_has_its_default_and_the_entry_says_so() -> None:
    root = document("count: 0\nkind: othr\ninner:\n  share: 2\n  shore: 1\n")
    assert read_section(Outer, root) == Outer()
    assert not root.is_sound and not root.inside("inner").is_sound
    assert root.inside("inner").has_unknown_keys(("share",)) and not root.has_unknown_keys(("count", "kind", "inner"))
    with pytest.raises(ConfigError) as raised:
        root.mistakes.check()
    heading, *lines = str(raised.value).splitlines()
    facts = [
        "x.yaml:1: |count|>= 1|0",
        "x.yaml:2: |'othr'|'other'",
        "x.yaml:4: |inner.share|[0, 1]|2",
        "x.yaml:5: |'shore'",
    ]
    assert not missing(heading, "x.yaml|4")
    assert [missing(*pair) for pair in zip(lines, facts, strict=True)] == [[]] * 4


def test_a_section_that_is_no_mapping_hides_no_other_mistake() -> None:
    root = document("inner: 3\ncount: x")
    read_section(Outer, root)
    with pytest.raises(ConfigError) as raised:
        root.mistakes.check()
    assert not missing(raised.value, "2 mistakes|x.yaml:1: |inner|mapping of share|3|x.yaml:2: |count|'x'")
