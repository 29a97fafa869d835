import pytest

from sleep_tune import babylm


def test_the_macro_average_counts_every_group_once() -> None:
    assert babylm.macro_average({"islands": 50.0, "agreement": 90.0}) == 70.0
    with pytest.raises(ValueError, match="at least one score; got none"):
        babylm.macro_average({})


def test_every_track_has_a_dataset_and_a_size() -> None:
    assert set(babylm.DATASETS) == set(babylm.NOMINAL_WORDS)
