"""The files of a shared model: what older releases need is added, and a folder appears as a whole."""

import json
from pathlib import Path

import pytest

from sleep_tune.errors import DataError
from sleep_tune.sharing import model_files
from sleep_tune.sharing.model_files import write_files
from tests.messages import raises_naming


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder as an earlier version wrote it."""
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"model_type": "llama", "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}
    before = {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(before))
    (folder / "tokenizer_config.json").write_text('{"padding_side": "left"}')
    return folder


def test_a_folder_of_an_earlier_version_gets_what_releases_4_need(model: Path) -> None:
    files = model_files.model_files(model, model)
    written = {name: json.loads(file) for name, file in files.items() if isinstance(file, bytes)}
    assert written["config.json"]["rope_theta"] == 5e5
    assert written["tokenizer_config.json"] == {"add_prefix_space": True, "padding_side": "left"}
    assert files["tokenizer.json"] == model / "tokenizer.json"


def test_a_folder_without_weights_or_with_a_link_outside_is_refused(model: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    (model / "vocab.txt").symlink_to(secret)
    with raises_naming(DataError, "vocab.txt", str(secret)):
        model_files.model_files(model, model)
    with raises_naming(DataError, str(tmp_path / "none"), "not ended"):
        model_files.model_files(tmp_path / "none", tmp_path)
    (tmp_path / "outcome.json").touch()
    with raises_naming(DataError, str(tmp_path / "none"), "not kept"):
        model_files.model_files(tmp_path / "none", tmp_path)


def test_a_folder_appears_as_a_whole_or_not_at_all(model: Path, tmp_path: Path) -> None:
    place = tmp_path / "out" / "shared"
    with pytest.raises(FileNotFoundError):
        write_files(place, {"a": b"1", "b": model / "missing"})
    assert not list(place.parent.iterdir())
    place.mkdir()
    write_files(place, {"a": b"1", "config.json": model / "config.json"})
    assert {path.name for path in place.iterdir()} == {"a", "config.json"}
    assert [path.name for path in place.parent.iterdir()] == ["shared"]
