"""The head at predicted positions only, for architectures of transformers that this package does not know by name."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import CONFIG_MAPPING as CONFIGS
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedModel

from sleep_tune.models.sparse import makes_plain_logits, sparse_forward

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 2,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
PLAIN: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 16},
    "bert": {},
    "bloom": {},
    "electra": {"embedding_size": 16},
    "gemma": {"head_dim": 8},
    "gpt_neox": {},
    "mistral": {},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "qwen2": {},
}
"""Model types whose logits are the products of their output embedding, and what they need beside SIZES."""
CHANGED: dict[str, dict[str, Any]] = {
    "cohere": {"logit_scale": 0.0625},
    "gemma2": {"head_dim": 8, "final_logit_softcapping": 30.0},
    "granite": {"logits_scaling": 8.0},
}
"""Model types that scale or cap their logits."""
MASKED = ("albert", "bert", "electra")


def build(kind: str) -> Any:
    options = {**PLAIN, **CHANGED}[kind]
    opener: Any = AutoModelForMaskedLM if kind in MASKED else AutoModelForCausalLM
    torch.manual_seed(0)
    return opener.from_config(CONFIGS[kind](**SIZES | options)).train(False)


def losses_and_gradients(model: PreTrainedModel, losses: Callable[..., Any], positions: Any, labels: Any) -> list[Any]:
    model.zero_grad()
    total, each = losses(positions, labels)
    torch.autograd.backward(total)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return [total.detach(), each, *(value for value in gradients.values() if value is not None)]


@pytest.mark.parametrize("kind", [*PLAIN, *CHANGED])
def test_losses_and_gradients_are_the_dense_ones(kind: str) -> None:
    """With padding, and with logits as large as those of a trained model, so that a cap or a scale shows."""
    model = build(kind)
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(20)
    input_ids = torch.randint(4, 97, (3, 16))
    input_ids[2, 9:] = 2
    mask = (input_ids != 2).long()
    positions, labels = torch.tensor([1, 5, 17, 30, 33]), torch.tensor([7, 50, 96, 4, 9])

    def dense(positions: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = model(input_ids=input_ids, attention_mask=mask).logits.flatten(0, 1)[positions]
        losses = functional.cross_entropy(logits, labels, reduction="none")
        return losses.sum(), losses.detach()

    def sparse(positions: torch.Tensor, labels: torch.Tensor) -> Any:
        with sparse_forward(model):
            return model(input_ids=input_ids, attention_mask=mask, positions=positions, labels=labels)

    expected = losses_and_gradients(model, dense, positions, labels)
    torch.testing.assert_close(losses_and_gradients(model, sparse, positions, labels), expected, atol=1e-4, rtol=1e-4)
    assert model(input_ids=input_ids).logits.shape == (3, 16, 97)


@pytest.mark.parametrize("kind", [*PLAIN, *CHANGED])
def test_logits_that_are_scaled_or_capped_are_found_with_the_first_weights(kind: str) -> None:
    """Where they are small: the cap of Gemma 2 changes none of them by more than a rounding error."""
    model = build(kind)
    training = model.train()
    assert makes_plain_logits(training) == (kind in PLAIN)
    assert training.training
    assert not training.get_output_embeddings()._forward_pre_hooks


@pytest.mark.parametrize("kind", PLAIN)
def test_no_logits_are_made(kind: str) -> None:
    model = build(kind)
    shapes = []
    model.get_output_embeddings().register_forward_hook(lambda _module, _inputs, logits: shapes.append(logits.numel()))
    with sparse_forward(model):
        shapes.clear()
        model(
            input_ids=torch.full((3, 16), 5),
            attention_mask=torch.ones(3, 16, dtype=torch.int64),
            positions=torch.tensor([1]),
            labels=torch.tensor([7]),
        )
    assert shapes == [0]


def test_a_head_that_another_module_computes_is_left_to_the_model() -> None:
    """A head that is called twice, or that does not exist as a layer."""
    model = build("opt")
    assert makes_plain_logits(model)
    head = model.lm_head

    class Twice(torch.nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = head(input) + 0.0 * head(input)
            return output

    twice = Twice(32, 97)
    model.lm_head = twice
    model.get_output_embeddings = lambda: head
    assert not makes_plain_logits(model)
    model.get_output_embeddings = lambda: None
    assert not makes_plain_logits(model)
