"""Options of an architecture of transformers (`model=hf`): those from which no model can be trained are refused."""

import time
from typing import Any

import pytest

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError
from sleep_tune.models.build import build_model, check_architecture
from sleep_tune.sleep.samples import SpecialTokens
from tests.messages import raises_naming

TEXT: dict[str, Any] = {
    "vocab_size": 100,
    "max_length": 16,
    "special": SpecialTokens(start=0, separator=1, pad=2, mask=3),
}
GPT2 = {"n_layer": 1, "n_embd": 16, "n_head": 2}


@pytest.mark.parametrize(
    ("kind", "options", "facts"),
    [
        ("optt", {}, "model.config|optt|did you mean opt?"),
        ("vit", {}, "model.config|vit"),
        ("gemma3", {}, "gemma3|gemma3_text"),
        ("musicgen", {}, "musicgen|text alone"),
        ("gpt2", {"n_layerz": 1}, "n_layerz|n_layer"),
        ("gpt2", {"vocab_size": 5}, "vocab_size|tokenizer"),
        ("gpt2", {"dtype": "float16", "is_decoder": False}, "dtype|is_decoder"),
        ("gpt2", {"n_layer": 10**6}, "n_layer|1,000,000"),
        ("bart", {"encoder_layers": 10**6}, "encoder_layers|1,000,000"),
        ("gpt2", {"n_layer": "four"}, "n_layer|four"),
        ("gpt2", {"n_head": 0}, "gpt2|ZeroDivisionError"),
        ("gpt2", {"n_embd": 10**40}, "gpt2|verflow"),
        ("gpt2", {"activation_function": "nope"}, "gpt2|nope"),
        ("gpt2", {"n_positions": 15}, "n_positions|at least 16|15"),
    ],
)
def test_options_that_give_no_model_are_refused_before_there_is_a_text(
    kind: str, options: dict[str, Any], facts: str
) -> None:
    model = ModelConfig(kind="hf", config=kind, options=GPT2 | options if kind == "gpt2" else options)
    with raises_naming(ConfigError, *facts.split("|")):
        check_architecture(model, objective="clm", **TEXT)


@pytest.mark.parametrize("option", ["n_inner", "n_positions"])
def test_a_model_that_the_memory_cannot_hold_is_refused(option: str) -> None:
    model = ModelConfig(kind="hf", config="gpt2", options=GPT2 | {option: 10**12})
    with raises_naming(ConfigError, "memory", "GB"):
        build_model(model, objective="clm", seed=0, **TEXT)


def test_the_check_takes_no_memory_and_little_time() -> None:
    start = time.process_time()
    check_architecture(
        ModelConfig(kind="hf", config="gpt2", options={"n_layer": 96, "n_embd": 12_288, "n_head": 96}),
        objective="clm",
        **TEXT,
    )
    assert time.process_time() - start < 10
