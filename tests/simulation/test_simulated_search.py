import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.search.space.base import compose_base
from sleep_tune.simulation.analytic import ANALYTIC
from sleep_tune.simulation.landscape import best_settings
from sleep_tune.simulation.methods import read_methods
from sleep_tune.simulation.points import Settings
from sleep_tune.simulation.simulated_search import FRESH_SEED, SearchResult, Setup, simulate_search
from tests.simulation.spaces import quiet

ARM, NONE, SLOTS = read_methods(
    Path(__file__).parents[2] / "search_spaces" / "replay.yaml",
    ["scheduler.name=none,algorithm=random", "slots=3"],
    slots=1,
)
SETUP = Setup(compose_base(ARM.space), runs=8.0)
LANDSCAPE = ANALYTIC["parallel"](ARM.space.parameters, 0)
BEST = LANDSCAPE.truth(best_settings(LANDSCAPE))


def find(arm: Any = ARM, seed: int = 0, setup: Setup = SETUP) -> SearchResult:
    return simulate_search(arm, LANDSCAPE, BEST, seed, setup)


def test_it_spends_its_cost_and_finds_something() -> None:
    found = find()
    assert len(found.regrets) == 3
    assert all(regret > -1e-9 for regret in found.regrets)
    assert found.completed + found.stopped + 1 >= found.trials > 8
    assert found.hours == pytest.approx(8 * 2 + found.trials * 0.02, abs=0.1)
    assert found.idle == pytest.approx(0.0, abs=1e-9)
    assert find() == found


def test_without_a_scheduler_all_complete_and_without_noise_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet(monkeypatch)
    found = find(NONE)
    assert (found.stopped, found.lost) == (0, False)
    assert found.completed == 8
    assert found.finalist == found.regrets[-1], "fresh seeds change no order"
    assert found.regrets[0] >= found.regrets[1] >= found.regrets[2]
    assert find(NONE, 1).regrets != found.regrets


def test_fresh_seeds_choose_among_the_first_three() -> None:
    def curve(settings: Settings, seed: int, share: float) -> float:
        """In the search the worst seems the best; fresh seeds tell the truth."""
        return LANDSCAPE.truth(settings) * (1 if seed >= FRESH_SEED else -1)

    found = simulate_search(NONE, dataclasses.replace(LANDSCAPE, curve=curve), BEST, 0, SETUP)
    assert found.finalist < found.regrets[-1]


def test_slots_share_the_time() -> None:
    assert find(SLOTS).hours == pytest.approx(find().hours / 3, rel=0.1)


def test_before_any_trial_reports_the_first_is_chosen() -> None:
    found = find(setup=Setup(SETUP.base, runs=0.5, marks=(0.1, 0.8)))
    assert found.trials == 1
    assert found.regrets[0] == found.regrets[1]
