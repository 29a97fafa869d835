from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import PreTrainedModel

from sleep_tune import names
from sleep_tune.evaluation.perplexity import METHODS, cloze_of_rows, text_positions
from sleep_tune.sleep.samples import SpecialTokens

Rows = NDArray[np.int32]
Oracle = Callable[[list[int], list[int]], dict[int, float]]


def is_text(token: int, special: SpecialTokens) -> bool:
    return token not in (special.start, special.separator, special.pad, special.mask)


def test_the_configuration_names_every_method() -> None:
    assert tuple(sorted(METHODS)) == names.PERPLEXITIES


def test_exact_is_one_masked_copy_at_a_time(
    model: PreTrainedModel, oracle: Oracle, special: SpecialTokens, rows: Callable[..., Rows]
) -> None:
    tokens = rows(7, 12)
    scores = cloze_of_rows(tokens, special, backend="mlm", method="exact", stride=8, batch_tokens=100).score(model)
    expected = []
    for row in tokens.tolist():
        text = [token for token in row if token != special.pad]
        expected += [oracle(text, [t])[t] for t, token in enumerate(text) if is_text(token, special)]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 5])
def test_strided_masks_every_stride_th_position_together(
    model: PreTrainedModel, oracle: Oracle, special: SpecialTokens, rows: Callable[..., Rows], stride: int
) -> None:
    tokens = rows(4, 12)
    scores = cloze_of_rows(tokens, special, backend="mlm", method="strided", stride=stride, batch_tokens=100).score(
        model
    )
    expected = []
    for row in tokens.tolist():
        text = [token for token in row if token != special.pad]
        asked = [t for t, token in enumerate(text) if is_text(token, special)]
        for t in asked:
            expected.append(oracle(text, [other for other in asked if other % stride == t % stride])[t])
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_causal_model_reads_each_row_once_and_is_asked_for_every_text_token(
    causal: PreTrainedModel, special: SpecialTokens, rows: Callable[..., Rows]
) -> None:
    tokens = rows(7, 12)
    cloze = cloze_of_rows(tokens, special, backend="causal", method="strided", stride=2, batch_tokens=100)
    assert cloze.num_tokens == (tokens != special.pad).sum()
    scores = cloze.score(causal)
    causal.train(False)
    expected = []
    for row in tokens.tolist():
        with torch.no_grad():
            log_p = causal(torch.tensor([row])).logits[0].double().log_softmax(dim=-1)
        expected += [float(log_p[t - 1, token]) for t, token in enumerate(row) if is_text(token, special)]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_masked_next_token_prediction_reads_the_position_before_the_mask(
    model: PreTrainedModel, special: SpecialTokens, rows: Callable[..., Rows], method: str
) -> None:
    tokens = rows(4, 12)
    scores = cloze_of_rows(tokens, special, backend="mntp", method=method, stride=3, batch_tokens=100).score(model)
    model.train(False)
    expected = []
    for row in tokens.tolist():
        text = torch.tensor([[token for token in row if token != special.pad]])
        asked = [t for t, token in enumerate(row) if is_text(token, special)]
        for t in asked:
            together = [t] if method == "exact" else [other for other in asked if other % 3 == t % 3]
            masked = text.clone()
            masked[0, together] = special.mask
            with torch.no_grad():
                expected.append(float(model(masked).logits[0, t - 1].double().log_softmax(dim=-1)[row[t]]))
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("stride", [12, 500])
def test_a_stride_of_a_rows_length_is_exact(
    model: PreTrainedModel, special: SpecialTokens, rows: Callable[..., Rows], stride: int
) -> None:
    tokens = rows(5, 12)
    exact = cloze_of_rows(tokens, special, backend="mlm", method="exact", stride=stride, batch_tokens=512).score(model)
    strided = cloze_of_rows(tokens, special, backend="mlm", method="strided", stride=stride, batch_tokens=512).score(
        model
    )
    np.testing.assert_array_equal(strided, exact)


@given(
    num_rows=st.integers(1, 5),
    length=st.integers(3, 40),
    stride=st.integers(1, 50),
    seed=st.integers(0, 2**32),
    method=st.sampled_from(sorted(METHODS)),
)
def test_every_text_token_is_scored_exactly_once(
    num_rows: int, length: int, stride: int, seed: int, method: str
) -> None:
    """For every method, length and stride, and no special token ever; within a copy, no two masks are closer than s."""
    special = SpecialTokens(start=0, separator=1, pad=2, mask=3)
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, 50, size=(num_rows, length)).astype(np.int16)
    # A mask in the text itself can stand beside another: two texts may then become one and the same context.
    tokens[np.isin(tokens, [special.pad, special.mask])] = special.separator
    tokens[:, 0] = special.start
    tokens[0, length // 2 :] = special.pad
    tokens[-1, 1] = 7
    cloze = cloze_of_rows(tokens, special, backend="mlm", method=method, stride=stride, batch_tokens=64)
    targets: list[int] = []
    for start, stop in cloze._cut(64):
        input_ids, _, positions = cloze._rows(start, stop)
        targets += cloze._probes_of(start, stop)[-1].tolist()
        assert (input_ids.flat[positions] == special.mask).all()
        width = input_ids.shape[1]
        same_row = np.diff(positions // width) == 0
        assert (np.diff(positions)[same_row] >= (stride if method == "strided" else width)).all()
    assert sorted(targets) == sorted(token for token in tokens.flat if is_text(int(token), special))
    assert len(targets) == text_positions(tokens, special).sum()


def test_padding_changes_nothing(model: PreTrainedModel, special: SpecialTokens, rows: Callable[..., Rows]) -> None:
    tokens = rows(6, 9)
    padded = np.full((6, 12), special.pad, dtype=np.int32)
    padded[:, :9] = tokens
    scores = [
        cloze_of_rows(each, special, backend="mlm", method="strided", stride=3, batch_tokens=64).score(model)
        for each in (tokens, padded)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])


@pytest.mark.parametrize("method", sorted(METHODS))
def test_batches_of_any_size_give_the_same_numbers(
    model: PreTrainedModel, special: SpecialTokens, rows: Callable[..., Rows], method: str
) -> None:
    tokens = rows(9, 12)
    scores = [
        cloze_of_rows(tokens, special, backend="mlm", method=method, stride=4, batch_tokens=size).score(model)
        for size in (1, 30, 128, 16_384)
    ]
    for other in scores[1:]:
        np.testing.assert_allclose(other, scores[0], atol=1e-5)
