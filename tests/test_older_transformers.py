"""Settings that releases 4 of transformers need; tests/benchmarks/older_transformers.py opens models in both."""

from typing import Any

import pytest

from sleep_tune.older_transformers import model_settings, opens_alike, tokenizer_settings

FULL, NEAR = "full_attention", "sliding_attention"
LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0}


def modernbert(*layers: str) -> dict[str, Any]:
    rotation = {FULL: {"rope_theta": 1.6e5, "rope_type": "default"}, NEAR: {"rope_theta": 1e4, "rope_type": "default"}}
    return {"model_type": "modernbert", "rope_parameters": rotation, "layer_types": list(layers)}


@pytest.mark.parametrize(
    ("config", "settings", "alike"),
    [
        ({"model_type": "gpt2"}, {}, True),
        ({"model_type": "llama", "rope_parameters": {"rope_theta": 5e5}}, {"rope_theta": 5e5}, True),
        (
            {"model_type": "llama", "rope_parameters": LLAMA3},
            {"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
            False,
        ),
        (
            {"model_type": "gpt_neox", "rope_parameters": {"rope_theta": 5e5, "partial_rotary_factor": 0.5}},
            {"rotary_emb_base": 5e5, "rotary_pct": 0.5},
            True,
        ),
        (
            modernbert(FULL, NEAR, FULL),
            {"global_rope_theta": 1.6e5, "local_rope_theta": 1e4, "global_attn_every_n_layers": 2},
            True,
        ),
        (modernbert(FULL, FULL, NEAR), {"global_rope_theta": 1.6e5, "local_rope_theta": 1e4}, False),
        ({"model_type": "gemma3_text", "rope_parameters": {FULL: {"rope_theta": 1e6}}}, {}, False),
        ({"model_type": "stripes"}, {}, False),
    ],
)
def test_a_configuration_has_the_names_of_releases_4(
    config: dict[str, Any], settings: dict[str, Any], alike: bool
) -> None:
    assert model_settings(config) == settings
    assert opens_alike(config) is alike


def test_the_space_before_the_first_word_is_a_setting_of_a_tokenizer_that_has_one() -> None:
    assert tokenizer_settings({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}) == {
        "add_prefix_space": True
    }
    assert tokenizer_settings({"pre_tokenizer": {"type": "Metaspace"}}) == {}
    assert tokenizer_settings({"pre_tokenizer": None}) == {}
