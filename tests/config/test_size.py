"""Sizes estimated from the configuration are close to those of the model."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sleep_tune.config.groups import groups
from sleep_tune.config.load import compose
from sleep_tune.config.size import checkpoint_bytes, model_bytes, models_bytes, needed_bytes, num_weights
from sleep_tune.models.any_architecture import count_weights, find_class
from sleep_tune.models.architectures import ARCHITECTURES
from sleep_tune.models.build import build_model
from sleep_tune.models.text_format import TextFormat
from sleep_tune.models.trunk_matrices import trunk_matrices
from sleep_tune.sleep.samples import SpecialTokens


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("choice", [choice for choice in groups()["model"] if choice != "hf"])
def test_weights_are_about_those_of_the_model(choice: str, tie: bool) -> None:
    base = compose([f"model={choice}", f"model.tie_embeddings={str(tie).lower()}"])
    special = SpecialTokens(start=0, separator=1, pad=2, mask=3)
    text = TextFormat(base.tokenizer.vocab_size, base.data.max_length, special)
    config = ARCHITECTURES[base.model.kind].configure(base.model, text)
    with torch.device("meta"):
        model = find_class(type(config), base.training.objective, f"model={choice}")(config)
    assert num_weights(base) == pytest.approx(sum(weights.numel() for weights in model.parameters()), rel=0.05)


def test_a_small_model_of_each_family_has_about_as_many_weights() -> None:
    sizes = [num_weights(compose([f"model={choice}"])) for choice in groups()["model"] if choice.endswith("_small")]
    small = num_weights(compose(["model=small"]))
    assert len(sizes) == 4
    assert all(size == pytest.approx(small, rel=0.02) for size in sizes)


@pytest.mark.parametrize(
    ("kind", "more", "objective"),
    [
        ("opt", "ffn_dim: 2048, word_embed_proj_dim: 256", "clm"),
        ("bert", "intermediate_size: 2048", "mlm"),
        ("gpt_neox", "intermediate_size: 1024", "clm"),
    ],
)
def test_the_weights_of_an_architecture_of_transformers_follow_from_its_options(
    kind: str, more: str, objective: str
) -> None:
    chosen = f"model.options={{num_hidden_layers: 8, hidden_size: 256, num_attention_heads: 8, {more}}}"
    base = compose(["model=hf", f"model.config={kind}", chosen, f"training.objective={objective}"])
    text = TextFormat(
        base.tokenizer.vocab_size, base.data.max_length, SpecialTokens(start=0, separator=1, pad=2, mask=3)
    )
    weights = count_weights(ARCHITECTURES["hf"].configure(base.model, text), objective)
    assert num_weights(base) == pytest.approx(weights, rel=0.3)


@pytest.mark.parametrize("options", ["{}", "{num_hidden_layers: 2}", "{num_hidden_layers: two, hidden_size: 8}"])
def test_the_weights_of_an_architecture_without_sizes_are_not_known(options: str) -> None:
    base = compose(["model=hf", "model.config=opt", f"model.options={options}", "training.objective=clm"])
    assert num_weights(base) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weights_of_a_folder_are_those_of_its_files(dtype: torch.dtype, tmp_path: Path) -> None:
    for number in (1, 2):
        save_file({"a": torch.zeros(10, 7, dtype=dtype)}, tmp_path / f"model-0000{number}-of-00002.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(4000))
    base = compose(["model=hf", f"model.init={tmp_path}", "training.objective=clm"])
    assert num_weights(base) == 140
    for file in tmp_path.glob("*.safetensors"):
        file.write_bytes(b"\xff" * 99)
    assert num_weights(base) == 0
    for file in tmp_path.glob("*.safetensors"):
        file.unlink()
    assert num_weights(base) == 1000
    assert num_weights(compose(["model=hf", "model.init=not/there", "training.objective=clm"])) == 0


def test_the_need_of_disk_follows_the_model() -> None:
    """The small model has 13 million parameters: 3 checkpoints x 3 x 4 bytes, and the model."""
    small = compose(["model=small"])
    assert 450e6 < needed_bytes(small) < 650e6
    bare = dataclasses.replace(small.training, checkpoint_ratio=0.0, save_model=False)
    assert needed_bytes(dataclasses.replace(small, training=bare)) < 50e6
    assert checkpoint_bytes(small) == 3 * model_bytes(small)


def test_word_checkpoints_need_their_room() -> None:
    small = compose(["model=small"])
    many = compose(["model=small", "training.word_checkpoints=true"])
    assert needed_bytes(many) - needed_bytes(small) == 19 * model_bytes(small)


def test_muon_keeps_one_moment_of_the_trunks_matrices_and_adamw_two() -> None:
    adamw, muon = (compose(["model=small", f"training.optimizer={name}"]) for name in ("adamw", "muon"))
    model = build_model(
        muon.model,
        objective="mlm",
        vocab_size=muon.tokenizer.vocab_size,
        max_length=muon.data.max_length,
        special=SpecialTokens(start=0, separator=1, pad=2, mask=3),
        seed=0,
    )
    matrices = sum(matrix.weights.numel() for matrix in trunk_matrices(model))
    assert checkpoint_bytes(adamw) - checkpoint_bytes(muon) == 4 * matrices
    assert needed_bytes(adamw) - needed_bytes(muon) == 3 * 4 * matrices


def test_an_average_of_the_weights_is_in_every_checkpoint_and_is_a_second_model() -> None:
    plain, averaged = compose(["model=small"]), compose(["model=small", "training.ema=0.999"])
    assert checkpoint_bytes(averaged) - checkpoint_bytes(plain) == model_bytes(plain)
    assert needed_bytes(averaged) - needed_bytes(plain) == (3 + 1) * model_bytes(plain)
    assert models_bytes(averaged) == 2 * models_bytes(plain) == 2 * model_bytes(plain)
    unsaved = compose(["model=small", "training.ema=0.999", "training.save_model=false"])
    assert needed_bytes(averaged) - needed_bytes(unsaved) == 2 * model_bytes(plain)
