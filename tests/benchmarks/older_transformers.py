"""Do the models that transformers 5 wrote open in transformers 4, with the same token ids and logits?

    python tests/benchmarks/older_transformers.py PYTHON_WITH_TRANSFORMERS_4 [FOLDER]

PYTHON_WITH_TRANSFORMERS_4 is an interpreter of an environment with `pip install "transformers<5" torch`; this package
need not be in it. One line a model: each choice of conf/model, each objective of its family, averaged weights, other
tokenizers and a model of the user's own code, at 3 layers of width 64 with random weights of a large scale, so that
each part of a layer is seen in the logits. FOLDER keeps the models.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import CONFIG_MAPPING

from sleep_tune.config.load import compose
from sleep_tune.config.schema import ModelConfig, TokenizerConfig
from sleep_tune.data.tokenizer import bpe_recipe, hub_recipe
from sleep_tune.models.build import build_model
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.training.outputs import write_model
from sleep_tune.training.weight_average import WeightAverage
from tests.data.kinds import KINDS, TEXT
from tests.data.stored_text import Tokenized, tokenize
from tests.own_code import own_code

ROOT = Path(__file__).parents[2]
LENGTH = 64
ROUNDING = 1e-4
"""Greatest difference of equal logits, as a share of their standard deviation."""
SMALL = ("model.layers=3", "model.hidden=64", "model.heads=4", "model.feed_forward=96", "model.initializer_range=0.2")
SIZE = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "initializer_range": 0.2}
ROTATION = {"rope_type": "default", "rope_theta": 200.0}
WIDE = SIZE | {"intermediate_size": 96}
ANY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("bert", "mlm", WIDE),
    ("electra", "mlm", WIDE),
    ("modernbert", "mlm", WIDE | {"local_attention": 8, "layer_types": ["full_attention", "sliding_attention"] * 2}),
    ("gpt_neox", "clm", WIDE | {"rope_parameters": {**ROTATION, "partial_rotary_factor": 0.5}}),
    ("llama", "clm", WIDE | {"rope_parameters": ROTATION}),
    ("qwen3", "clm", WIDE | {"rope_parameters": ROTATION, "num_key_value_heads": 2, "head_dim": 16}),
    ("opt", "clm", {**SIZE, "ffn_dim": 96, "word_embed_proj_dim": 64}),
)
"""model.config, objective and model.options of models with model=hf."""
OWN_CODE = {
    "lab.py": """\
import torch
from torch import nn
from transformers import PreTrainedModel, PretrainedConfig
from transformers.modeling_outputs import CausalLMOutput


class StripesConfig(PretrainedConfig):
    model_type = "stripes"

    def __init__(self, vocab_size=8, width=8, **rest):
        self.vocab_size, self.width = vocab_size, width
        super().__init__(**rest)


class Stripes(PreTrainedModel):
    config_class = StripesConfig

    def __init__(self, config):
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.mixer = nn.GRU(config.width, config.width, batch_first=True)
        self.head = nn.Linear(config.width, config.vocab_size)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **rest):
        return CausalLMOutput(logits=self.head(self.mixer(self.embedding(input_ids))[0]))

    def get_input_embeddings(self):
        return self.embedding


def build(model, *, vocab_size, max_length, special, objective):
    return Stripes(StripesConfig(vocab_size=vocab_size, width=model.hidden))
"""
}


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A model to publish and to open."""

    name: str
    model: ModelConfig
    objective: str
    tokenizer: str = "bpe"
    averaged: bool = False


def cases() -> Iterator[Case]:
    """Yield the models."""
    for path in sorted((ROOT / "conf" / "model").glob("*.yaml")):
        if path.stem != "hf":
            model = compose([f"model={path.stem}", *SMALL]).model
            for objective in OBJECTIVES_OF[model.kind]:
                yield Case(f"model={path.stem}", model, objective)
    for objective in OBJECTIVES_OF["roberta"]:
        yield Case("model.kind=roberta", compose(["model=small", "model.kind=roberta", *SMALL]).model, objective)
    for config, objective, options in ANY:
        known = CONFIG_MAPPING[config]().to_dict()
        kept = {key: value for key, value in options.items() if key != "initializer_range" or key in known}
        yield Case(f"model=hf model.config={config}", ModelConfig(kind="hf", config=config, options=kept), objective)
    small, causal = (compose([f"model={name}", *SMALL]).model for name in ("small", "gpt2_small"))
    yield Case("model=small training.ema", small, "mlm", averaged=True)
    for kind in KINDS:
        yield Case(f"model=small tokenizer={kind}", small, "mlm", kind)
        yield Case(f"model=gpt2_small tokenizer={kind}", causal, "clm", kind)
    yield Case("model.kind=lab:build", ModelConfig(kind="lab:build", hidden=16), "clm")


def write(case: Case, folder: Path) -> None:
    """Publish the model of a case in `folder`/model."""
    tokenizer = folder / "tokenizer"
    made = _tokenize(case.tokenizer, folder, tokenizer)
    model = build_model(
        case.model,
        objective=case.objective,
        vocab_size=made.vocab_size,
        max_length=LENGTH,
        special=made.special,
        seed=0,
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in model.parameters():  # biases and norms too
            weights.add_(0.1 * torch.randn(weights.shape, generator=generator))
    if case.averaged:
        average = WeightAverage(model, 0.9)
        with torch.no_grad():
            next(model.parameters()).mul_(2)
        average.update(1)
        with average.in_model():
            write_model(folder / "model", model, tokenizer)
    else:
        write_model(folder / "model", model, tokenizer)


def _tokenize(kind: str, folder: Path, tokenizer: Path) -> Tokenized:
    if kind == "bpe":
        return tokenize(bpe_recipe(TokenizerConfig(vocab_size=400), folder), {"train": TEXT}, tokenizer)
    source = KINDS[kind](folder / "source")
    return tokenize(hub_recipe(TokenizerConfig(kind="hub", name=str(source)), folder), {"train": TEXT}, tokenizer)


def opened(python: str, models: Sequence[tuple[Path, str]]) -> dict[str, Any]:
    """Return what an interpreter reads in the folders of models."""
    reader = Path(__file__).with_name("older_transformers_reader.py")
    command = [python, "-I", str(reader), json.dumps([[str(path), objective] for path, objective in models])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Say how two readings of a model differ; a difference is in capitals."""
    for which, found in (("5", ours), ("4", theirs)):
        if "error" in found:
            return f"CANNOT BE OPENED by transformers {which}: {found['error'].splitlines()[0]}"
    for key in ours:
        if "logits" not in key and ours[key] != theirs[key]:
            return f"DIFFERENT {key}: {ours[key]} and {theirs[key]}"
    parts = ["same ids"]
    for key in (key for key in ours if "logits" in key):
        one, other = np.array(ours[key]), np.array(theirs[key])
        share = float(abs(one - other).max() / one.std())
        parts.append(f"{'same' if share < ROUNDING else 'DIFFERENT'} {key} ({share:.0e})")
    return ", ".join(parts)


def main(python: str, folder: Path) -> int:
    """Write the models, open them in both, and print a line for each; return 1 if one differs."""
    made: list[tuple[Case, Path]] = []
    with own_code(folder / "code", OWN_CODE):
        for number, case in enumerate(cases()):
            write(case, folder / f"{number:02d}")
            made.append((case, folder / f"{number:02d}" / "model"))
    models = [(path, case.objective) for case, path in made]
    ours, theirs = opened(sys.executable, models), opened(python, models)
    print(f"Written and read by transformers {ours['version']}, read by transformers {theirs['version']}.")
    print("In brackets: greatest difference, as a share of the standard deviation of the logits.\n")
    lines = [
        f"{case.name:42} {case.objective:7} {difference(here, there)}"
        for (case, _), here, there in zip(made, ours["results"], theirs["results"], strict=True)
    ]
    print("\n".join(lines))
    return int(any("DIFFERENT" in line or "CANNOT" in line for line in lines))


if __name__ == "__main__":
    logs: Any = transformers.logging
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    if len(sys.argv) > 2:
        sys.exit(main(sys.argv[1], Path(sys.argv[2]).resolve()))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(sys.argv[1], Path(temporary)))
