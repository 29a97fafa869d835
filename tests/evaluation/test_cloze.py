from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import PreTrainedModel

from sleep_tune.evaluation import cloze as cloze_module
from sleep_tune.evaluation.cloze import HEAD_RATIO, SHORTEST, Cloze, Probes
from sleep_tune.sleep.samples import SpecialTokens

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)

Texts = list[np.ndarray[tuple[int], np.dtype[np.int32]]]


def probes_of(questions: list[tuple[int, int, int]]) -> Probes:
    text, position, group = np.array(questions, dtype=np.int64).T
    return Probes(text=text, position=position, group=group)


@st.composite
def questionnaires(draw: st.DrawFn) -> tuple[Texts, list[tuple[int, int, int]]]:
    """Texts over few tokens, so that equal copies are common, and questions (text, position, group), any of them."""
    texts = draw(st.lists(st.lists(st.integers(3, 6), min_size=1, max_size=11), min_size=1, max_size=6))
    everything = [(n, t, g) for n, text in enumerate(texts) for t in range(len(text)) for g in (0, 1)]
    asked = draw(st.lists(st.sampled_from(everything), min_size=1, max_size=20, unique=True))
    return [np.array([0, *text], dtype=np.int32) for text in texts], [(n, t + 1, g) for n, t, g in asked]


def expected(
    texts: Texts, questions: list[tuple[int, int, int]], oracle: Callable[..., dict[int, float]]
) -> list[float]:
    """Return scores of one copy at a time: positions of the same text and group are masked together."""
    scores = []
    for text, position, group in questions:
        together = [t for n, t, g in questions if (n, g) == (text, group)]
        scores.append(oracle(texts[text].tolist(), together)[position])
    return scores


def test_scores_are_the_dense_models(model: PreTrainedModel, oracle: Callable[..., dict[int, float]]) -> None:
    """Random questionnaires, in one test of many examples because the model is made once."""

    @given(questionnaires(), st.sampled_from([1, 16, 64, 4096]))
    def check(questionnaire: tuple[Texts, list[tuple[int, int, int]]], batch_tokens: int) -> None:
        texts, questions = questionnaire
        scores = Cloze(
            texts, probes_of(questions), pad=SPECIAL.pad, mask=SPECIAL.mask, batch_tokens=batch_tokens
        ).score(model)
        np.testing.assert_allclose(scores, expected(texts, questions, oracle), atol=1e-5)

    check()


def rows_read(cloze: Cloze, monkeypatch: pytest.MonkeyPatch, model: PreTrainedModel) -> list[list[int]]:
    """Every row that reaches the model, without its padding."""
    seen: list[list[int]] = []

    def record(
        model: PreTrainedModel,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        positions: torch.Tensor,
        *,
        causal: bool,
    ) -> torch.Tensor:
        assert not causal, "a model that is given masks sees both sides of a token"
        assert (attention_mask is None) == bool((input_ids != SPECIAL.pad).all())
        if attention_mask is not None:
            assert torch.equal(attention_mask, (input_ids != SPECIAL.pad).long())
        assert (input_ids.flatten()[positions] == SPECIAL.mask).all()
        seen.extend([token for token in row if token != SPECIAL.pad] for row in input_ids.tolist())
        return torch.zeros(len(positions), 23)

    monkeypatch.setattr(cloze_module, "logits_at", record)
    cloze.score(model)
    return seen


def test_equal_copies_are_read_once(model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sentences that differ in one token share the copy in which it is masked; a sentence given twice is one."""
    texts = [np.array(text, dtype=np.int32) for text in ([0, 5, 6, 7], [0, 5, 8, 7], [0, 5, 6, 7])]
    questions = [(n, t, t) for n in range(3) for t in (1, 2, 3)]
    cloze = Cloze(texts, probes_of(questions), pad=SPECIAL.pad, mask=SPECIAL.mask, batch_tokens=64)
    rows = rows_read(cloze, monkeypatch, model)
    assert sorted(rows) == sorted([[0, 3, 6, 7], [0, 5, 3, 7], [0, 5, 6, 3], [0, 3, 8, 7], [0, 5, 8, 3]])
    assert "9 probes, 5 rows, 20 tokens" in repr(cloze)


def test_a_text_that_continues_with_token_zero_is_another(model: PreTrainedModel) -> None:
    """A fingerprint without the texts' ends would take [5] and [5, 0] for the same copy."""
    texts = [np.array([4, 5], dtype=np.int32), np.array([4, 5, 0], dtype=np.int32)]
    cloze = Cloze(texts, probes_of([(0, 1, 0), (1, 1, 0)]), pad=SPECIAL.pad, mask=SPECIAL.mask, batch_tokens=64)
    first, second = cloze.score(model)
    assert first != second


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(8, 200), st.integers(1, 9), st.integers(0, 2**32)
)
def test_batches_hold_each_row_once_within_their_bounds(
    lengths: list[int], batch_tokens: int, stride: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    texts = [rng.integers(4, 1000, size=length).astype(np.int32) for length in lengths]
    questions = [(n, t, t % stride) for n, text in enumerate(texts) for t in range(len(text))]
    cloze = Cloze(texts, probes_of(questions), pad=SPECIAL.pad, mask=SPECIAL.mask, batch_tokens=batch_tokens)
    lengths_R = cloze._lengths_N[cloze._text_R]
    batches = list(cloze._cut(batch_tokens))
    assert [stop for _, stop in batches[:-1]] == [start for start, _ in batches[1:]]
    assert (batches[0][0], batches[-1][1]) == (0, len(lengths_R))
    for start, stop in batches:
        input_ids, _, positions = cloze._rows(start, stop)
        assert stop > start
        if stop - start > 1:
            assert input_ids.size <= batch_tokens
            assert len(positions) <= max(batch_tokens, input_ids.shape[1]) // HEAD_RATIO
            assert lengths_R[stop - 1] >= SHORTEST * lengths_R[start]


def test_logits_of_half_precision_are_normalised_in_single(
    model: PreTrainedModel, oracle: Callable[..., dict[int, float]]
) -> None:
    """A bf16 log-softmax would be wrong by a hundredth of a nat; the trunk's rounding is far smaller on this model."""
    text = [0, 5, 6, 7, 1]
    cloze = Cloze(
        [np.array(text, dtype=np.int32)], probes_of([(0, 2, 0)]), pad=SPECIAL.pad, mask=SPECIAL.mask, batch_tokens=64
    )
    nn.Module.to(model, torch.bfloat16)
    score = cloze.score(model)
    assert score.dtype == np.float64
    logits = nn.Module.eval(model)(input_ids=torch.tensor([[0, 5, 3, 7, 1]])).logits[0, 2].detach()
    assert logits.dtype == torch.bfloat16
    np.testing.assert_allclose(score, logits.float().log_softmax(-1)[6].numpy(), atol=1e-5)
