from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.group_sizes import GROUP_SIZES, expected_size


def test_official_sizes_are_found_whatever_the_case_of_a_group() -> None:
    assert expected_size("blimp_filtered", "principle_A_case_1") == 912
    assert expected_size("blimp_fast", "wh_island") == 200
    assert expected_size("entity_tracking_fast", "ambiref_0_ops") is None
    assert expected_size("zorro", "npi") is None


def test_the_table_has_the_official_totals() -> None:
    assert sum(GROUP_SIZES["blimp_filtered"].values()) == 59_875
    assert sum(GROUP_SIZES["supplement_filtered"].values()) == 5_218
    assert sum(GROUP_SIZES["entity_tracking"].values()) == 9_483
    assert set(GROUP_SIZES) < set(FOLDERS)
