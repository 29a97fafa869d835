"""Models of many architectures: they are opened as they were saved, and score as one text at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import PreTrainedModel

from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import BACKENDS
from sleep_tune.evaluation.cloze import Cloze, Probes
from sleep_tune.evaluation.fine_tuning import PADDING, open_classifier
from sleep_tune.evaluation.logits import first_token_sees_others
from sleep_tune.evaluation.model_folder import load_model, open_model
from sleep_tune.evaluation.weight_names import TRUNK
from tests.evaluation.tiny import tiny_tokenizer

PAD, MASK = 0, 3
BASE: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 48,
    "pad_token_id": PAD,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA = BASE | {"num_key_value_heads": 2}
GPT2 = {"vocab_size": 60, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 48}
XLM = {"vocab_size": 60, "emb_dim": 16, "n_layers": 2, "n_heads": 2}
DEBERTA = BASE | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False}
BOTTLENECK = {"embedding_size": 8, "intra_bottleneck_size": 8, "true_hidden_size": 8}

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("mlm", "BertConfig", BASE),
    "roberta": ("mlm", "RobertaConfig", BASE),
    "albert": ("mlm", "AlbertConfig", BASE | {"embedding_size": 8}),
    "electra": ("mlm", "ElectraConfig", BASE | {"embedding_size": 8}),
    "deberta": ("mlm", "DebertaConfig", DEBERTA),
    "deberta-v2": ("mlm", "DebertaV2Config", DEBERTA | {"share_att_key": True, "position_buckets": 8}),
    "modernbert": ("mlm", "ModernBertConfig", BASE | {"cls_token_id": 1, "sep_token_id": 2}),
    "distilbert": ("mlm", "DistilBertConfig", {"vocab_size": 60, "dim": 16, "n_layers": 2, "n_heads": 2}),
    "mpnet": ("mlm", "MPNetConfig", BASE),
    "roformer": ("mlm", "RoFormerConfig", BASE),
    "flaubert": ("mlm", "FlaubertConfig", XLM),
    "convbert": ("mlm", "ConvBertConfig", BASE | {"embedding_size": 16}),
    "mobilebert": ("mlm", "MobileBertConfig", BASE | BOTTLENECK),
    "fnet": ("mlm", "FNetConfig", BASE),
    "gpt2": ("causal", "GPT2Config", GPT2),
    "gpt2 untied": ("causal", "GPT2Config", GPT2 | {"tie_word_embeddings": False}),
    "llama": ("causal", "LlamaConfig", LLAMA),
    "llama tied": ("causal", "LlamaConfig", LLAMA | {"tie_word_embeddings": True}),
    "opt": ("causal", "OPTConfig", BASE | {"ffn_dim": 24, "word_embed_proj_dim": 8}),
    "gpt-neox": ("causal", "GPTNeoXConfig", BASE),
    "qwen3": ("causal", "Qwen3Config", LLAMA | {"head_dim": 8}),
    "gemma2": ("causal", "Gemma2Config", LLAMA | {"head_dim": 8}),
    "bloom": ("causal", "BloomConfig", {"vocab_size": 60, "hidden_size": 16, "n_layer": 2, "n_head": 2}),
    "mamba": ("causal", "MambaConfig", {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2}),
    "mixtral": ("causal", "MixtralConfig", LLAMA | {"num_local_experts": 2}),
    "bert decoder": ("causal", "BertConfig", BASE | {"is_decoder": True}),
}
"""Name -> back end, class of the configuration, and its options. Some let padding change the scores: fnet, convbert."""


def made(backend: str, config: str, options: dict[str, Any]) -> PreTrainedModel:
    """A model of which every weight, biases and norms too, is far from where it is initialised."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        opener = getattr(transformers, BACKENDS[backend].model_class)
        model: PreTrainedModel = opener.from_config(getattr(transformers, config)(**options))
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.2 * torch.randn_like(weight))
        model.train(False)
    return model


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ("XLNetConfig", {"vocab_size": 60, "d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 24}),
        ("BertConfig", BASE),
        ("XLMConfig", XLM | {"n_words": 60}),
    ],
)
def test_a_model_that_sees_the_token_to_predict_is_not_causal(
    config: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """Each opens as AutoModelForCausalLM, and would have scores near those of a perfect model."""
    made("causal", config, options).save_pretrained(tmp_path)
    with pytest.raises(DataError, match="left to right for --backend causal") as refused:
        load_model(tmp_path, "causal")
    assert ("is_decoder" in str(refused.value)) == (config == "BertConfig")


def test_a_mixture_of_experts_is_causal_whatever_the_rounding(tmp_path: Path) -> None:
    for name in ("mixtral", "mamba", "gpt2", "llama"):
        made(*MODELS[name]).save_pretrained(tmp_path / name)
        assert not first_token_sees_others(open_model(tmp_path / name, TRUNK).train(False), 20, 30)


@pytest.mark.parametrize(
    ("name", "said"), [("bert", False), ("llama", False), ("gpt2", False), ("fnet", True), ("convbert", True)]
)
def test_a_model_that_depends_on_padding_is_fine_tuned_with_a_warning(name: str, said: bool, tmp_path: Path) -> None:
    backend, config, options = MODELS[name]
    made(backend, config, options | {"vocab_size": 300}).save_pretrained(tmp_path)
    tiny_tokenizer(["the dog saw the cat"]).save_pretrained(tmp_path)
    notes: list[str] = []
    open_classifier(tmp_path, 2, note=notes.append)
    assert (PADDING in notes) == said


@pytest.mark.parametrize("name", MODELS)
def test_a_model_scores_as_it_did_before_it_was_saved_and_one_text_at_a_time(name: str, tmp_path: Path) -> None:
    backend, config, options = MODELS[name]
    model = made(backend, config, options)
    model.save_pretrained(tmp_path)
    texts = [np.arange(5, 5 + length, dtype=np.int32) for length in (16, 15, 14)]
    probes = Probes(*np.array([(n, t, t) for n, text in enumerate(texts) for t in range(1, len(text))]).T)
    masks, shift = BACKENDS[backend].masks, BACKENDS[backend].shift
    expected = []
    with torch.no_grad():
        for text, position in zip(probes.text, probes.position, strict=True):
            ids = torch.tensor(texts[text][None].astype(np.int64))
            target = int(ids[0, position])
            if masks:
                ids[0, position] = MASK
            output: Any = model(input_ids=ids, attention_mask=torch.ones_like(ids))
            expected.append(float(output[0][0, position - shift].log_softmax(dim=-1)[target]))
        trunk = getattr(model, model.base_model_prefix)(input_ids=ids)[0]
        assert torch.equal(open_model(tmp_path, TRUNK).train(False)(input_ids=ids)[0], trunk)
    cloze = Cloze(texts, probes, pad=PAD, mask=MASK if masks else None, batch_tokens=4096, shift=shift)
    scores = cloze.score(load_model(tmp_path, backend))
    assert np.ptp(scores) > 1
    np.testing.assert_allclose(scores, expected, atol=1e-4)
