import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sleep_tune.config.schema import TokenizerConfig
from sleep_tune.data.tokenizer import TOKENIZERS, bpe_recipe, hub_recipe, load_tokenizer, train_bpe
from sleep_tune.errors import ConfigError, DataError
from sleep_tune.sleep.samples import SpecialTokens

SENTENCES = ["the dog sees a cat.", "the cats see the dogs.", "a b a b"]


def save_model(folder: Path, **special: str) -> None:
    """A tokenizer as somebody else may have left it in a folder."""
    folder.mkdir()
    train_bpe(SENTENCES, 300).save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def test_transformers_opens_the_trained_tokenizer(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    built = bpe_recipe(TokenizerConfig(vocab_size=400)).build(SENTENCES, tmp_path / "made")
    opened = AutoTokenizer.from_pretrained(tmp_path / "made")
    assert len(opened) == built.vocab_size <= 400
    assert built.special == SpecialTokens(start=0, separator=2, pad=1, mask=4)
    assert (opened.cls_token_id, opened.sep_token_id, opened.pad_token_id, opened.mask_token_id) == (0, 2, 1, 4)
    assert (opened.bos_token_id, opened.eos_token_id, opened.unk_token_id) == (0, 2, 3)
    assert opened.convert_ids_to_tokens(opened("a b")["input_ids"]) == ["<s>", "\u0120a", "\u0120b", "</s>"]
    assert set(opened("a b")) == {"input_ids", "attention_mask"}
    assert opened.decode(opened("a b")["input_ids"], skip_special_tokens=True) == "a b"
    assert len(opened("a <mask> b")["input_ids"]) == 5


def test_training_is_deterministic_over_processes() -> None:
    """Word counts live in a hash map with a random seed: ties must not be broken by its order."""
    script = (
        "import hashlib; from sleep_tune.data.toy.language import generate;"
        "from sleep_tune.data.tokenizer import train_bpe;"
        "text = [s for d in generate(300, 0.05, 0).train for s in d.sentences];"
        "print(hashlib.sha256(train_bpe(text, 400).to_str().encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "TOKENIZERS_PARALLELISM": parallel},
        ).stdout
        for seed, parallel in (("1", "true"), ("2", "false"))
    }
    assert len(digests) == 1


def test_a_vocabulary_without_room_for_bytes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.vocab_size must be at least 261 .* got 260"):
        TOKENIZERS["bpe"](TokenizerConfig(vocab_size=260))


def test_a_folder_is_loaded_and_known_by_its_content(tmp_path: Path) -> None:
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"}
    save_model(tmp_path / "one", **special)
    save_model(tmp_path / "two", **special)
    recipes = [hub_recipe(TokenizerConfig(kind="hub", name=str(tmp_path / name))) for name in ("one", "two")]
    assert recipes[0].identity == recipes[1].identity
    built = recipes[0].build(["other text"], tmp_path / "made")
    assert built.special == SpecialTokens(start=0, separator=2, pad=1, mask=4)
    assert built.tokenizer.to_str() == built.tokenizer.from_file(str(tmp_path / "made" / "tokenizer.json")).to_str()
    (tmp_path / "two" / "tokenizer_config.json").write_text("{}")
    assert hub_recipe(TokenizerConfig(kind="hub", name=str(tmp_path / "two"))).identity != recipes[0].identity


def test_a_tokenizer_that_cannot_mask_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "causal", bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    with pytest.raises(DataError, match=r"tokenizer\.name: '.*causal' must have a mask_token .* it has bos_token, eos"):
        load_tokenizer(str(tmp_path / "causal"), tmp_path / "made")


def test_a_name_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.name must be set for tokenizer=hub"):
        TOKENIZERS["hub"](TokenizerConfig(kind="hub"))


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"tokenizer\.name: .*empty"):
        load_tokenizer(str(tmp_path / "empty"), tmp_path / "made")
