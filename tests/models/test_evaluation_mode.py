from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from sleep_tune.config.schema import ModelConfig
from sleep_tune.models.build import build_model
from sleep_tune.models.evaluation_mode import evaluation_mode
from sleep_tune.sleep.samples import SpecialTokens


@pytest.fixture
def model() -> PreTrainedModel:
    """In training mode, with dropout."""
    special = SpecialTokens(start=0, separator=1, pad=2, mask=3)
    sizes = ModelConfig(layers=1, hidden=16, heads=2, feed_forward=16)
    return build_model(sizes, vocab_size=64, max_length=16, special=special, seed=0)


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Fail unless weights, every module's mode and torch's generator are afterwards what they were before."""
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    yield
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert torch.is_grad_enabled()


def test_everything_is_as_it_was(model: PreTrainedModel) -> None:
    with unchanged(model), evaluation_mode(model):
        assert not model.training
        assert not torch.is_grad_enabled()
        torch.rand(3)


def test_everything_is_as_it_was_after_an_error(model: PreTrainedModel) -> None:
    with unchanged(model), pytest.raises(KeyError), evaluation_mode(model):
        torch.rand(3)
        raise KeyError


def test_each_module_gets_its_own_mode_back(model: PreTrainedModel) -> None:
    """A frozen embedding must not begin to drop out because somebody evaluated."""
    embeddings = model.get_submodule("roberta_prelayernorm.embeddings")
    embeddings.eval()
    with unchanged(model), evaluation_mode(model):
        pass
    assert model.training
    assert not embeddings.training


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_generator_of_the_models_device_is_as_it_was(model: PreTrainedModel) -> None:
    nn.Module.to(model, "cuda")
    state = torch.cuda.get_rng_state()
    with evaluation_mode(model):
        torch.rand(3, device="cuda")
    assert torch.equal(torch.cuda.get_rng_state(), state)
