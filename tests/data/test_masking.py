from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from sleep_tune.config.schema import TokenizerConfig
from sleep_tune.data.masking import MASKINGS, Masked, mask_batch, probability_at
from sleep_tune.data.tokenizer import bpe_recipe
from sleep_tune.sleep.samples import SpecialTokens
from tests.data.stored_text import tokenize

SPECIAL = SpecialTokens(start=0, separator=2, pad=1, mask=4)
VOCAB = 50
BATCHES = arrays(np.int32, st.tuples(st.integers(1, 6), st.integers(1, 20)), elements=st.sampled_from([0, 1, 2, 7, 9]))


def masked(
    tokens: NDArray[np.int32],
    kind: str,
    *,
    seed: int = 0,
    probability: float = 0.15,
    mask_share: float = 0.8,
    random_share: float = 0.1,
) -> Masked:
    return mask_batch(
        tokens,
        SPECIAL,
        VOCAB,
        np.random.default_rng(seed),
        kind=kind,
        probability=probability,
        mask_share=mask_share,
        random_share=random_share,
    )


def is_content(tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
    return ~np.isin(tokens, [SPECIAL.start, SPECIAL.separator, SPECIAL.pad])


@pytest.mark.parametrize("kind", sorted(MASKINGS))
@given(tokens=BATCHES, probability=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_only_text_is_predicted_and_only_there_the_input_changes(
    kind: str, tokens: NDArray[np.int32], probability: float, seed: int
) -> None:
    batch = masked(tokens, kind, probability=probability, seed=seed)
    content = is_content(tokens)
    assert (np.diff(batch.positions) > 0).all()
    assert content.reshape(-1)[batch.positions].all()
    assert batch.labels.tolist() == tokens.reshape(-1)[batch.positions].tolist()
    untouched = np.ones(tokens.size, np.bool_)
    untouched[batch.positions] = False
    assert (batch.input_ids.reshape(-1)[untouched] == tokens.reshape(-1)[untouched]).all()
    rows_predicted = set((batch.positions // tokens.shape[1]).tolist())
    assert rows_predicted == set(np.flatnonzero(content.any(axis=1)).tolist())


@given(tokens=BATCHES, probability=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_fixed_predicts_the_same_share_of_every_row(tokens: NDArray[np.int32], probability: float, seed: int) -> None:
    batch = masked(tokens, "fixed", probability=probability, seed=seed)
    counts = np.bincount(batch.positions // tokens.shape[1], minlength=len(tokens))
    available = is_content(tokens).sum(axis=1)
    expected = [max(1, round(probability * int(n))) if n else 0 for n in available]
    assert counts.tolist() == expected


@pytest.mark.parametrize("kind", sorted(MASKINGS))
def test_masks_are_a_pure_function_of_the_generator(kind: str) -> None:
    tokens = np.random.default_rng(1).integers(5, VOCAB, (8, 64)).astype(np.int32)
    first, again, other = masked(tokens, kind), masked(tokens, kind), masked(tokens, kind, seed=1)
    assert (first.input_ids == again.input_ids).all()
    assert first.positions.tolist() == again.positions.tolist()
    assert first.positions.tolist() != other.positions.tolist()


@pytest.mark.parametrize("kind", sorted(MASKINGS))
def test_every_content_position_is_equally_likely(kind: str) -> None:
    tokens = np.full((2000, 22), 7, np.int32)
    tokens[:, 0], tokens[:, -1] = SPECIAL.start, SPECIAL.separator
    counts = np.bincount(masked(tokens, kind, probability=0.2).positions % 22, minlength=22)
    assert counts[0] == counts[-1] == 0
    assert counts[1:-1].min() > 400 - 5 * 18  # five standard deviations of a binomial (2000, 0.2)
    assert counts[1:-1].max() < 400 + 5 * 18


@pytest.mark.parametrize("shares", [(0.8, 0.1), (0.9, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
def test_what_is_seen_there_follows_the_shares(shares: tuple[float, float]) -> None:
    """The ancestor's collators disagreed on 80/10/10 and 90/10/0, whatever the configuration said."""
    tokens = np.full((400, 128), 7, np.int32)
    batch = masked(tokens, "fixed", mask_share=shares[0], random_share=shares[1])
    seen = batch.input_ids.reshape(-1)[batch.positions]
    total = len(seen)
    assert abs((seen == SPECIAL.mask).mean() - shares[0]) < 5 * (0.25 / total) ** 0.5
    replaced = (seen != SPECIAL.mask) & (seen != 7)
    assert abs(replaced.mean() - shares[1] * (VOCAB - 5) / (VOCAB - 4)) < 5 * (0.25 / total) ** 0.5


def test_random_tokens_are_uniform_over_all_but_the_special_ones() -> None:
    tokens = np.full((400, 128), 7, np.int32)
    batch = masked(tokens, "fixed", mask_share=0.0, random_share=1.0)
    counts = np.bincount(batch.input_ids.reshape(-1)[batch.positions], minlength=VOCAB)
    special = [0, 1, 2, 4]
    assert counts[special].sum() == 0
    drawn = np.delete(counts, special)
    expected = counts.sum() / (VOCAB - 4)
    assert abs(drawn - expected).max() < 5 * expected**0.5


def test_bernoulli_has_the_law_of_transformers_collator(tmp_path: Path) -> None:
    """Shares of positions, masks, random tokens and kept tokens, beside DataCollatorForLanguageModeling's own."""
    torch = pytest.importorskip("torch")
    from transformers import AutoTokenizer, DataCollatorForLanguageModeling

    tokenize(bpe_recipe(TokenizerConfig(vocab_size=300), tmp_path), {"train": ["the dog sees the cat"]}, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokens = np.random.default_rng(0).integers(10, 60, (256, 128)).astype(np.int32)
    tokens[:, 0], tokens[:, 64] = 0, 2
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15, seed=1)
    theirs = collator([{"input_ids": row.tolist()} for row in tokens])
    where = theirs["labels"] != -100
    seen, labels = theirs["input_ids"][where], theirs["labels"][where]
    ours = mask_batch(
        tokens,
        SPECIAL,
        len(tokenizer),
        np.random.default_rng(2),
        kind="bernoulli",
        probability=0.15,
        mask_share=0.8,
        random_share=0.1,
    )
    our_seen = ours.input_ids.reshape(-1)[ours.positions]

    def shares(seen: NDArray[np.integer], labels: NDArray[np.integer]) -> list[float]:
        masks = float((seen == SPECIAL.mask).mean())
        kept = float((seen == labels).mean())
        return [len(seen) / (256 * 126), masks, kept, 1 - masks - kept]

    assert torch.is_tensor(seen)
    assert shares(our_seen, ours.labels) == pytest.approx(shares(seen.numpy(), labels.numpy()), abs=0.03)


SHARES = st.floats(0, 1)
PROBABILITIES = st.floats(0.01, 0.99)


@given(share=SHARES, first=PROBABILITIES, final=PROBABILITIES)
def test_the_probability_moves_on_a_line(share: float, first: float, final: float) -> None:
    assert probability_at(0.0, first, final) == first
    assert probability_at(1.0, first, final) == final
    assert probability_at(share, first, final) == pytest.approx(first + share * (final - first))
    assert min(first, final) * (1 - 1e-12) <= probability_at(share, first, final) <= max(first, final) * (1 + 1e-12)
    assert probability_at(share, first, None) == first


@pytest.mark.parametrize("kind", sorted(MASKINGS))
@given(share=SHARES, first=PROBABILITIES, final=PROBABILITIES)
def test_the_share_of_masked_tokens_follows(kind: str, share: float, first: float, final: float) -> None:
    probability = probability_at(share, first, final)
    tokens = np.full((40, 250), 7, np.int32)
    count = len(masked(tokens, kind, probability=probability).positions)
    assert abs(count / tokens.size - probability) < 5 * (0.25 / tokens.size) ** 0.5
