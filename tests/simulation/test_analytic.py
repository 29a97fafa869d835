import numpy as np
import pytest

from sleep_tune.errors import ConfigError
from sleep_tune.simulation.analytic import ANALYTIC, SPREAD, UNREAD
from sleep_tune.simulation.points import draw
from sleep_tune.simulation.rank_agreement import rank_agreement
from tests.simulation.spaces import PARAMETERS, quiet

SHARES = (0.1, 1 / 3, 1.0)


@pytest.mark.parametrize("name", ANALYTIC)
def test_the_truth_is_the_end_without_noise(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    quiet(monkeypatch)
    landscape = ANALYTIC[name](PARAMETERS, 3)
    settings = draw(PARAMETERS, np.random.default_rng(0))
    assert landscape.curve(settings, 0, 1.0) == pytest.approx(landscape.truth(settings))
    assert landscape.curve(settings, 0, 0.1) > landscape.curve(settings, 0, 0.5) > landscape.truth(settings)


def test_ends_are_spread_as_said() -> None:
    landscape = ANALYTIC["crossing"](PARAMETERS, 0)
    rng = np.random.default_rng(7)
    ends = [landscape.truth(draw(PARAMETERS, rng)) for _ in range(400)]
    assert np.mean(ends) == pytest.approx(3.0, abs=0.03)
    assert np.std(ends) == pytest.approx(SPREAD, rel=0.25)


def test_each_seed_is_a_landscape_and_each_run_seed_a_noise() -> None:
    settings = draw(PARAMETERS, np.random.default_rng(0))
    first, second = (ANALYTIC["crossing"](PARAMETERS, seed) for seed in (0, 1))
    assert first.truth(settings) != second.truth(settings)
    assert first.truth(settings) == ANALYTIC["crossing"](PARAMETERS, 0).truth(settings)
    assert first.curve(settings, 0, 0.5) != first.curve(settings, 1, 0.5)
    assert first.curve(settings, 0, 0.5) == first.curve(settings, 0, 0.5)


def test_without_noise_early_ranks_predict_parallel_curves_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet(monkeypatch)
    taus = {
        name: np.mean(
            [rank_agreement(ANALYTIC[name](PARAMETERS, seed), SHARES, seed, None)[1].tau for seed in range(5)]
        )
        for name in ("parallel", "crossing", "tangled")
    }
    assert taus["parallel"] == 1.0
    assert taus["parallel"] > taus["crossing"] > taus["tangled"] + 0.1


def test_early_noise_is_larger_than_late() -> None:
    landscape = ANALYTIC["parallel"](PARAMETERS, 0)
    settings = draw(PARAMETERS, np.random.default_rng(0))
    early, late = (np.std([landscape.curve(settings, seed, share) for seed in range(300)]) for share in (0.1, 1.0))
    assert early > 1.5 * late > 0


def test_runs_of_one_pass_start_worse_by_what_they_have_not_read_and_end_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet(monkeypatch)
    plain, unfair = (ANALYTIC[name](PARAMETERS, 0) for name in ("crossing", "one_pass"))
    settings = draw(PARAMETERS, np.random.default_rng(0))
    for passes, unread, end in ((1.0, 0.8, -0.5), (2.0, 0.6, 0.0), (5.0, 0.0, 0.5)):
        run = settings | {"sleep.length.passes": passes}
        assert unfair.truth(run) - plain.truth(run) == pytest.approx(SPREAD * end)
        worse = unfair.curve(run, 0, 0.2) - plain.curve(run, 0, 0.2)
        assert worse == pytest.approx(UNREAD * unread + SPREAD * end)


def test_one_pass_needs_passes() -> None:
    with pytest.raises(ConfigError, match=r"curves one_pass: the space must search sleep\.length\.passes"):
        ANALYTIC["one_pass"](PARAMETERS[:3], 0)
