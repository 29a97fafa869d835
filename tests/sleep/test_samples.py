import numpy as np
import pytest

from sleep_tune.sleep.samples import SpecialTokens
from tests.sleep.corpora import packed


def test_words_are_flags() -> None:
    samples = packed(12, 9)
    assert (len(samples), samples.max_length) == (12, 9)
    assert samples.words.tolist() == samples.starts_word.sum(axis=1).tolist()
    assert samples.num_words == np.count_nonzero(samples.starts_word)


@pytest.mark.parametrize("ids", [(0, 1, 1, 3), (0, 1, 0, 3), (0, 1, 2, 2), (0, 1, 2, 1), (3, 1, 2, 3)])
def test_pad_and_mask_are_tokens_of_their_own(ids: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="pad and mask"):
        SpecialTokens(*ids)
    assert SpecialTokens(start=1, separator=1, pad=2, mask=3).start == 1


def test_shares_of_sources_are_over_the_given_samples_and_name_every_source() -> None:
    samples = packed(12, 9)
    held = [int((samples.sources == source).sum()) / 12 for source in range(len(samples.source_names))]
    assert samples.source_shares() == dict(zip(samples.source_names, held, strict=True))
    books = np.flatnonzero(samples.sources == 0)
    assert samples.source_shares(books) == {"books": 1.0, "talk": 0.0}
