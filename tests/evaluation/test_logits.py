"""Logits at positions, and what a masked model sees that is read from left to right."""

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, PreTrainedModel

from sleep_tune.evaluation.logits import logits_at

TEXTS = torch.tensor([[0, 5, 6, 7, 8, 9, 10, 11], [0, 5, 6, 7, 20, 4, 19, 12]])
"""Two texts that differ from position 4 on."""


@pytest.mark.parametrize("causal", [True, False])
def test_a_masked_model_read_from_left_to_right_sees_no_later_token(model: PreTrainedModel, causal: bool) -> None:
    model.train(False)
    with torch.no_grad():
        logits = logits_at(model, TEXTS, None, torch.arange(16), causal=causal).view(2, 8, -1)
    same = [torch.equal(logits[0, t], logits[1, t]) for t in range(8)]
    assert same == [causal] * 4 + [False] * 4


def test_padding_is_after_all_that_a_causal_reading_sees(model: PreTrainedModel) -> None:
    model.train(False)
    padded = torch.nn.functional.pad(TEXTS, (0, 3), value=2)
    positions = torch.tensor([0, 3, 7])
    with torch.no_grad():
        alone = logits_at(model, TEXTS, None, positions, causal=True)
        beside = logits_at(model, padded, (padded != 2).long(), positions, causal=True)
    torch.testing.assert_close(beside, alone, atol=1e-5, rtol=1e-5)


def test_attention_that_adds_a_boolean_mask_is_refused(model: PreTrainedModel) -> None:
    """Measured: eager attention adds True as 1, so that every position sees all others."""
    model.train(False)
    model.set_attn_implementation("eager")
    with pytest.raises(ValueError, match="eager"):
        logits_at(model, TEXTS, None, torch.arange(16), causal=True)


def test_a_model_that_is_not_known_is_read_by_its_class_while_training_has_replaced_its_forward() -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=23, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    model = BertForMaskedLM(config).train(False)
    positions = torch.tensor([1, 9])
    with torch.no_grad():
        expected = model(TEXTS).logits.flatten(0, 1)[positions]
        model.forward = lambda input_ids, attention_mask, positions, labels: None
        torch.testing.assert_close(logits_at(model, TEXTS, None, positions), expected)
