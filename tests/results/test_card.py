"""Model cards: family, objective and sizes, what opening needs, and an example that runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sleep_tune.config.schema import ModelConfig, TokenizerConfig
from sleep_tune.data.tokenizer import bpe_recipe
from sleep_tune.results.card import model_card
from sleep_tune.results.comparison import compare
from sleep_tune.results.published_model import PublishedModel, read_published_model
from sleep_tune.results.winner import Winner
from tests.data.kinds import TEXT
from tests.data.stored_text import tokenize
from tests.results.conftest import SyntheticLog


@pytest.fixture
def run(log: SyntheticLog) -> Path:
    """The run of a search that has one."""
    log.open()
    log.run("t0001", 1, 2.0, 0.8, role="finalist")
    folder = log.folder / "trials" / "t0001-s1"
    (folder / "model").mkdir(parents=True)
    return folder


def card(run: Path) -> str:
    winner = Winner("t0001", run, "it is best", {"folds": 5}, {}, {})
    return model_card(winner, compare(run.parents[1]))


def write(run: Path, options: dict[str, Any], config: dict[str, Any]) -> None:
    (run / "config.yaml").write_text(yaml.safe_dump(options))
    (run / "model" / "config.json").write_text(json.dumps(config))


GPT2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 8, "n_embd": 256, "n_head": 4}
ROBERTA = {"model_type": "roberta", "architectures": ["RobertaForMaskedLM"], "num_hidden_layers": 2, "vocab_size": 8192}
OPTIONS = {"data": {"max_length": 128}, "model": {"kind": "gpt2"}}


@pytest.mark.parametrize(
    ("config", "pipeline", "parts"),
    [
        (GPT2 | {"training_objective": "clm"}, "text-generation", ("causal language model", "family: GPT-2")),
        (ROBERTA | {"training_objective": "mlm"}, "fill-mask", ("masked language model", "family: RoBERTa")),
        (ROBERTA, "fill-mask", ("masked language model", "training.objective: mlm", "vocabulary: 8,192")),
        (ROBERTA | {"training_objective": "hybrid"}, None, ("hybrid language model", "is_decoder=True", "MaskedLM")),
        ({"training_objective": "clm", "model_type": "custom"}, "text-generation", ("family: custom",)),
    ],
)
def test_a_card_names_family_objective_and_sizes(
    run: Path, config: dict[str, Any], pipeline: str | None, parts: tuple[str, ...]
) -> None:
    write(run, OPTIONS, config)
    text = card(run)
    assert yaml.safe_load(text.split("---")[1]).get("pipeline_tag") == pipeline
    for part in (*parts, "longest row, in tokens: 128"):
        assert part in text
    causal = config.get("training_objective") in ("clm", "hybrid")
    assert ("AutoModelForCausalLM" in text, "generate(" in text) == (causal, causal)


def test_the_objective_of_a_run_whose_model_was_made_elsewhere_is_that_of_its_options(run: Path) -> None:
    write(run, {"training": {"objective": "clm"}}, {})
    assert read_published_model(run / "model") == PublishedModel(objective="clm")


def test_a_card_says_what_code_the_model_needs(run: Path) -> None:
    write(run, {"model": {"kind": "lab.models:build"}}, {"architectures": ["OurModel"], "auto_map": {}})
    text = card(run)
    for part in ("lab.models:build", "OurModel", "trust_remote_code=True"):
        assert part in text


def test_averaged_weights_that_were_chosen_are_the_ones_that_are_published(run: Path) -> None:
    write(run, OPTIONS, {"training_objective": "mlm"})
    (run / "model-ema").mkdir()
    (run / "model-ema" / "config.json").write_text(json.dumps({"training_objective": "clm"}))
    winner = Winner("t0001", run, "it is best", {"folds": 5}, {}, {}, "model-ema")
    text = model_card(winner, compare(run.parents[1]))
    assert "causal language model" in text
    assert "training.ema" in text


def test_a_run_without_files_or_with_broken_ones_has_a_card_too(run: Path) -> None:
    assert "masked language model" in card(run)
    for name in ("config.json", "model.safetensors"):
        (run / "model" / name).write_bytes(b"\xff" * 20)
    assert read_published_model(run / "model") == PublishedModel(objective="mlm")
    (run / "model" / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"[]")
    assert read_published_model(run / "model").parameters is None


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "objective"), [("gpt2", "clm"), ("roberta", "mlm"), ("roberta", "hybrid")])
def test_the_example_of_a_card_runs(run: Path, tmp_path: Path, kind: str, objective: str) -> None:
    from sleep_tune.models.build import build_model
    from sleep_tune.training.outputs import write_model

    made = tokenize(bpe_recipe(TokenizerConfig(vocab_size=400), tmp_path), {"train": TEXT}, tmp_path / "tokenizer")
    sizes = ModelConfig(kind=kind, layers=1, hidden=16, heads=2, feed_forward=32)
    model = build_model(
        sizes, objective=objective, vocab_size=made.vocab_size, max_length=16, special=made.special, seed=0
    )
    write_model(run / "model", model, tmp_path / "tokenizer")
    text = card(run)
    assert f"parameters: {sum(one.numel() for one in model.parameters()):,}" in text
    example = re.search(r"```python\n(.*?)\n```", text, re.DOTALL)
    assert example is not None
    exec(example[1].replace("REPO", str(run / "model")), {})
