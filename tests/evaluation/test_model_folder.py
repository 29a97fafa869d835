import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import choose_backend
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from tests.evaluation import official_data


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "masked"
    official_data.write_model(folder, "masked")
    return folder


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "causal"
    official_data.write_model(folder, "causal")
    return folder


def test_the_back_end_follows_the_architecture_unless_given(masked: Path, causal: Path) -> None:
    assert choose_backend(masked) == "mlm"
    assert choose_backend(causal) == "causal"
    assert choose_backend(masked, "mntp") == "mntp"


def test_for_another_architecture_a_back_end_must_be_given(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["T5ForConditionalGeneration"]}))
    with pytest.raises(DataError, match=r"\['T5ForConditionalGeneration'\].*--backend mlm,"):
        choose_backend(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path, masked: Path) -> None:
    with pytest.raises(DataError, match=r"config\.json; it has none$"):
        choose_backend(tmp_path)
    (tmp_path / "model").symlink_to(masked)
    (tmp_path / "checkpoint-10").symlink_to(masked)
    with pytest.raises(DataError, match=rf"did you mean {tmp_path / 'checkpoint-10'} or {tmp_path / 'model'}\?"):
        load_model(tmp_path, "mlm")


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere .*no such folder.*hf download"):
        choose_backend(tmp_path / "nowhere")


def test_a_masked_model_is_not_scored_as_a_causal_one(masked: Path) -> None:
    """Transformers opens it without a warning, and it sees the token that it has to predict."""
    with pytest.raises(DataError, match=r"--backend causal; it holds a masked one.*--backend mlm"):
        load_model(masked, "causal")


def test_of_a_library_s_message_one_line_is_kept(causal: Path) -> None:
    with pytest.raises(DataError, match=r"\(--backend mlm\): Unrecognized configuration class") as refused:
        load_model(causal, "mlm")
    assert "\n" not in str(refused.value)


def test_a_broken_config_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json .*JSON object"):
        choose_backend(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path, masked: Path) -> None:
    (tmp_path / "config.json").write_bytes((masked / "config.json").read_bytes())
    expected = r"model\.safetensors or pytorch_model\.bin; it has"
    with pytest.raises(DataError, match=f"{expected} no weights"):
        load_model(tmp_path, "mlm")
    for name in ("model.pt", "last.ckpt"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=rf"{expected} only last\.ckpt, model\.pt: .*save_pretrained"):
        load_model(tmp_path, "mlm")
    with pytest.raises(DataError, match=f"model.pt .*is a file: give {tmp_path}$"):
        load_model(tmp_path / "model.pt", "mlm")


def test_a_tokenizer_without_a_mask_is_refused_if_one_is_needed(causal: Path, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((causal / name).read_bytes())
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del settings["mask_token"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert load_fast_tokenizer(tmp_path, "causal").mask_token_id is None
    with pytest.raises(DataError, match=r"mask_token for --backend mlm; .* bos_token <s>"):
        load_fast_tokenizer(tmp_path, "mlm")


def test_a_tokenizer_of_another_model_is_refused(masked: Path) -> None:
    small = official_data.masked_model(100)
    last = len(AutoTokenizer.from_pretrained(masked)) - 1
    with pytest.raises(DataError, match=rf"100 rows \(ids 0 to 99\).*id {last}"):
        load_fast_tokenizer(masked, "mlm", small)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path, masked: Path) -> None:
    (tmp_path / "config.json").write_bytes((masked / "config.json").read_bytes())
    with pytest.raises(DataError, match=r"none of tokenizer\.json"):
        load_fast_tokenizer(tmp_path, "mlm")


CUSTOM = """
from transformers import BertConfig, BertForMaskedLM

class OwnConfig(BertConfig):
    model_type = "own_bert"

class OwnForMaskedLM(BertForMaskedLM):
    config_class = OwnConfig
"""


def test_a_folders_own_code_is_run_only_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in BabyLM's GPT-BERT baselines, which have code of their own."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    model = BertForMaskedLM(BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    folder = tmp_path / "own"
    model.save_pretrained(folder)
    (folder / "own_code.py").write_text(CUSTOM)
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "own_bert"}
    config["auto_map"] = {"AutoConfig": "own_code.OwnConfig", "AutoModelForMaskedLM": "own_code.OwnForMaskedLM"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="--trust-remote-code runs it"):
        load_model(folder, "mlm")
    assert type(load_model(folder, "mlm", trust_remote_code=True)).__name__ == "OwnForMaskedLM"
