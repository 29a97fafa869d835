import pytest

from sleep_tune.simulation.engine import VirtualClock


def test_it_stands_still_until_it_is_set_forward() -> None:
    clock = VirtualClock()
    assert clock() == clock() == 0.0
    clock.advance(3.5)
    clock.advance(3.5)
    assert clock() == 3.5


def test_it_never_goes_back() -> None:
    clock = VirtualClock()
    clock.advance(2.0)
    with pytest.raises(ValueError, match=r"stands at 2\.0 s and cannot go back to 1\.0 s"):
        clock.advance(1.0)
