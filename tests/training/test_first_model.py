"""The model that a run begins with: from the weights of a folder, with the checks of an evaluation."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from sleep_tune.config.load import compose
from sleep_tune.config.schema import RunConfig
from sleep_tune.data.model_files import digest_model
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.errors import ConfigError, DataError, UserError
from sleep_tune.models.build import build_model
from sleep_tune.training.first_model import check_first_model, make_first_model
from sleep_tune.training.identity import identify
from sleep_tune.training.outputs import write_model
from tests.messages import missing, raises_naming

SIZES = ["model.layers=2", "model.hidden=32", "model.heads=4", "model.feed_forward=64"]
DATA = ["data.sentences=200", "data.max_length=32", "tokenizer.vocab_size=300"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    config = compose([*DATA, f"data.cache_dir={tmp_path_factory.mktemp('cache')}"])
    return prepare(config.data, config.tokenizer)


def write(folder: Path, corpus: Corpus, kind: str, objective: str, *, length: int = 32) -> Path:
    """Write a model and its tokenizer as a run does."""
    config = compose([f"model.kind={kind}", f"training.objective={objective}", *SIZES])
    model = build_model(
        config.model,
        objective=objective,
        vocab_size=corpus.train.vocab_size,
        max_length=length,
        special=corpus.train.special,
        seed=3,
    )
    write_model(folder, model, corpus.tokenizer_dir)
    return folder


def start(folder: Path, objective: str, cache: Path) -> RunConfig:
    data = ["data.sentences=200", "data.max_length=32", f"data.cache_dir={cache}"]
    return compose(["model=hf", f"model.init={folder}", f"training.objective={objective}", *data])


@pytest.mark.parametrize(
    ("kind", "objective"),
    [("gpt2", "clm"), ("roberta_prelayernorm", "mlm"), ("deberta_v2", "mlm"), ("modernbert", "mlm")],
)
def test_the_weights_are_those_of_the_folder(kind: str, objective: str, corpus: Corpus, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", corpus, kind, objective)
    config = start(folder, objective, tmp_path)
    read = prepare(config.data, config.tokenizer)
    assert read.train.special == corpus.train.special
    model = make_first_model(config, read)
    opener: Any = AutoModelForCausalLM if objective == "clm" else AutoModelForMaskedLM
    theirs = opener.from_pretrained(folder).state_dict()
    assert all(torch.equal(weights, theirs[name]) for name, weights in model.state_dict().items())
    assert model.training and model.config.training_objective == objective


def test_special_tokens_that_a_tokenizer_lacks_get_rows_of_their_own(corpus: Corpus, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", corpus, "gpt2", "clm")
    opened: Any = AutoModelForCausalLM.from_pretrained(folder)
    config = start(folder, "clm", tmp_path)
    read = prepare(config.data, config.tokenizer)
    rows = read.train.vocab_size
    smaller = opened.resize_token_embeddings(rows - 2)
    opened.save_pretrained(folder)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    model: Any = make_first_model(config, read)
    assert torch.equal(torch.get_rng_state(), before)
    embedding = model.get_input_embeddings().weight
    assert embedding.shape[0] == rows and torch.equal(embedding[: rows - 2], smaller.weight)
    assert embedding is model.get_output_embeddings().weight
    again: Any = make_first_model(config, read)
    assert torch.equal(embedding, again.get_input_embeddings().weight)


def broken(folder: Path, how: str) -> None:
    settings = json.loads((folder / "config.json").read_text())
    model: Any = (
        AutoModelForMaskedLM if "roberta" in settings["model_type"] else AutoModelForCausalLM
    ).from_pretrained(folder)
    if how == "nan":
        model.get_input_embeddings().weight.data[3, 3] = float("nan")
        model.save_pretrained(folder)
    elif how == "missing":
        (folder / "config.json").write_text(json.dumps(settings | {"num_hidden_layers": 3, "n_layer": 3}))
    elif how == "vocabulary":
        model.resize_token_embeddings(100)
        model.save_pretrained(folder)
    elif how == "none":
        shutil.rmtree(folder / "config.json", ignore_errors=True)
        (folder / "config.json").unlink()


@pytest.mark.parametrize(
    ("kind", "saved", "objective", "how", "facts"),
    [
        ("gpt2", "clm", "clm", "nan", "finite numbers|1 of"),
        ("gpt2", "clm", "clm", "missing", "missing|transformer.h.2"),
        ("gpt2", "clm", "clm", "vocabulary", "tokenizer.name=|100 rows|300 tokens"),
        ("gpt2", "clm", "clm", "none", "config.json"),
        ("gpt2", "clm", "mlm", "", "training.objective|clm|model.init=|gpt2|got mlm"),
        ("roberta", "mlm", "clm", "", "from left to right|training.objective=clm|RobertaForMaskedLM"),
    ],
)
def test_a_model_that_is_not_sound_or_of_another_kind_is_refused(
    kind: str, saved: str, objective: str, how: str, facts: str, corpus: Corpus, tmp_path: Path
) -> None:
    folder = write(tmp_path / "model", corpus, kind, saved)
    config = start(folder, objective, tmp_path)
    read = prepare(config.data, config.tokenizer)
    if how:
        broken(folder, how)
    with pytest.raises(UserError) as raised:
        make_first_model(config, read)
    assert not missing(raised.value, facts)


def test_a_row_longer_than_the_positions_that_were_learnt_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", corpus, "gpt2", "clm", length=16)
    config = start(folder, "clm", tmp_path)
    with pytest.raises(ConfigError) as raised:
        make_first_model(config, prepare(config.data, config.tokenizer))
    assert not missing(raised.value, "data.max_length|at most 16|got 32")


def test_a_tokenizer_of_another_vocabulary_is_refused_though_it_fits_by_size(corpus: Corpus, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", corpus, "gpt2", "clm")
    shutil.copytree(folder, tmp_path / "same")
    shutil.copytree(folder, tmp_path / "other")
    file = tmp_path / "other" / "tokenizer.json"
    saved = json.loads(file.read_text())
    vocabulary = saved["model"]["vocab"]
    one, two = list(vocabulary)[-2:]
    vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
    file.write_text(json.dumps(saved))
    for name in ("same", "other"):
        config = start(folder, "clm", tmp_path)
        config.tokenizer.name = str(tmp_path / name)
        read = prepare(config.data, config.tokenizer)
        if name == "same":
            make_first_model(config, read)
        else:
            with raises_naming(DataError, "tokenizer.name", f"model.init={folder}", tmp_path / name, "2 of its"):
                make_first_model(config, read)


def test_other_weights_are_another_run(corpus: Corpus, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", corpus, "gpt2", "clm")
    config = start(folder, "clm", tmp_path)
    identity = identify(config, "corpus", 1)
    moved = start(folder.rename(tmp_path / "moved"), "clm", tmp_path)
    assert identify(moved, "corpus", 1) == identity
    assert not identity.differences_from(identity.to_json())
    write(tmp_path / "moved", corpus, "gpt2", "clm", length=64)
    other = identify(moved, "corpus", 1)
    assert other.digest() != identity.digest()
    assert "model.init" in other.differences_from(identity.to_json())
    assert digest_model(tmp_path / "moved") == other.weights


def test_the_identity_of_a_new_model_is_as_before_there_were_weights(corpus: Corpus) -> None:
    identity = identify(compose([]), "corpus", 1)
    stored = {key: value for key, value in identity.to_json().items() if key != "weights"}
    assert not identity.differences_from(stored)


def test_a_folder_is_checked_before_the_text_is_read(corpus: Corpus, tmp_path: Path) -> None:
    """An adapter as the library peft writes it has no config.json; code is run with an option of the run only."""
    folder = write(tmp_path / "model", corpus, "gpt2", "clm")
    config = start(folder, "clm", tmp_path)
    check_first_model(config)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"attn_implementation": "a/kernel"}))
    with raises_naming(DataError, "attn_implementation", "model.trust_remote_code=true"):
        check_first_model(config)
    (folder / "config.json").rename(folder / "adapter_config.json")
    with raises_naming(DataError, "adapter"):
        check_first_model(config)


@pytest.mark.parametrize("code", [None, "model.trust_remote_code=true"])
def test_code_in_a_folder_is_run_with_the_option_of_the_run_only(
    code: str | None, corpus: Corpus, tmp_path: Path
) -> None:
    folder = write(tmp_path / "model", corpus, "gpt2", "clm")
    settings = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps(settings | {"auto_map": own, "model_type": "own_gpt2"}))
    (folder / "own.py").write_text(
        "from transformers import GPT2Config, GPT2LMHeadModel\n\n\n"
        "class OwnConfig(GPT2Config):\n    model_type = 'own_gpt2'\n\n\n"
        "class OwnModel(GPT2LMHeadModel):\n    config_class = OwnConfig\n"
    )
    config = start(folder, "clm", tmp_path)
    config.model.trust_remote_code = code is not None
    read = prepare(config.data, config.tokenizer)
    if code is None:
        with raises_naming(DataError, "model.trust_remote_code=true"):
            make_first_model(config, read)
    else:
        assert type(make_first_model(config, read)).__name__ == "OwnModel"


@pytest.mark.parametrize("name", ["./missing", "a/b/c"])
def test_a_folder_that_is_not_there_is_refused_by_the_option_that_names_it(name: str) -> None:
    with raises_naming(ConfigError, "model.init", name, "does not exist"):
        compose(["model=hf", f"model.init={name}", "training.objective=clm"])
