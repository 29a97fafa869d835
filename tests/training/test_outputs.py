import os
from pathlib import Path

import pytest
from transformers import PreTrainedModel

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import DataError
from sleep_tune.models.build import build_model
from sleep_tune.sleep.samples import SpecialTokens
from sleep_tune.training.outputs import publish, write_model


def tiny_model() -> PreTrainedModel:
    sizes = ModelConfig(layers=1, hidden=8, heads=1, feed_forward=8)
    return build_model(sizes, vocab_size=8, max_length=8, special=SpecialTokens(0, 1, 2, 3), seed=0)


@pytest.mark.parametrize("mask", [0o002, 0o077])
def test_a_model_may_be_read_by_whom_the_umask_allows(tmp_path: Path, mask: int) -> None:
    """A file that safetensors makes is for its user alone."""
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("{}", encoding="utf-8")
    before = os.umask(mask)
    try:
        write_model(tmp_path / "model", tiny_model(), tmp_path / "tokenizer")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()} == {0o666 & ~mask}


def test_a_model_that_is_ready_to_be_moved_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("{}", encoding="utf-8")
    write_model(tmp_path / "model", tiny_model(), tmp_path / "tokenizer")
    assert {path.stat().st_ino for path in (tmp_path / "model", *(tmp_path / "model").iterdir())} <= set(synced)


def test_a_tokenizer_that_was_removed_meanwhile_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path / "key" / "tokenizer")):
        write_model(tmp_path / "model", tiny_model(), tmp_path / "key" / "tokenizer")


def test_a_link_where_a_model_goes_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    for name in ("made", "precious"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    (tmp_path / "model").symlink_to(tmp_path / "precious")
    publish(tmp_path / "made", tmp_path / "model")
    assert not (tmp_path / "model").is_symlink()
    assert (tmp_path / "model" / "made").is_file()
    assert (tmp_path / "precious" / "precious").is_file()
