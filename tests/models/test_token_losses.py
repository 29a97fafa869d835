"""The chunked cross-entropy: torch's own losses and gradients, without its memory."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from sleep_tune.models import token_losses
from sleep_tune.models.token_losses import linear_cross_entropy


def dense(
    states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Torch's own functions, with all logits."""
    losses = functional.cross_entropy(functional.linear(states, weight, bias).float(), labels, reduction="none")
    return losses.sum(), losses.detach()


def inputs(positions: int = 37, hidden: int = 16, vocabulary: int = 50, *, bias: bool = True, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    tensors = torch.randn(positions, hidden), torch.randn(vocabulary, hidden) * 0.3, torch.randn(vocabulary)
    return [*tensors[:2], tensors[2] if bias else None, torch.randint(0, vocabulary, (positions,))]


def results(function: Any, tensors: Any, *, scale: float = 1.0) -> list[torch.Tensor]:
    """The sum, the losses, and the gradients of `scale` times the sum."""
    *values, labels = tensors
    leaves = [None if value is None else value.detach().clone().requires_grad_() for value in values]
    total, losses = function(*leaves, labels)
    torch.autograd.backward(total * scale)
    return [total.detach(), losses, *(leaf.grad for leaf in leaves if leaf is not None)]


def chunks_of(positions: int, vocabulary: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(token_losses.CHUNK_LOGITS, "cpu", positions * vocabulary)


@given(
    positions=st.integers(0, 23),
    hidden=st.integers(1, 5),
    vocabulary=st.integers(1, 9),
    size=st.integers(1, 25),
    bias=st.booleans(),
    scale=st.floats(-3, 3),
)
def test_it_is_torchs_for_any_shape_and_chunk(
    positions: int, hidden: int, vocabulary: int, size: int, bias: bool, scale: float
) -> None:
    tensors = inputs(positions, hidden, vocabulary, bias=bias)
    with pytest.MonkeyPatch.context() as patch:
        chunks_of(size, vocabulary, patch)
        ours = results(linear_cross_entropy, tensors, scale=scale)
    for mine, torchs in zip(ours, results(dense, tensors, scale=scale), strict=True):
        assert mine.dtype == torchs.dtype
        torch.testing.assert_close(mine, torchs, atol=1e-5, rtol=1e-5)


class Fresh(torch.autograd.Function):
    """The sum of the losses of label 3, computed anew in each backward pass, of which a check makes many."""

    @staticmethod
    def forward(ctx: Any, *tensors: torch.Tensor) -> torch.Tensor:
        """Compute the sum."""
        ctx.save_for_backward(*tensors)
        states, weight, bias = tensors
        return linear_cross_entropy(states, weight, bias, torch.full((len(states),), 3))[0]

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute the gradients."""
        states, weight, bias = (tensor.detach().requires_grad_() for tensor in ctx.saved_tensors)
        with torch.enable_grad():
            total = linear_cross_entropy(states, weight, bias, torch.full((len(states),), 3))[0]
        return torch.autograd.grad(total, (states, weight, bias), scale)


def test_the_gradient_is_the_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks_of(2, 7, monkeypatch)
    leaves = [value.double().requires_grad_() for value in inputs(5, 3, 7)[:3]]
    assert torch.autograd.gradcheck(Fresh.apply, leaves)


def test_a_second_backward_pass_is_refused() -> None:
    states, weight, _, labels = inputs()
    total, _ = linear_cross_entropy(states.requires_grad_(), weight.requires_grad_(), None, labels)
    torch.autograd.backward(total, retain_graph=True)
    with pytest.raises(RuntimeError, match="another backward pass"):
        torch.autograd.backward(total)


def test_large_logits_neither_overflow_nor_lose_a_loss() -> None:
    states, weight, bias, labels = inputs()
    ours = results(linear_cross_entropy, [states * 1e3, weight, bias, labels])
    torchs = results(dense, [states * 1e3, weight, bias, labels])
    assert float(ours[1].max()) > 200  # exp(-200) is 0 in float32
    for mine, other in zip(ours, torchs, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-2, rtol=1e-4)


def test_under_autocast_it_is_as_exact_as_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against float64: rounding of products to bfloat16 is all that is lost."""
    tensors = inputs(301)
    chunks_of(64, 50, monkeypatch)
    exact = results(dense, [tensor.double() if tensor.is_floating_point() else tensor for tensor in tensors])
    with torch.autocast("cpu", torch.bfloat16):
        ours, torchs = results(linear_cross_entropy, tensors), results(dense, tensors)
    for mine, other, right in zip(ours, torchs, exact, strict=True):
        assert mine.dtype == other.dtype == torch.float32
        error = float((mine - right).norm() / right.norm())
        assert 0 < error < 0.01
        assert error < 1.5 * float((other - right).norm() / right.norm()) + 1e-3


@pytest.mark.parametrize("frozen", [(), ("states",), ("weight",), ("bias",), ("states", "bias"), ("weight", "bias")])
def test_only_wanted_gradients_are_made(frozen: tuple[str, ...]) -> None:
    states, weight, bias, labels = inputs()
    leaves = {"states": states, "weight": weight, "bias": bias}
    for name, leaf in leaves.items():
        leaf.requires_grad_(name not in frozen)
    torch.autograd.backward(linear_cross_entropy(states, weight, bias, labels)[0])
    expected = results(dense, [states, weight, bias, labels])[2:]
    for (name, leaf), gradient in zip(leaves.items(), expected, strict=True):
        if name in frozen:
            assert leaf.grad is None
        else:
            torch.testing.assert_close(leaf.grad, gradient)


def test_without_gradients_there_is_nothing_to_go_back_through() -> None:
    states, weight, bias, labels = inputs()
    for leaf in (states, weight, bias):
        leaf.requires_grad_()
    with torch.no_grad():
        total, losses = linear_cross_entropy(states, weight, bias, labels)
        torch.testing.assert_close((total, losses), dense(states, weight, bias, labels))
    assert not total.requires_grad
    assert not linear_cross_entropy(states, weight, bias, labels)[1].requires_grad


def test_a_tied_weight_gets_both_gradients() -> None:
    """The embedding that makes the states is also the one that makes the logits."""

    def through(function: Any) -> torch.Tensor | None:
        weight: torch.Tensor = inputs()[1].requires_grad_()
        states = weight[torch.arange(9)].tanh()
        torch.autograd.backward(function(states, weight, None, torch.arange(9))[0])
        return weight.grad

    torch.testing.assert_close(through(linear_cross_entropy), through(dense))


def test_all_logits_never_exist_at_once() -> None:
    """A tensor of 2**40 logits would not fit; torch's meta device computes shapes without memory."""
    largest = 0

    class Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal largest
            made = function(*args, **(kwargs or {}))
            for tensor in made if isinstance(made, tuple) else (made,):
                largest = max(largest, tensor.numel() if isinstance(tensor, torch.Tensor) else 0)
            return made

    states = torch.empty(2**14, 8, device="meta", requires_grad=True)
    weight = torch.empty(2**16, 8, device="meta", requires_grad=True)
    labels = torch.empty(2**14, dtype=torch.int64, device="meta")
    with Sizes():  # type: ignore[no-untyped-call]
        torch.autograd.backward(linear_cross_entropy(states, weight, None, labels)[0])
    assert largest == token_losses.CHUNK_LOGITS_OF_OTHERS < 2**14 * 2**16
