import itertools

import numpy as np
import pytest

from sleep_tune.sleep.randomness import Purpose, generator


def test_a_stream_is_a_function_of_its_name() -> None:
    first = generator(3, Purpose.BUFFER, 7).random(4)
    generator(3, Purpose.ORDER, 7).random(4)
    assert np.array_equal(first, generator(3, Purpose.BUFFER, 7).random(4))


def test_every_name_has_its_own_stream() -> None:
    """The stream of [seed, 0, 0] is default_rng(seed)'s: a purpose numbered 0 once shuffled as the caller had."""
    names = list(itertools.product(range(3), Purpose, range(3)))
    draws = {generator(*name).random() for name in names} | {np.random.default_rng(seed).random() for seed in range(3)}
    assert len(draws) == len(names) + 3


def test_purposes_keep_their_numbers() -> None:
    """They are part of every run's identity: a checkpoint of an older version continues with the same draws."""
    assert [purpose.name for purpose in Purpose][:8] == [
        "ORDER",
        "BUFFER",
        "REPLAY_ORDER",
        "CONTEXT",
        "MASK",
        "INIT",
        "DROPOUT",
        "EVALUATION",
    ]
    assert [int(purpose) for purpose in Purpose] == list(range(1, len(Purpose) + 1))


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        generator(-1, Purpose.ORDER, 0)
