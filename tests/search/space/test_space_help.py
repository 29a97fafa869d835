"""The help text about search spaces is complete and fits a terminal."""

import dataclasses

from sleep_tune.search.space.domain_reader import DOMAIN_KEYS
from sleep_tune.search.space.search_space import Space
from sleep_tune.search.space.space_help import SECTION_CLASSES, describe_space


def test_every_section_and_option_is_described() -> None:
    text = describe_space()
    described = {name.partition(".")[0] for name in SECTION_CLASSES}
    others = {"name", "base", "parameters", "enqueue", "warm_start", "where"}
    assert described == {field.name for field in dataclasses.fields(Space)} - others
    for section in SECTION_CLASSES.values():
        for field in dataclasses.fields(section):
            assert f"    {field.name} " in text
    for word in (*DOMAIN_KEYS, "when", "name", "base", "parameters", "enqueue", "warm_start"):
        assert word in text
    assert "{trials: 64}" in text and "(default: [0.25, 0.5, 0.75])" in text and "(default: null" in text
    assert "None" not in text and "(0." not in text
    assert max(len(line) for line in text.splitlines()) <= 120
    assert all(line.startswith("  ") for line in text.splitlines()[1:] if line)
