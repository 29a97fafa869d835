import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from sleep_tune.babylm.protocols import EXPECTED_CREDIT, FIRST_OPTION
from sleep_tune.evaluation.items import Item, TextOption, choose
from sleep_tune.evaluation.tie_rules import decide

SCORE = st.sampled_from([-1.0, -2.0, float("nan"), float("-inf")])
LISTS = st.lists(st.lists(SCORE, min_size=2, max_size=5), min_size=1, max_size=20)


def items_of(scores: list[list[float]], label: int = 1) -> list[Item]:
    return [Item("x", "x", (TextOption("a"),) * len(own), label=label) for own in scores]


@given(LISTS, st.integers(0, 3))
def test_draws_are_those_of_the_official_code(lists: list[list[float]], seed: int) -> None:
    """NaN is the lowest score; torch is seeded, and draws an index among the best whenever a loader has several."""
    found = decide(items_of(lists), [np.array(own) for own in lists], EXPECTED_CREDIT, seed=seed, draw=True)
    expected = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for (own,) in DataLoader(lists, batch_size=1, collate_fn=list):  # type: ignore[arg-type]
            scores = torch.nan_to_num(torch.tensor(own), nan=float("-inf"), neginf=float("-inf"))
            best = torch.nonzero(scores == scores.max()).flatten()
            at = torch.randint(len(best), (1,)) if len(best) > 1 else 0
            expected.append(int(best[at]))
    assert found.predictions.tolist() == expected
    assert found.credits.tolist() == [float(index == 1) for index in expected]


@given(LISTS)
def test_credits_of_all_labels_add_up_to_one(lists: list[list[float]]) -> None:
    arrays = [np.array(own)[:2] for own in lists]
    total = sum(decide(items_of(lists, label), arrays, EXPECTED_CREDIT).credits for label in (0, 1))
    np.testing.assert_allclose(total, 1.0)


@given(LISTS)
def test_the_first_option_is_chosen_in_2025(lists: list[list[float]]) -> None:
    arrays = [np.array(own) for own in lists]
    found = decide(items_of(lists, 0), arrays, FIRST_OPTION)
    assert found.predictions.tolist() == [choose(own) for own in arrays]
    assert found.credits.tolist() == [float(choose(own) == 0) for own in arrays]


def test_a_tie_of_the_right_option_counts_its_expected_value() -> None:
    scores = [[-1.0, -1.0, -1.0, -2.0], [-1.0, -2.0, -1.0], [-2.0, -1.0]]
    credits = decide(items_of(scores), [np.array(own) for own in scores], EXPECTED_CREDIT).credits
    np.testing.assert_allclose(credits, [1 / 3, 0.0, 1.0])
