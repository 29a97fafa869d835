import dataclasses

from sleep_tune.search.space.search_space import Space
from sleep_tune.search.space.space_help import SECTIONS, describe_space


def test_every_section_and_option_is_told() -> None:
    told = describe_space()
    assert {name.partition(".")[0] for name in SECTIONS} == {field.name for field in dataclasses.fields(Space)} - {
        "name",
        "base",
        "parameters",
        "enqueue",
        "warm_start",
        "where",
    }
    for section in SECTIONS.values():
        for field in dataclasses.fields(section):
            assert f"    {field.name} " in told
    for word in (
        "name",
        "base",
        "parameters",
        "choice",
        "uniform",
        "log_uniform",
        "int",
        "when",
        "enqueue",
        "warm_start",
    ):
        assert word in told
    assert max(len(line) for line in told.splitlines()) <= 120
