"""A model by a function of the user's own code: of transformers or of its own classes, checked, saved and opened."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedModel

from sleep_tune.config.load import compose
from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError
from sleep_tune.models.build import build_model
from sleep_tune.models.sparse import sparse_forward
from sleep_tune.sleep.samples import SpecialTokens
from tests.messages import raises_naming
from tests.own_code import own_code

LIBRARY = """\
import torch
from torch import nn
from transformers import (
    BertConfig, BertForMaskedLM, BertLMHeadModel, GPT2Config, GPT2LMHeadModel, RobertaConfig, RobertaForMaskedLM
)


def options(model, vocab_size, max_length, special):
    return dict(vocab_size=vocab_size, n_positions=max_length, n_embd=model.hidden, n_layer=model.layers,
                n_head=model.heads, bos_token_id=special.start, eos_token_id=special.separator)


def gpt2(model, *, vocab_size, max_length, special, objective):
    return GPT2LMHeadModel(GPT2Config(**options(model, vocab_size, max_length, special)))


def bert(model, *, vocab_size, max_length, special, objective):
    return BertForMaskedLM(BertConfig(vocab_size=vocab_size, max_position_embeddings=max_length, intermediate_size=32,
                                      hidden_size=model.hidden, num_hidden_layers=1, num_attention_heads=2))


def two_way(model, *, vocab_size, max_length, special, objective):
    return BertLMHeadModel(BertConfig(vocab_size=vocab_size, max_position_embeddings=max_length, intermediate_size=32,
                                      hidden_size=model.hidden, num_hidden_layers=1, num_attention_heads=2))


def nothing(model, **text):
    pass


def exits(model, **text):
    raise SystemExit(3)


def short(model, *, vocab_size, max_length, special, objective):
    return gpt2(model, vocab_size=vocab_size, max_length=max_length - 1, special=special, objective=objective)


def small(model, *, vocab_size, max_length, special, objective):
    return gpt2(model, vocab_size=vocab_size - 1, max_length=max_length, special=special, objective=objective)


def half(model, **text):
    return gpt2(model, **text).half()


def changed(model, **text):
    built = gpt2(model, **text)
    built.transformer.h[0].mlp.c_fc = nn.Linear(model.hidden, 4 * model.hidden)
    return built


def scaled(model, **text):
    built = gpt2(model, **text)
    built.register_forward_hook(lambda module, given, output: setattr(output, "logits", 2 * output.logits))
    return built


def infinite(model, **text):
    built = gpt2(model, **text)
    built.transformer.wte.weight.data[3] = float("nan")
    return built


class Mine(GPT2LMHeadModel):
    pass


def mixed(model, *, vocab_size, max_length, special, objective):
    return Mine(GPT2Config(**options(model, vocab_size, max_length, special)))


class NoType(GPT2Config):
    pass


def no_type(model, *, vocab_size, max_length, special, objective):
    return Mine(NoType(**options(model, vocab_size, max_length, special)))


def error(model, **text):
    return model.unknown
"""

OWN = """\
import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


class BagConfig(PretrainedConfig):
    model_type = "bag"

    def __init__(self, vocab_size=8, hidden_size=4, looks_ahead=False, **more):
        super().__init__(**more)
        self.vocab_size, self.hidden_size, self.looks_ahead = vocab_size, hidden_size, looks_ahead


class Bag(PreTrainedModel):
    config_class = BagConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **more):
        states = torch.nn.functional.dropout(self.drop(self.embed(input_ids)), 0.1, self.training)
        if self.config.looks_ahead:
            states = states.mean(1, keepdim=True).expand_as(states)
        else:
            states = states.cumsum(1)
        return CausalLMOutput(logits=self.out(states))


def bag(model, *, vocab_size, max_length, special, objective):
    return Bag(BagConfig(vocab_size=vocab_size, hidden_size=model.hidden))


def ahead(model, *, vocab_size, max_length, special, objective):
    return Bag(BagConfig(vocab_size=vocab_size, hidden_size=model.hidden, looks_ahead=True))


def inner(model, *, vocab_size, max_length, special, objective):
    class Hidden(Bag):
        pass

    return Hidden(BagConfig(vocab_size=vocab_size, hidden_size=model.hidden))
"""

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)


@pytest.fixture(autouse=True)
def lab(tmp_path: Path) -> Iterator[Path]:
    """A working directory with modules of its own."""
    with own_code(tmp_path, {"model_lab.py": LIBRARY, "bag_lab.py": OWN}):
        yield tmp_path


def built(kind: str, objective: str = "clm", seed: int = 0) -> PreTrainedModel:
    return build_model(
        ModelConfig(kind=kind, layers=1, hidden=16, heads=2),
        objective=objective,
        vocab_size=32,
        max_length=12,
        special=SPECIAL,
        seed=seed,
    )


@pytest.mark.parametrize(
    ("kind", "objective"),
    [("model_lab:gpt2", "clm"), ("model_lab:bert", "mlm"), ("bag_lab:bag", "clm"), ("bag_lab:bag", "mlm")],
)
def test_losses_at_positions_are_those_of_the_whole_forward(kind: str, objective: str) -> None:
    model = built(kind, objective).train(False)
    ids = torch.arange(24).reshape(2, 12) % 32
    positions, labels = torch.tensor([1, 5, 13]), torch.tensor([4, 5, 6])
    logits = model(input_ids=ids).logits.flatten(0, 1)[positions]
    with sparse_forward(model):
        total, losses = model(ids, None, positions, labels)
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(total, expected.sum(), rtol=1e-5, atol=1e-6)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (built("bag_lab:bag", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    states = [model.state_dict()["embed.weight"] for model in (first, again, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
    assert first.training


def test_a_model_of_transformers_opens_by_its_auto_class(tmp_path: Path) -> None:
    model = built("model_lab:gpt2").train(False)
    model.save_pretrained(tmp_path / "saved")
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    ids = torch.arange(12)[None]
    assert torch.equal(opened(input_ids=ids).logits, model(input_ids=ids).logits)
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["training_objective"] == "clm"


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "opener"), [("clm", AutoModelForCausalLM), ("mlm", AutoModelForMaskedLM)])
def test_a_class_of_the_users_own_is_saved_with_its_code(tmp_path: Path, objective: str, opener: type) -> None:
    """It opens in a process without the user's module, which must trust the code."""
    model = built("bag_lab:bag", objective).train(False)
    model.save_pretrained(tmp_path / "saved")
    ids = torch.arange(12)[None]
    torch.save(model(input_ids=ids).logits, tmp_path / "logits.pt")
    code = (
        f"import torch; from transformers import {opener.__name__} as opener\n"
        "model = opener.from_pretrained('saved', trust_remote_code=True).eval()\n"
        "assert torch.equal(model(input_ids=torch.arange(12)[None]).logits, torch.load('logits.pt'))\n"
    )
    (tmp_path / "bag_lab.py").unlink()
    environment = os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("model_lab:nothing", "PreTrainedModel|None"),
        ("model_lab:exits", "PreTrainedModel|sys.exit"),
        ("model_lab:two_way", "left to right"),
        ("model_lab:small", "config.vocab_size|32|31"),
        ("model_lab:half", "float32|float16"),
        ("model_lab:bert", "AutoModelForCausalLM|BertForMaskedLM"),
        ("model_lab:changed", "GPT2LMHeadModel|c_fc"),
        ("model_lab:scaled", "GPT2LMHeadModel|logits"),
        ("model_lab:infinite", "finite"),
        ("model_lab:mixed", "Mine|GPT2Config"),
        ("model_lab:no_type", "NoType|model_type|gpt2"),
        ("bag_lab:ahead", "left to right"),
        ("bag_lab:inner", "Hidden|inside a function"),
    ],
)
def test_what_cannot_be_trained_or_opened_is_refused(kind: str, names: str) -> None:
    with raises_naming(ConfigError, f"model.kind={kind}", *names.split("|")):
        built(kind)


@pytest.mark.parametrize(
    ("kind", "kind_of_error"), [("model_lab:error", AttributeError), ("model_lab:short", IndexError)]
)
def test_an_error_in_the_users_code_stays_what_it_is(kind: str, kind_of_error: type[Exception]) -> None:
    with pytest.raises(kind_of_error):
        built(kind)


def test_the_rules_for_an_own_model() -> None:
    assert compose(["model.kind=model_lab:gpt2", "training.objective=clm"]).run.sources
    with raises_naming(ConfigError, "training.objective", "clm, mlm", "hybrid", "model_lab:gpt2"):
        compose(["model.kind=model_lab:gpt2", "training.objective=hybrid"])
    assert compose(["model.kind=model_lab:bert", "model.hidden=100", "model.heads=3"]).model.heads == 3
    with raises_naming(ConfigError, "model.init", "model_lab:bert"):
        compose(["model.kind=model_lab:bert", "model.init=x"])
