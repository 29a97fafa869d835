"""Folders with other weights than those of their model are refused; complete ones are opened."""

import json
import os
import pickle
import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    BertConfig,
    BertForPreTraining,
    GPT2Config,
    GPT2LMHeadModel,
    MixtralConfig,
    MixtralForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from sleep_tune.errors import DataError
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model, open_model
from sleep_tune.evaluation.weight_names import TRUNK
from tests.evaluation.tiny import tiny_model, tiny_tokenizer

Weights = dict[str, torch.Tensor]
SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "initializer_range": 0.5,
}
GPT2 = GPT2Config(vocab_size=60, n_embd=16, n_layer=2, n_head=2, n_positions=32)
IDS = torch.tensor([[2, 30, 31, 4, 3]])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole models: bert with a pooler and a head for the next sentence, roberta, gpt2."""
    top = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BertForPreTraining(BertConfig(**SIZES)).save_pretrained(top / "bert")
        RobertaForMaskedLM(RobertaConfig(**SIZES)).save_pretrained(top / "roberta")
        GPT2LMHeadModel(GPT2).save_pretrained(top / "gpt2")
    return top


def changed(folder: Path, to: Path, edit: Callable[[Weights], Weights] | None = None, **config: Any) -> Path:
    """A copy of a model's folder with other weights and another configuration."""
    shutil.copytree(folder, to)
    if edit is not None:
        weights = {name: weight.clone() for name, weight in edit(load_file(folder / "model.safetensors")).items()}
        save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    path = to / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return to


def answer(model: Any) -> torch.Tensor:
    """The model's logits, or its last states, for one text."""
    with torch.no_grad():
        output: torch.Tensor = model(input_ids=IDS)[0]
    return output


def prefixed(prefix: str) -> Callable[[Weights], Weights]:
    return lambda weights: {prefix + name: weight for name, weight in weights.items()}


def without(start: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name: weight for name, weight in weights.items() if not name.startswith(start)}


def copied(name: str, to: str, shift: float, weights: Weights) -> Weights:
    return weights | {to: weights[name] + shift}


REFUSED: dict[str, tuple[str, Callable[[Weights], Weights] | None, dict[str, Any], str]] = {
    "no head": (
        "bert",
        without("cls."),
        {},
        r"cls\.predictions\.bias, .* missing; .*prediction head",
    ),
    "more layers": (
        "bert",
        None,
        {"num_hidden_layers": 4},
        r"bert\.encoder\.layer\.2\..* 29 more .*missing; .*more layers",
    ),
    "fewer layers": (
        "gpt2",
        None,
        {"n_layer": 1},
        r"transformer\.h\.1\..* 8 more .*unused; .*fewer layers",
    ),
    "untied": ("gpt2", None, {"tie_word_embeddings": False}, r": lm_head\.weight .*missing; .*tie_word_embeddings"),
    "other sizes": (
        "bert",
        None,
        {"vocab_size": 50},
        r"word_embeddings\.weight .* \[60, 16\] .* \[50, 16\], and 1",
    ),
    "another architecture": (
        "roberta",
        None,
        {"model_type": "bert"},
        r"bert\..* missing; lm_head\..* unused; .*another archi",
    ),
    "compiled layers": (
        "bert",
        lambda weights: {name.replace("layer.0.", "layer.0._orig_mod."): weight for name, weight in weights.items()},
        {},
        r"layer\.0\._orig_mod\..* unused; a part '_orig_mod' .* torch\.compile",
    ),
    "a prefix, and more": (
        "bert",
        lambda weights: prefixed("module.")(weights) | {"loss.weight": torch.ones(3)},
        {},
        "loss.weight, .* unused; a part 'module' .* DistributedDataParallel",
    ),
    "a copy beside": ("bert", lambda weights: weights | prefixed("ema.")(weights), {}, r"ema\..* unused"),
    "an added layer": ("gpt2", lambda weights: weights | {"extra.weight": torch.ones(2)}, {}, "extra.weight .*unused"),
    "no weights at all": ("bert", lambda _: {}, {}, "missing"),
    "not finite": (
        "gpt2",
        lambda weights: weights | {"transformer.h.1.ln_1.weight": torch.full((16,), float("inf"))},
        {},
        r"16 of 16 in transformer\.h\.1\.ln_1\.weight",
    ),
    "all zero": ("gpt2", lambda weights: {name: 0 * weight for name, weight in weights.items()}, {}, "embedding is 0"),
    "quantised": (
        "bert",
        lambda weights: (
            weights
            | {"bert.pooler.dense.bias": weights["bert.pooler.dense.bias"].to(torch.int8)}
            | {"bert.embeddings.LayerNorm.bias": torch.ones(16, dtype=torch.int8)}
        ),
        {},
        r"bert\.embeddings\.LayerNorm\.bias is I8",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_weights_that_are_not_the_model_s_are_refused_by_name(name: str, models: Path, tmp_path: Path) -> None:
    """Transformers opens each of them, with random weights that differ each time."""
    source, edit, config, message = REFUSED[name]
    folder = changed(models / source, tmp_path / "model", edit, **config)
    with pytest.raises(DataError, match=message) as refused:
        load_model(folder, "causal" if source == "gpt2" else "mlm")
    assert str(folder) in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "name", "tied", "pickled"),
    [
        ("bert", "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight", True),
        ("bert", "cls.predictions.decoder.bias", "cls.predictions.bias", False),
        ("roberta", "lm_head.decoder.bias", "lm_head.bias", True),
        ("gpt2", "lm_head.weight", "transformer.wte.weight", False),
    ],
)
def test_two_weights_where_the_configuration_ties_them_are_refused_unless_they_are_equal(
    source: str, name: str, tied: str, pickled: bool, models: Path, tmp_path: Path
) -> None:
    """Official files hold copies. If the two differ, different versions of transformers use different weights."""
    backend = "causal" if source == "gpt2" else "mlm"
    for label, shift in (("equal", 0.0), ("different", 0.25)):
        folder = changed(models / source, tmp_path / label, partial(copied, tied, name, shift))
        if pickled:
            torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
            (folder / "model.safetensors").unlink()
    assert torch.equal(answer(load_model(tmp_path / "equal", backend)), answer(load_model(models / source, backend)))
    with pytest.raises(DataError, match=rf"one weight as {re.escape(name)} and {re.escape(tied)}.*tie_word_embed"):
        load_model(tmp_path / "different", backend)


def test_two_weights_that_the_configuration_does_not_tie_are_two(models: Path, tmp_path: Path) -> None:
    """The advice in the error above is right."""
    twice = partial(copied, "transformer.wte.weight", "lm_head.weight", 0.25)
    opened: Any = load_model(changed(models / "gpt2", tmp_path / "model", twice, tie_word_embeddings=False), "causal")
    assert torch.equal(opened.get_output_embeddings().weight, opened.get_input_embeddings().weight + 0.25)


HARMLESS: dict[str, tuple[str, Callable[[Weights], Weights]]] = {
    "bert-base-uncased": (
        "bert",
        lambda weights: {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): weight
            for name, weight in weights.items()
        },
    ),
    "roberta-base": (
        "roberta",
        lambda weights: (
            weights
            | {
                "roberta.embeddings.position_ids": torch.arange(32)[None],
                "roberta.pooler.dense.weight": torch.ones(16, 16),
            }
            | {"lm_head.decoder.bias": weights["lm_head.bias"]}
        ),
    ),
    "gpt2": (
        "gpt2",
        lambda weights: (
            {name.removeprefix("transformer."): weight for name, weight in weights.items()}
            | {"h.0.attn.bias": torch.ones(1, 1, 32, 32), "h.0.attn.masked_bias": torch.tensor(-1e4)}
        ),
    ),
    "float16": ("gpt2", lambda weights: {name: weight.half() for name, weight in weights.items()}),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_other_contents_of_official_checkpoints_are_accepted(name: str, models: Path, tmp_path: Path) -> None:
    source, edit = HARMLESS[name]
    backend = "causal" if source == "gpt2" else "mlm"
    notes: list[str] = []
    opened = load_model(changed(models / source, tmp_path / "model", edit), backend, note=notes.append)
    tolerance = 0.01 if name == "float16" else 0.0
    assert torch.allclose(answer(opened), answer(load_model(models / source, backend)), rtol=0, atol=tolerance)
    assert notes == []


@pytest.mark.parametrize(
    ("source", "prefix"),
    [("bert", "_orig_mod."), ("gpt2", "module."), ("gpt2", "model."), ("bert", "net."), ("bert", "module._orig_mod.")],
)
def test_a_prefix_of_all_names_is_removed_with_a_warning(
    prefix: str, source: str, models: Path, tmp_path: Path
) -> None:
    folder = changed(models / source, tmp_path / "model", prefixed(prefix))
    backend = "causal" if source == "gpt2" else "mlm"
    notes: list[str] = []
    opened = load_model(folder, backend, note=notes.append)
    assert torch.equal(answer(opened), answer(load_model(models / source, backend)))
    (note,) = notes
    assert f"'{prefix}'" in note and str(folder) in note
    with pytest.warns(UserWarning, match=re.escape(f"'{prefix}', which was removed")):
        open_model(folder, TRUNK)


def test_a_trunk_needs_no_head_but_all_of_its_own_weights(models: Path, tmp_path: Path) -> None:
    """For fine-tuning the head in the files is unused, and a pooler, which is not read, may be missing."""
    trunk = answer(open_model(models / "roberta", TRUNK))
    AutoModel.from_pretrained(models / "roberta").save_pretrained(tmp_path / "trunk")
    assert torch.equal(answer(open_model(tmp_path / "trunk", TRUNK)), trunk)
    for name, layers, fault in (("more", 3, "missing; .* more"), ("fewer", 1, "unused; .* fewer")):
        folder = changed(models / "roberta", tmp_path / name, num_hidden_layers=layers)
        with pytest.raises(
            DataError, match=rf"encoder\.layer\.{min(layers, 2) if layers == 1 else 2}\..* {fault} layers"
        ):
            open_model(folder, TRUNK)
    with pytest.raises(DataError, match="prediction head"):
        load_model(tmp_path / "trunk", "mlm")


def test_comparing_the_weights_leaves_the_random_numbers_alone(models: Path) -> None:
    """Fine-tuning draws its head after the model is opened, as the official pipeline does."""
    state = torch.get_rng_state()
    load_model(models / "bert", "mlm")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "num_hidden_layers", "max_position_embeddings"])
def test_a_configuration_of_absurd_size_takes_neither_time_nor_memory(key: str, models: Path, tmp_path: Path) -> None:
    folder = changed(models / "bert", tmp_path / "model", None, **{key: 10**9})
    started = time.process_time()
    with pytest.raises(DataError, match=r"1,?000,?000,?000"):
        load_model(folder, "mlm")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_attention_heads": 0}, "ZeroDivisionError"),
        ({"hidden_size": "32"}, "hidden_size.*expected int, got str"),
        ({"model_type": "nope"}, "model type `nope`"),
        ({"hidden_act": "nope"}, "KeyError: 'nope'"),
        ({"architectures": "BertForMaskedLM"}, "architectures .* 'BertForMaskedLM'"),
        ({"_attn_implementation": "someone/kernel"}, "'someone/kernel' .*--trust-remote-code"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "GPTQ"),
    ],
)
def test_a_configuration_that_transformers_refuses_is_one_sentence(
    config: dict[str, Any], message: str, models: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as refused:
        load_model(changed(models / "bert", tmp_path / "model", **config), "mlm")
    assert "\n" not in str(refused.value)


def broken(folder: Path, name: str, content: bytes) -> None:
    (folder / "model.safetensors").unlink(missing_ok=True)
    (folder / name).write_bytes(content)


def test_broken_files_of_weights_are_one_sentence(models: Path, tmp_path: Path) -> None:
    whole = (models / "bert" / "model.safetensors").read_bytes()
    index = {
        "metadata": {},
        "weight_map": dict.fromkeys(load_file(models / "bert" / "model.safetensors"), "model-00001-of-2.safetensors"),
    }
    for number, (name, content, message) in enumerate(
        (
            ("model.safetensors", whole[:-100], "incomplete metadata"),
            ("model.safetensors", b"", "header too small"),
            ("model.safetensors.index.json", json.dumps(index).encode(), "model-00001-of-2.safetensors"),
            ("model.safetensors.index.json", b"{}", "weight_map"),
            ("pytorch_model.bin", b"not a checkpoint", "are damaged"),
            ("adapter_config.json", b"{}", "adapter_config.json"),
            ("config.json", b"[1]", r"JSON object.* \[1\]"),
            ("config.json", b"[" * 100_000, "JSON object"),
        )
    ):
        folder = changed(models / "bert", tmp_path / str(number))
        broken(folder, name, content)
        with pytest.raises(DataError, match=message) as refused:
            load_model(folder, "mlm")
        assert "\n" not in str(refused.value)


def test_a_model_saved_beside_an_older_one_is_refused_where_the_older_one_would_be_read(
    models: Path, tmp_path: Path
) -> None:
    """Transformers reads the whole file and ignores the index beside it, even if that is newer."""
    new, old = load_model(models / "bert", "mlm"), load_file(models / "bert" / "model.safetensors")
    for whole, index in (
        ("model.safetensors", "model.safetensors.index.json"),
        ("pytorch_model.bin", "pytorch_model.bin.index.json"),
    ):
        folder = changed(models / "bert", tmp_path / whole)
        (folder / "model.safetensors").unlink()
        new.save_pretrained(folder, max_shard_size="10KB")
        if whole.endswith(".bin"):
            content = json.loads((folder / "model.safetensors.index.json").read_text())
            shard = {"weight_map": dict.fromkeys(content["weight_map"], "pytorch_model-00001-of-00001.bin")}
            torch.save(load_file(models / "bert" / "model.safetensors"), folder / "pytorch_model-00001-of-00001.bin")
            (folder / "model.safetensors.index.json").unlink()
            (folder / index).write_text(json.dumps(content | shard))
        assert torch.equal(answer(load_model(folder, "mlm")), answer(new))
        edited = {name: 2 * weight for name, weight in old.items()}
        if whole.endswith(".bin"):
            torch.save(edited, folder / whole)
        else:
            save_file(edited, folder / whole, metadata={"format": "pt"})
        refused = partial(pytest.raises, DataError, match=rf"two sets, {whole} and .*{index}")
        with refused():
            load_model(folder, "mlm")
        with refused():
            open_model(folder, TRUNK)


def test_weights_of_another_format_beside_those_that_are_read_are_noted(models: Path, tmp_path: Path) -> None:
    """As in official folders, which hold both, and in those where a newer model was saved."""
    folder = changed(models / "bert", tmp_path / "model")
    torch.save({}, folder / "pytorch_model.bin")
    notes: list[str] = []
    assert torch.equal(answer(load_model(folder, "mlm", note=notes.append)), answer(load_model(models / "bert", "mlm")))
    (note,) = notes
    assert f"{folder} holds two sets" in note and "model.safetensors was read and pytorch_model.bin was not" in note


@pytest.mark.parametrize("name", ["model", "state_dict", "model_state_dict", "module"])
def test_the_state_of_a_training_loop_is_recognised(name: str, models: Path, tmp_path: Path) -> None:
    folder = changed(models / "bert", tmp_path / "model")
    state = {name: load_file(folder / "model.safetensors"), "epoch": 3, "optimizer": {"state": {}}}
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match=f"training loop.* '{name}'"):
        load_model(folder, "mlm")


def test_the_report_that_an_error_points_to_is_part_of_it(tmp_path: Path) -> None:
    """The message of transformers says 'For details look at the above report', which it only logs."""
    MixtralForCausalLM(
        MixtralConfig(**SIZES | {"num_key_value_heads": 2, "num_local_experts": 2, "num_hidden_layers": 1})
    ).save_pretrained(tmp_path / "whole")
    gone = "model.layers.0.block_sparse_moe.experts.1.w1.weight"
    folder = changed(tmp_path / "whole", tmp_path / "model", without(gone))
    with pytest.raises(DataError, match=r"report! \(.*model\.layers\.0\.mlp\.experts\.gate_up_proj.* CONVERSION"):
        load_model(folder, "causal")


class Payload:
    """Runs a command where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


OWN_CODE = (
    "import os\nos.mkdir({trace!r})\nfrom transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast\n"
)


def test_a_folder_s_code_is_not_run_unasked(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does anything wait for an answer on standard input."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on standard input"))
    trace = tmp_path / "trace"
    payload = Payload(trace)
    saves: tuple[Callable[..., None], ...] = (torch.save, partial(pickle.dump, protocol=2))
    for number, save in enumerate(saves):
        folder = changed(models / "bert", tmp_path / f"pickled{number}")
        (folder / "model.safetensors").unlink()
        with (folder / "pytorch_model.bin").open("wb") as file:
            save({"bert.pooler": payload}, file)
        with pytest.raises(DataError, match="safetensors"):
            load_model(folder, "mlm")
    maps = {"AutoConfig": "own.BertConfig", "AutoModelForMaskedLM": "own.BertForMaskedLM"}
    unknown = changed(models / "bert", tmp_path / "unknown", model_type="own", auto_map=maps)
    known = changed(models / "bert", tmp_path / "known", auto_map=maps)
    tokenizer = tiny_tokenizer(["the dog saw the cat"])
    for folder in (unknown, known):
        (folder / "own.py").write_text(OWN_CODE.format(trace=str(trace)))
        (folder / "custom_generate").mkdir()
        (folder / "custom_generate" / "generate.py").write_text(OWN_CODE.format(trace=str(trace)))
        tokenizer.save_pretrained(folder)
        path = folder / "tokenizer_config.json"
        own = {"auto_map": {"AutoTokenizer": [None, "own.PreTrainedTokenizerFast"]}, "tokenizer_class": "Own"}
        path.write_text(json.dumps(json.loads(path.read_text()) | own))
    load_fast_tokenizer(known, "mlm")
    with pytest.raises(DataError, match="--trust-remote-code runs it"):
        load_fast_tokenizer(unknown, "mlm")
    with pytest.raises(DataError, match="--trust-remote-code runs it"):
        load_model(unknown, "mlm")
    assert torch.equal(answer(load_model(known, "mlm")), answer(load_model(models / "bert", "mlm")))
    (known / "config.json").write_text(
        json.dumps(json.loads((known / "config.json").read_text()) | {"num_hidden_layers": 1})
    )
    with pytest.raises(DataError, match=r"fewer layers.*--trust-remote-code"):
        load_model(known, "mlm")
    assert not trace.exists()


def test_a_model_without_a_tied_weight_in_its_file_is_whole(tmp_path: Path) -> None:
    """As our own models are saved: the output embedding is the input embedding."""
    tokenizer = tiny_tokenizer(["the dog saw the cat"])
    for backend in ("mlm", "causal"):
        model = tiny_model(backend, tokenizer)
        model.save_pretrained(tmp_path / backend)
        assert torch.equal(answer(load_model(tmp_path / backend, backend)), answer(model))


def test_weights_in_several_files_or_pickled_are_read_as_they_are(models: Path, tmp_path: Path) -> None:
    opened = load_model(models / "bert", "mlm")
    opened.save_pretrained(tmp_path / "several", max_shard_size="10KB")
    assert len(list((tmp_path / "several").glob("model-*.safetensors"))) > 1
    assert torch.equal(answer(load_model(tmp_path / "several", "mlm")), answer(opened))
    pickled = changed(models / "bert", tmp_path / "pickled")
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    assert torch.equal(answer(load_model(pickled, "mlm")), answer(opened))

    index = tmp_path / "several" / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    name = "bert.embeddings.LayerNorm.bias"
    path = tmp_path / "several" / content["weight_map"][name]
    quantised = load_file(path) | {name: torch.ones(16, dtype=torch.int8)}
    save_file(quantised, path, metadata={"format": "pt"})
    with pytest.raises(DataError, match=rf"{path.name} .*{re.escape(name)} is I8"):
        load_model(tmp_path / "several", "mlm")
    path.unlink()
    with pytest.raises(DataError, match=path.name):
        load_model(tmp_path / "several", "mlm")
