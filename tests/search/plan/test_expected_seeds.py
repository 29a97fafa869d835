"""How many seeds arms are expected to get: against the statistics that decide them."""

import numpy as np
import pytest

from sleep_tune.search.plan.expected_seeds import expected_seeds, findable_difference
from sleep_tune.statistics.conditional_power import FUTILE, conditional_power
from sleep_tune.statistics.fixed_sample import POWER, holm
from sleep_tune.statistics.schedule import Schedule
from sleep_tune.statistics.sequential import sequential_difference, sequential_equivalence
from tests.docs.pages import ROOT, read

SCHEDULE = Schedule((3, 6, 9), 0.1)
NUMBERS = (1, 1, 1, 2, 2, 2, 3, 3, 3)


def judge(effects: tuple[float, ...], margin: float | None, studies: int) -> tuple[float, float]:
    """Return the mean number of seeds and the share of arms found, by the functions that judge a study's looks."""
    rng, seeds, found = np.random.default_rng(1), [], []
    for _ in range(studies):
        runs = rng.normal(0, np.sqrt(0.5), (len(effects) + 1, 9))
        differences = runs[1:] - runs[0] + np.array(effects)[:, None]
        decided: dict[int, int] = {}
        significant: set[int] = set()
        for count in SCHEDULE.looks:
            seen = [decided.get(arm, count) for arm in range(len(effects))]
            given = [(differences[arm, :n], NUMBERS[:n], SCHEDULE, n // 3) for arm, n in enumerate(seen)]
            p = holm([sequential_difference(*one).difference.p or 1.0 for one in given])
            equal = holm([sequential_equivalence(*one, margin) or 1.0 for one in given]) if margin else [1.0] * len(p)
            significant |= {arm for arm in range(len(effects)) if p[arm] < SCHEDULE.level}
            tests = max(1, len(effects) - len(significant))
            for arm, one in enumerate(given):
                if min(p[arm], equal[arm]) < SCHEDULE.level or (
                    conditional_power(*one, margin=margin, tests=tests) < FUTILE
                ):
                    decided.setdefault(arm, count)
        seeds += [decided.get(arm, 9) for arm in range(len(effects))]
        found += [arm in significant for arm in range(len(effects))]
    return float(np.mean(seeds)), float(np.mean(found))


@pytest.mark.parametrize(("effects", "margin"), [((0.0,), None), ((1.3, 1.3, 1.3), None), ((0.0, 0.0), 1.2)])
def test_expected_seeds_are_those_of_the_judge(effects: tuple[float, ...], margin: float | None) -> None:
    seeds, found = judge(effects, margin, 120 // len(effects))
    expected = expected_seeds(SCHEDULE, effects, margin)
    assert np.mean(expected.arms) == pytest.approx(seeds, abs=0.8)
    assert np.mean(expected.found) == pytest.approx(found, abs=0.12)
    assert max(expected.arms) <= expected.reference <= 9


def test_a_difference_is_found_as_often_as_said() -> None:
    difference = findable_difference(SCHEDULE, 3)
    assert np.mean(expected_seeds(SCHEDULE, [difference] * 3).found) == pytest.approx(POWER, abs=0.02)
    assert findable_difference(SCHEDULE, 6) > difference > findable_difference(Schedule((12,)), 3)


def test_one_look_gives_all_seeds() -> None:
    """The power of a paired t test of 8 differences at a level of 5%: one standard deviation is found in 68%."""
    expected = expected_seeds(Schedule((8,), 0.0), [1.0])
    assert (expected.arms, expected.reference) == ((8.0,), 8.0)
    assert expected.found[0] == pytest.approx(0.68, abs=0.03)


def test_an_arm_that_never_differs_goes_on_longer_among_arms_that_do() -> None:
    expected = expected_seeds(Schedule((5, 8, 12)), [0.0, 4.0, 4.0])
    assert 5.5 < expected.arms[0] > expected.arms[1]
    assert expected.found[0] < 0.06
    assert min(expected.found[1:]) > 0.99


def test_the_pages_give_the_figures_of_looks() -> None:
    answer, run = (" ".join(read(ROOT / "docs" / page).split()) for page in ("answer.md", "run-a-search.md"))
    looks = Schedule((5, 8, 12))
    alike = findable_difference(Schedule((12,)), 4)
    none, some = (f"{np.mean(expected_seeds(looks, [effect] * 4).arms):.1f}" for effect in (0.0, alike))
    assert f"gets {none} seeds on average" in answer
    assert f"an arm gets {some}." in answer
    for name, schedule in (("5", Schedule((5,))), ("looks at 5, 8 and 12", looks)):
        of_run = (f"{findable_difference(schedule, arms) * 2**0.5:.1f} x" for arms in (1, 4))
        assert f"| {name} | {' | '.join(of_run)} |" in run
