import pytest

from sleep_tune.simulation.points import Settings
from sleep_tune.simulation.rank_agreement import rank_agreement
from tests.simulation.spaces import flat


def rate(settings: Settings) -> float:
    value = settings["training.learning_rate"]
    assert isinstance(value, float)
    return value


def test_flat_curves_have_rank_correlation_1_and_reversed_ones_minus_1() -> None:
    (told,) = rank_agreement(flat(rate), [0.5], 0, "sleep.folds")
    assert (told.share, told.tau, told.within) == (0.5, 1.0, 1.0)
    (told,) = rank_agreement(flat(rate, curve=lambda settings, seed, share: -rate(settings)), [0.5], 0, None)
    assert (told.tau, told.within) == (-1.0, None)


def test_within_groups_what_sets_groups_apart_does_not_count() -> None:
    def shifted(settings: Settings, seed: int, share: float) -> float:
        folds = settings["sleep.folds"]
        assert isinstance(folds, int)
        return rate(settings) + folds * (1 - share)

    early, late = rank_agreement(flat(rate, curve=shifted), [0.5, 1.0], 0, "sleep.folds")
    assert early.tau < 0.6
    assert early.within == pytest.approx(1.0)
    assert late.tau == pytest.approx(1.0)
