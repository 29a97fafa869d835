import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertForMaskedLM

from sleep_tune.data.objectives import OBJECTIVES
from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import BACKENDS, OBJECTIVE_BACKENDS, choose_backends, variants
from sleep_tune.evaluation.logits import logits_at
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from sleep_tune.metric_names import VARIANTS
from tests.evaluation import official_data
from tests.messages import raises_naming


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
    assert choose_backends(masked) == ("mlm",)
    assert choose_backends(causal) == ("causal",)
    assert choose_backends(masked, "mntp") == ("mntp",)


@pytest.fixture
def hybrid(tmp_path: Path) -> Path:
    """A masked model whose configuration names its objective, as a run of this package saves it."""
    return official_data.write_hybrid(tmp_path / "hybrid")


@pytest.mark.parametrize(("objective", "backends"), OBJECTIVE_BACKENDS.items())
def test_the_back_ends_follow_the_objective_in_the_folder(
    objective: str, backends: tuple[str, ...], masked: Path, tmp_path: Path
) -> None:
    config = json.loads((masked / "config.json").read_text()) | {"training_objective": objective}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert choose_backends(tmp_path) == backends
    for backend in BACKENDS:
        if backend in backends:
            assert choose_backends(tmp_path, backend) == (backend,)
        else:
            with raises_naming(DataError, "config.json", objective, f"--backend {' or '.join(backends)}", backend):
                choose_backends(tmp_path, backend)


@pytest.mark.parametrize("objective", ["mlmm", 3, ["mlm"]])
def test_an_objective_that_is_not_known_is_refused_unless_a_back_end_is_given(
    objective: object, tmp_path: Path
) -> None:
    content = {"architectures": ["RobertaForMaskedLM"], "training_objective": objective}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with raises_naming(
        DataError, "config.json", "training_objective", "clm, hybrid, mlm", "--backend mlm, mntp, causal"
    ):
        choose_backends(tmp_path)
    assert choose_backends(tmp_path, "mntp") == ("mntp",)


def test_every_objective_has_a_back_end_that_predicts_as_it_was_trained() -> None:
    assert set(OBJECTIVE_BACKENDS) == set(OBJECTIVES)
    assert {variant for name in OBJECTIVES for variant in variants(name).values()} <= {"", *VARIANTS}
    for name, objective in OBJECTIVES.items():
        assert {BACKENDS[backend].shift for backend in OBJECTIVE_BACKENDS[name]} == {objective.shift}


def test_a_hybrid_folder_opens_as_both_models_with_the_logits_of_training(hybrid: Path) -> None:
    masked, causal = load_model(hybrid, "mntp"), load_model(hybrid, "causal")
    assert type(masked).__name__ == "RobertaPreLayerNormForMaskedLM"
    assert type(causal).__name__ == "RobertaPreLayerNormForCausalLM" and causal.config.is_decoder
    by_hand = AutoModelForCausalLM.from_pretrained(hybrid, is_decoder=True).train(False)
    texts = torch.tensor([[0, 50, 60, 70, 80, 90], [0, 50, 60, 70, 81, 91]])
    positions = torch.arange(texts.numel())
    with torch.no_grad():
        in_a_run = logits_at(masked, texts, None, positions, causal=True)
        for opened in (causal, by_hand):
            logits = opened(texts).logits
            torch.testing.assert_close(logits.flatten(0, 1), in_a_run, atol=1e-5, rtol=1e-5)
            assert torch.equal(logits[0, :4], logits[1, :4]), "no position sees a later one"
            assert not torch.equal(logits[0, 4:], logits[1, 4:])


def test_for_another_architecture_a_back_end_must_be_given(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["T5ForConditionalGeneration"]}))
    with pytest.raises(DataError, match=r"\['T5ForConditionalGeneration'\].*--backend mlm,"):
        choose_backends(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path, masked: Path) -> None:
    with pytest.raises(DataError, match=r"config\.json; it has none$"):
        choose_backends(tmp_path)
    (tmp_path / "model").symlink_to(masked)
    (tmp_path / "checkpoint-10").symlink_to(masked)
    with pytest.raises(DataError, match=rf"did you mean {tmp_path / 'checkpoint-10'} or {tmp_path / 'model'}\?"):
        load_model(tmp_path, "mlm")


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere .*no such folder.*hf download"):
        choose_backends(tmp_path / "nowhere")


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
        choose_backends(tmp_path)


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
