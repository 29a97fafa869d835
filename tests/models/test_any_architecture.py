"""The configuration of an architecture of transformers: options that it has are taken, all others are refused."""

from typing import Any

import pytest

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError
from sleep_tune.models.any_architecture import configure
from sleep_tune.models.text_format import TextFormat
from sleep_tune.sleep.samples import SpecialTokens
from tests.messages import raises_naming

TEXT = TextFormat(97, 32, SpecialTokens(start=0, separator=1, pad=2, mask=3))


def configured(kind: str, **options: object) -> Any:
    return configure(ModelConfig(kind="hf", config=kind, options=options), TEXT)


def test_the_text_decides_vocabulary_special_tokens_and_positions() -> None:
    config = configured("opt", num_hidden_layers=3)
    assert (config.vocab_size, config.bos_token_id, config.eos_token_id, config.pad_token_id) == (97, 0, 1, 2)
    assert (config.num_hidden_layers, config.max_position_embeddings) == (3, 32)
    assert configured("roberta").max_position_embeddings == 32 + 3  # it counts from pad + 1 on
    assert configured("gpt2", n_positions=40).n_positions == 40


@pytest.mark.parametrize(
    ("kind", "options", "names"),
    [
        ("optt", {}, "model.config|optt|opt"),
        ("opt", {"num_hiden_layers": 3}, "model.options|num_hiden_layers|num_hidden_layers"),
        ("opt", {"vocab_size": 50}, "model.options|vocab_size|tokenizer"),
        ("opt", {"dtype": "float16"}, "model.options|dtype|training"),
        ("bert", {"is_decoder": True}, "model.options|is_decoder|training"),
        ("opt", {"num_hidden_layers": 1_001}, "model.options|1,000|1,001"),
        ("opt", {"max_position_embeddings": 31}, "model.options.max_position_embeddings|at least 32|got 31"),
        ("gpt2", {"n_positions": 31}, "model.options.n_positions|at least 32|got 31"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(kind: str, options: dict[str, object], names: str) -> None:
    with raises_naming(ConfigError, *names.split("|")):
        configured(kind, **options)
