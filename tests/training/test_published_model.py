"""Models of every family and objective, opened where only transformers is: they predict and generate as they did."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedModel

from sleep_tune.config.schema import ModelConfig, TokenizerConfig
from sleep_tune.data.tokenizer import bpe_recipe
from sleep_tune.evaluation.model_folder import load_fast_tokenizer
from sleep_tune.models.build import build_model
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.training.outputs import write_model
from tests.data.kinds import TEXT
from tests.data.stored_text import tokenize

LENGTH = 24
PROMPT = "the dog sees"
CASES = [(kind, objective) for kind, objectives in OBJECTIVES_OF.items() for objective in objectives]

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
OWN = {
    "clm": {"config": "opt", "options": SMALL | {"ffn_dim": 32, "word_embed_proj_dim": 16, "init_std": 0.3}},
    "mlm": {"config": "bert", "options": SMALL | {"intermediate_size": 32, "initializer_range": 0.3}},
}
"""Objective -> an architecture of transformers for model.kind=hf."""

CLEAN_PROGRAM = """
import json, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sleep_tune":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer, pipeline

def read(folder, objective, prompt):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(prompt, return_tensors="pt")
    found = {"prompt": ids["input_ids"].tolist()}
    if objective != "clm":
        masked = AutoModelForMaskedLM.from_pretrained(folder)
        found["masked"] = masked(**ids).logits[0].sum().item()
    if objective == "mlm":
        return found
    options = {"is_decoder": True} if objective == "hybrid" else {}
    causal = AutoModelForCausalLM.from_pretrained(folder, **options)
    if objective == "hybrid":  # without the separator at the end
        ids = {name: values[:, :-1] for name, values in ids.items()}
    with torch.no_grad():
        found["causal"] = causal(**ids).logits[0].sum().item()
    found["longest"] = len(causal.generate(**ids, do_sample=False)[0])
    config = causal.generation_config
    found["ids"] = [config.bos_token_id, config.eos_token_id, config.pad_token_id]
    if objective == "clm":
        batch = tokenizer([prompt, prompt + " a cat and"], return_tensors="pt", padding=True)
        alone, first = causal.generate(**ids, do_sample=False), causal.generate(**batch, do_sample=False)[0]
        found["alone"] = alone[0].tolist()
        found["in a batch"] = [token for token in first.tolist() if token != config.pad_token_id]
        [made] = pipeline("text-generation", model=causal, tokenizer=tokenizer)(prompt, do_sample=False)
        found["text"] = made["generated_text"]
        found["decoded"] = tokenizer.decode(alone[0], skip_special_tokens=True)
    return found

print(json.dumps([read(*case) for case in json.loads(sys.argv[1])]))
"""


def make(kind: str, objective: str, tokenizer: Path) -> PreTrainedModel:
    made = tokenize(bpe_recipe(TokenizerConfig(vocab_size=400), tokenizer), {"train": TEXT}, tokenizer)
    size: dict[str, Any] = {"layers": 1, "hidden": 16, "heads": 2, "feed_forward": 32, "initializer_range": 0.3}
    sizes = ModelConfig(kind=kind, **(OWN[objective] if kind == "hf" else size))
    model = build_model(
        sizes, objective=objective, vocab_size=made.vocab_size, max_length=LENGTH, special=made.special, seed=0
    )
    model.train(False)
    return model


@pytest.mark.parametrize(("kind", "objective"), CASES)
def test_a_folder_says_how_it_is_read(tmp_path: Path, kind: str, objective: str) -> None:
    write_model(tmp_path / "model", make(kind, objective, tmp_path / "tokenizer"), tmp_path / "tokenizer")
    assert json.loads((tmp_path / "model" / "config.json").read_text())["training_objective"] == objective
    generation = tmp_path / "model" / "generation_config.json"
    assert generation.is_file() == (objective != "mlm")
    if generation.is_file():
        settings = json.loads(generation.read_text())
        assert (settings["max_length"], settings["use_cache"]) == (LENGTH, True)
        assert (settings["bos_token_id"], settings["pad_token_id"], settings["eos_token_id"]) == (0, 1, 2)


@pytest.mark.slow
def test_a_process_without_this_package_opens_and_generates(tmp_path: Path) -> None:
    models = []
    cases = []
    for kind, objective in CASES:
        top = tmp_path / f"{kind}-{objective}"
        model = make(kind, objective, top / "tokenizer")
        write_model(top / "model", model, top / "tokenizer")
        cases.append([str(top / "model"), objective, PROMPT])
        models.append(model)
    command = [sys.executable, "-I", "-c", CLEAN_PROGRAM, json.dumps(cases)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for (folder, objective, _), model, found in zip(cases, models, json.loads(done.stdout), strict=True):
        ids = torch.tensor(found["prompt"])
        ends = ids[0, -1] == 2
        assert ends == (objective != "clm"), folder
        with torch.no_grad():
            logits = float(model(input_ids=ids).logits.sum())
        assert found["causal" if objective == "clm" else "masked"] == pytest.approx(logits, rel=1e-4), folder
        if objective == "hybrid":
            seen = ids[:, :-1]
            mask = torch.ones(1, 1, seen.shape[1], seen.shape[1], dtype=torch.bool).tril()
            with torch.no_grad():
                causal = float(model(input_ids=seen, attention_mask=mask).logits.sum())
            assert found["causal"] == pytest.approx(causal, rel=1e-4), folder
        if objective != "mlm":
            assert found["ids"] == [0, 2, 1], folder
            assert ids.shape[1] < found["longest"] <= LENGTH, folder
        if objective == "clm":
            # Padding before a prompt counts to its length, so generation ends earlier in a batch.
            length = len(found["in a batch"])
            assert len(found["prompt"][0]) < length, folder
            assert found["alone"][:length] == found["in a batch"], folder
            assert found["text"] == found["decoded"].strip(), folder  # with the space after the prompt


def test_a_folder_holds_what_releases_4_of_transformers_read(tmp_path: Path) -> None:
    write_model(tmp_path / "model", make("llama", "clm", tmp_path / "tokenizer"), tmp_path / "tokenizer")
    settings = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    assert (settings["tokenizer_class"], settings["add_prefix_space"]) == ("PreTrainedTokenizerFast", True)
    assert json.loads((tmp_path / "model" / "config.json").read_text())["rope_theta"] == 10_000.0


def test_a_tokenizer_is_read_as_it_was_trained_with_whatever_the_family(tmp_path: Path) -> None:
    """AutoTokenizer would put the pre-tokenizer of Qwen2 in the place of the folder's."""
    text = "don't say 'no'"
    write_model(tmp_path / "model", make("gpt2", "clm", tmp_path / "tokenizer"), tmp_path / "tokenizer")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "qwen2"}))
    right = Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json")).encode(text).ids
    assert load_fast_tokenizer(tmp_path / "model", "causal")(text)["input_ids"] == right
    assert AutoTokenizer.from_pretrained(tmp_path / "model")(text)["input_ids"] != right  # else REPLACED is out of date
