"""An architecture from a config.json: read once, into the run's own options."""

import json
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.load import compose
from sleep_tune.config.model_file import with_file
from sleep_tune.errors import ConfigError
from tests.messages import missing


def write(folder: Path, **content: Any) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(content))
    return file


def test_its_content_becomes_options_and_what_the_text_decides_is_left_out(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        model_type="bert",
        architectures=["BertForMaskedLM"],
        hidden_size=64,
        num_hidden_layers=3,
        vocab_size=30_000,
        pad_token_id=0,
        transformers_version="4.0.0",
        _name_or_path="a",
        rope={"theta": 1.0},
    )
    for given in (str(file), str(tmp_path)):
        model = compose(["model=hf", f"model.config={given}", "model.options={num_hidden_layers: 5}"]).model
        assert model.config == "bert"
        assert model.options == {"hidden_size": 64, "num_hidden_layers": 5, "rope": {"theta": 1.0}}


def test_a_model_type_stays(tmp_path: Path) -> None:
    assert compose(["model=hf", "model.config=opt"]).model.config == "opt"
    assert with_file({"config": None}) == {"config": None}


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (None, "model.config|config.json|no file"),
        ("{", "config.json|JSON object"),
        ("[1]", "config.json|JSON object|got [1]"),
        ("{}", "config.json|model_type|it has none"),
        ('{"model_type": 3}', "config.json|model_type|got 3"),
        ('{"model_type": "a/b"}', "config.json|model_type|got 'a/b'"),
        ('{"model_type": "x", "auto_map": {}}', "auto_map|model.init|model.trust_remote_code=true"),
        ('{"model_type": "bert", "a": NaN}', "model.options.a|finite"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str | None, facts: str) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError) as raised:
        compose(["model=hf", f"model.config={file}"])
    assert not missing(raised.value, facts)


def test_the_tokenizer_of_a_model_with_weights_is_its_own_unless_one_is_chosen() -> None:
    config = compose(["model=hf", "model.init=FOLDER"])
    assert (config.tokenizer.kind, config.tokenizer.name) == ("hub", "FOLDER")
    config = compose(["model=hf", "model.init=FOLDER", "tokenizer=hub", "tokenizer.name=OTHER"])
    assert config.tokenizer.name == "OTHER"
    with pytest.raises(ConfigError):
        compose(["model=hf", "model.init=FOLDER", "tokenizer=bpe"])


@pytest.mark.parametrize("size", ["model.layers=8", "model.tie_embeddings=true", "model.hidden=99"])
@pytest.mark.parametrize("described", ["model.config=opt", "model.init=FOLDER"])
def test_a_size_that_is_not_read_is_refused_also_if_it_is_the_default(size: str, described: str) -> None:
    with pytest.raises(ConfigError) as raised:
        compose(["model=hf", described, size, "training.objective=clm"])
    assert not missing(raised.value, size.partition("=")[0])
