"""A trial of a new model on one row of text, before it is trained: it must read the row, and in the right direction."""

import logging
from typing import Any

import torch
from transformers import PreTrainedModel

from sleep_tune.errors import ConfigError, listed, shortened
from sleep_tune.models.attention_masks import row_mask
from sleep_tune.models.evaluation_mode import evaluation_mode

__all__ = ["skip_padding_check", "try_row", "unused_output_bias"]

logger = logging.getLogger(__name__)

LEAK = 2e-5
"""Share of the change of later logits that may appear in earlier ones: the order of sums varies.

In a new model attention adds little to a state: about 1e-3 of it where 16 numbers wide, and less in long rows.
"""


def try_row(model: PreTrainedModel, objective: str, length: int, name: str | None = None) -> None:
    """Compute the loss of a row and its gradient, and freeze the parameters that the loss does not depend on.

    Several processes that train together wait for the gradient of every parameter that is trained.

    Args:
        model: on the CPU.
        objective: a name of OBJECTIVES.
        length: tokens in the row, >= 2.
        name: of the model in messages; its type unless given.

    Raises:
        ConfigError: the model cannot read the row, or sees tokens that it has to predict.
    """
    what = f"{name or f'model.config={model.config.model_type}'} (training.objective={objective})"
    rows = int(model.config.get_text_config().vocab_size)
    draws = torch.Generator().manual_seed(0)
    input_ids = torch.randint(0, rows, (1, length), generator=draws)
    with evaluation_mode(model), torch.enable_grad():
        try:
            logits = _logits(model, input_ids)
            loss = torch.nn.functional.cross_entropy(logits, input_ids[0])
            torch.autograd.backward(loss)
        except Exception as error:  # an architecture fails in its own way
            text = shortened(f"{type(error).__name__}: {error}", 200)
            raise ConfigError(
                f"{what} must read a row of data.max_length={length} tokens on a CPU; it fails with {text}"
            ) from error
        unused = [name for name, parameter in model.named_parameters() if parameter.grad is None]
        model.zero_grad()
        if objective == "clm":
            half = length // 2
            changed = input_ids.clone()
            changed[0, half:] = (changed[0, half:] + 1) % rows
            with torch.no_grad():
                change = (_logits(model, changed) - logits.detach()).abs().amax(dim=1)
            if float(change[:half].max()) > LEAK * float(change[half:].max()):
                raise ConfigError(f"{what} must read from left to right; it sees tokens that it has to predict")
    for name in unused:
        model.get_parameter(name).requires_grad_(False)
    if unused:
        logger.warning("warning: the loss does not depend on %s, which stay as they are", listed(unused, 5))


def unused_output_bias(model: PreTrainedModel) -> torch.nn.Parameter | None:
    """Return the bias that the head of RoBERTa or DeBERTa holds without using it: the output embedding has its own."""
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    biases = {name: parameter for name, parameter in model.named_parameters() if name in OUTPUT_BIASES}
    return next((bias for bias in biases.values() if bias is not head.bias), None)


OUTPUT_BIASES = ("lm_head.bias", "cls.predictions.bias")


def skip_padding_check(model: PreTrainedModel) -> None:
    """Keep the model from looking for padding in rows without an attention mask: it would wait for the device."""
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            setattr(module, "warn_if_padding_and_no_attention_mask", _no_check)  # noqa: B010 - it is a method


def _no_check(input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
    """Do nothing, in place of transformers' check."""


def _logits(model: Any, input_ids: torch.Tensor) -> torch.Tensor:
    mask = row_mask(torch.ones_like(input_ids, dtype=torch.bool), False)
    logits: torch.Tensor = model(input_ids=input_ids, attention_mask=mask).logits[0].float()
    return logits
