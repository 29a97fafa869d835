"""The corpus that every test of training shares."""

import pytest

from sleep_tune.data.prepare import Corpus, prepare
from tests.training.runs import DATA, TOKENIZER


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Toy text of the smallest size."""
    return prepare(DATA, TOKENIZER)
