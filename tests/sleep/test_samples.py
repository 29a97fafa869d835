import numpy as np

from tests.sleep.corpora import packed


def test_words_are_flags() -> None:
    samples = packed(12, 9)
    assert (len(samples), samples.max_length) == (12, 9)
    assert samples.words.tolist() == samples.starts_word.sum(axis=1).tolist()
    assert samples.num_words == np.count_nonzero(samples.starts_word)
