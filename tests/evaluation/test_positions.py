import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM, PreTrainedModel

from sleep_tune.evaluation.positions import readable_positions, trained_positions
from tests.evaluation import official_data


def opt() -> PreTrainedModel:
    config = OPTConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, ffn_dim=8, num_attention_heads=1, max_position_embeddings=30
    )
    return OPTForCausalLM(config)


def llama() -> PreTrainedModel:
    config = LlamaConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, intermediate_size=8, num_attention_heads=1,
        max_position_embeddings=40,
    )  # fmt: skip
    return LlamaForCausalLM(config)


@pytest.mark.parametrize(
    ("model", "expected"),
    [(official_data.masked_model(20), 128), (official_data.causal_model(20), 128), (opt(), 30)],
    ids=["RoBERTa", "GPT-2", "OPT"],
)
def test_a_table_of_positions_ends_where_the_model_fails(model: PreTrainedModel, expected: int) -> None:
    assert readable_positions(model) == trained_positions(model) == expected
    model.train(False)
    with torch.no_grad():
        model(input_ids=torch.full((1, expected), 5))
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, expected + 1), 5))


def test_rotary_positions_have_no_end_but_were_trained_up_to_one() -> None:
    model = llama()
    assert readable_positions(model) is None
    assert trained_positions(model) == 40
