from pathlib import Path

import pytest

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import DataError
from sleep_tune.model import build_model
from sleep_tune.sleep.samples import SpecialTokens
from sleep_tune.training.products import write_model


def test_a_tokenizer_that_was_removed_meanwhile_is_named(tmp_path: Path) -> None:
    sizes = ModelConfig(layers=1, hidden=8, heads=1, feed_forward=8)
    model = build_model(sizes, vocab_size=8, max_length=8, special=SpecialTokens(0, 1, 2, 3), seed=0)
    with pytest.raises(DataError, match=str(tmp_path / "key" / "tokenizer")):
        write_model(tmp_path / "model", model, tmp_path / "key" / "tokenizer")
