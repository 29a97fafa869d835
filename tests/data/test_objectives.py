"""Objectives: what is predicted, from where, and what the model sees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sleep_tune.data.masking import Masked, mask_batch
from sleep_tune.data.objectives import is_causal_batch, predict_all, predict_masked
from sleep_tune.sleep.samples import SpecialTokens

VOCAB = 30


def rows(rng: np.random.Generator, special: SpecialTokens) -> NDArray[np.int32]:
    """Packed rows of 12 tokens: a start, text with separators, and padding at the end of the last one."""
    ids = rng.integers(4, VOCAB, (5, 12)).astype(np.int32)
    ids[rng.random(ids.shape) < 0.2] = special.separator
    ids[:, 0] = special.start
    ids[-1, 7:] = special.pad
    return ids


@pytest.mark.parametrize("special", [SpecialTokens(0, 1, 2, 3), SpecialTokens(0, 0, 2, 3)])
def test_every_token_but_the_first_and_padding_is_predicted_from_the_one_before(special: SpecialTokens) -> None:
    ids = rows(np.random.default_rng(0), special)
    predictions = predict_all(ids, special)
    assert len(predictions.labels) == 4 * 11 + 6
    assert np.array_equal(predictions.input_ids, ids)
    assert np.array_equal(predictions.positions + 1, predictions.tokens)
    assert np.array_equal(ids.reshape(-1)[predictions.tokens], predictions.labels)
    assert special.pad not in predictions.labels
    assert (predictions.tokens % 12 > 0).all()
    separators = np.count_nonzero(ids[:, 1:] == special.separator)
    assert np.count_nonzero(predictions.labels == special.separator) == separators > 0


@given(seed=st.integers(0, 2**32 - 1), shift=st.sampled_from([0, 1]))
def test_masked_tokens_are_predicted_from_their_place_or_the_one_before(seed: int, shift: int) -> None:
    special, masks = SpecialTokens(0, 1, 2, 3), []
    ids = rows(np.random.default_rng(seed), special)

    def hide(input_ids: NDArray[np.integer]) -> Masked:
        rng = np.random.default_rng(seed)
        masks.append(
            mask_batch(input_ids, special, VOCAB, rng, kind="fixed", probability=0.3, mask_share=0.8, random_share=0.1)
        )
        return masks[-1]

    predictions = predict_masked(ids, hide, shift)
    assert np.array_equal(predictions.input_ids, masks[0].input_ids)
    assert np.array_equal(predictions.tokens, masks[0].positions)
    assert np.array_equal(predictions.positions, predictions.tokens - shift)
    assert np.array_equal(predictions.positions // 12, predictions.tokens // 12)
    assert np.array_equal(ids.reshape(-1)[predictions.tokens], predictions.labels)


@given(ratio=st.floats(0, 1), batches=st.integers(0, 300))
def test_causal_batches_are_spread_evenly(ratio: float, batches: int) -> None:
    causal = [is_causal_batch(index, ratio) for index in range(batches)]
    assert all(abs(sum(causal[:number]) - number * ratio) < 1 + 1e-9 for number in range(batches + 1))


def test_no_batch_and_all_batches_are_causal_at_the_ends() -> None:
    assert not any(is_causal_batch(index, 0.0) for index in range(100))
    assert all(is_causal_batch(index, 1.0) for index in range(100))
