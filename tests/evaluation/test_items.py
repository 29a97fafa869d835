import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sleep_tune.evaluation.items import TextOption, choose, margin

VALUES = st.sampled_from([-2.0, -1.0, 0.0, float("-inf"), float("nan")])


@given(arrays.arrays(np.float64, st.integers(1, 5), elements=VALUES))
def test_the_choice_is_that_of_torch_max(scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """As the official pipeline chooses, ties and scores that are not numbers included."""
    assert choose(scores) == int(torch.max(torch.tensor(scores)[None], dim=1)[1])


def test_a_constant_goes_to_the_first_option() -> None:
    assert choose(np.array([-3.0, -3.0, -3.0])) == 0


def test_a_margin_is_over_the_best_of_the_others() -> None:
    scores = np.array([-1.0, -3.0, -0.5])
    assert margin(scores, 0) == -0.5
    assert margin(scores, 2) == 0.5
    assert margin(np.array([-1.0]), 0) == float("inf")


def test_an_option_without_a_completion_is_scored_whole() -> None:
    assert TextOption("the cat").ending == "the cat"
    assert TextOption("the cat", " cat").ending == " cat"
