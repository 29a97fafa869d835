import doctest

import pytest

from sleep_tune.babylm import group_sizes
from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.group_sizes import GROUP_SIZES, NUM_GROUPS, expected_size
from sleep_tune.babylm.protocols import PROTOCOLS


def test_the_examples_in_the_docstrings_are_right() -> None:
    assert doctest.testmod(group_sizes) == doctest.TestResults(failed=0, attempted=1)


@pytest.mark.parametrize("year", PROTOCOLS)
def test_official_sizes_are_found_whatever_the_case_of_a_group(year: str) -> None:
    assert expected_size("blimp_filtered", "principle_A_case_1", year) == 912
    assert expected_size("blimp_fast", "wh_island", year) == 200
    assert expected_size("entity_tracking_fast", "ambiref_0_ops", year) is None
    assert expected_size("zorro", "npi", year) is None


@pytest.mark.parametrize("year", PROTOCOLS)
def test_the_table_has_the_official_totals(year: str) -> None:
    sizes = GROUP_SIZES[year]
    assert sum(sizes["blimp_filtered"].values()) == 59_875
    assert sum(sizes["supplement_filtered"].values()) == 5_218
    splits = {"2025": (3152, 3224, 3107), "2026": (2238, 2315, 2227)}[year]
    for split, total in zip(("regular", "ambiref", "move_contents"), splits, strict=True):
        assert sum(size for group, size in sizes["entity_tracking"].items() if group.startswith(split)) == total
    assert set(sizes) < set(FOLDERS)


@pytest.mark.parametrize("year", PROTOCOLS)
def test_each_submitted_folder_has_a_size(year: str) -> None:
    protocol = PROTOCOLS[year]
    assert {*protocol.full, "glue_filtered"} | set(protocol.fast) == set(GROUP_SIZES[year])
    assert set(NUM_GROUPS) <= set(GROUP_SIZES["2026"])
