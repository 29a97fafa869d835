"""The model that a run begins with: new, or from the weights of a folder (`model.init`)."""

import logging
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import CONFIG_MAPPING, PreTrainedModel

from sleep_tune.config.schema import RunConfig
from sleep_tune.data.cache import cache_folder
from sleep_tune.data.model_files import find_model_folder
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import ConfigError, DataError
from sleep_tune.evaluation.library_errors import one_sentence
from sleep_tune.evaluation.model_config import MASKED, read_architectures, read_model_config, require_safe_config
from sleep_tune.evaluation.model_folder import open_model
from sleep_tune.evaluation.positions import readable_positions
from sleep_tune.evaluation.weight_files import require_one_set
from sleep_tune.models.any_architecture import find_class
from sleep_tune.models.build import build_model, check_architecture, draw_weights
from sleep_tune.models.text_format import TextFormat
from sleep_tune.models.trial_row import skip_padding_check, try_row
from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["check_first_model", "make_first_model"]

logger = logging.getLogger(__name__)

TRUST = "model.trust_remote_code=true"
"""What lets a run use the Python files of a folder, for messages."""
TOKENIZER = "tokenizer.json"
"""File of a fast tokenizer."""
MOST_ADDED = 4
"""Special tokens that a tokenizer may get when it is read: one for each role."""


def make_first_model(config: RunConfig, corpus: Corpus) -> PreTrainedModel:
    """Return the model that a run begins with, on the CPU in float32 and training mode.

    Raises:
        ConfigError: an architecture that cannot be built, or does not fit the text or the objective.
        DataError: model.init is no sound model for the objective, or does not fit the tokenizer.
    """
    if config.model.init is not None:
        return _open(config, corpus)
    return build_model(
        config.model,
        objective=config.training.objective,
        vocab_size=corpus.train.vocab_size,
        max_length=corpus.train.max_length,
        special=corpus.train.special,
        seed=config.training.seed,
    )


def check_first_model(config: RunConfig) -> None:
    """Check what can be checked of the first model before the text is read.

    Of a folder these are its configuration and the names of its files; of an architecture, its options.

    Raises:
        ConfigError: an architecture that cannot be built, or not for the objective.
        DataError: model.init is no folder of a model for the objective.
    """
    if config.model.init is not None:
        _find(config)
    elif config.model.kind == "hf":
        check_architecture(
            config.model,
            objective=config.training.objective,
            vocab_size=config.tokenizer.vocab_size,
            max_length=config.data.max_length,
            special=SpecialTokens(start=0, separator=1, pad=2, mask=3),  # the text decides, but no check depends on it
        )


def _find(config: RunConfig) -> Path:
    """Return the folder of the weights, which holds a model for the objective.

    Raises:
        DataError: it does not.
    """
    assert config.model.init is not None
    folder = find_model_folder(config.model.init, cache_folder(config.data.cache_dir))
    stated = read_model_config(folder)
    architectures = read_architectures(folder, stated)
    is_causal = config.training.objective == "clm"
    if is_causal and architectures and all(name.endswith(MASKED) for name in architectures):
        raise DataError(
            f"model.init must be a model that reads from left to right for training.objective=clm; {folder} holds a "
            f"masked one ({', '.join(architectures)}): use training.objective=mlm"
        )
    kind = stated.get("model_type")
    if isinstance(kind, str) and kind in CONFIG_MAPPING and "auto_map" not in stated:
        find_class(CONFIG_MAPPING[kind], config.training.objective, f"model.init={config.model.init}")
    require_safe_config(folder, stated, trust_remote_code=config.model.trust_remote_code, trust=TRUST)
    if not stated.get("transformers_weights"):
        require_one_set(folder)
    return folder


def _open(config: RunConfig, corpus: Corpus) -> PreTrainedModel:
    """Return the model of a folder, with the checks of an evaluation, made to fit the tokenizer's special tokens."""
    folder, objective = _find(config), config.training.objective
    opener = "AutoModelForCausalLM" if objective == "clm" else "AutoModelForMaskedLM"
    model = open_model(
        folder,
        opener,
        f" (training.objective={objective})",
        trust_remote_code=config.model.trust_remote_code,
        trust=TRUST,
        note=lambda text: logger.warning("warning: %s", text),
    )
    _require_own_tokenizer(folder, config, corpus)
    _fit_vocabulary(model, config, corpus)
    held = readable_positions(model)
    if held is not None and held < corpus.train.max_length:
        raise ConfigError(
            f"data.max_length must be at most {held} with model.init={config.model.init}, which has learnt no further "
            f"positions; got {corpus.train.max_length}"
        )
    model.config.training_objective = objective
    skip_padding_check(model)
    try_row(model, objective, corpus.train.max_length)
    trained: PreTrainedModel = model.train()
    return trained


def _require_own_tokenizer(folder: Path, config: RunConfig, corpus: Corpus) -> None:
    """Refuse a tokenizer of another name in which a token of the model's own tokenizer has another id or none.

    Raises:
        DataError: it is another tokenizer, although its vocabulary may have the size of the model's.
    """
    own = folder / TOKENIZER
    if config.tokenizer.name == config.model.init or not own.is_file():
        return
    with one_sentence(folder, "a fast tokenizer"):
        theirs = Tokenizer.from_file(str(own)).get_vocab(with_added_tokens=False)
    ours = Tokenizer.from_file(str(corpus.tokenizer_dir / TOKENIZER)).get_vocab()
    wrong = [token for token, number in theirs.items() if ours.get(token) != number]
    if wrong:
        raise DataError(
            f"tokenizer.name must be the tokenizer of model.init={config.model.init}; {config.tokenizer.name} has "
            f"other ids for {len(wrong):,} of its {len(theirs):,} tokens: leave tokenizer.name out"
        )


def _fit_vocabulary(model: Any, config: RunConfig, corpus: Corpus) -> None:
    """Add rows for the special tokens that the tokenizer was given when it was read, and name their ids.

    Raises:
        DataError: the vocabulary or the padding token is not the model's.
    """
    special, wanted = corpus.train.special, corpus.train.vocab_size
    embedding = model.get_input_embeddings()
    rows = int(embedding.weight.shape[0])
    if wanted - rows > MOST_ADDED:
        raise DataError(
            f"tokenizer.name={config.tokenizer.name} must be the tokenizer of model.init={config.model.init}, whose "
            f"embedding has {rows:,} rows; it has {wanted:,} tokens"
        )
    if embedding.padding_idx is not None and embedding.padding_idx != special.pad:
        raise DataError(
            f"tokenizer.name={config.tokenizer.name} must pad with the token {embedding.padding_idx}, as "
            f"model.init={config.model.init} does; it pads with {special.pad}"
        )
    if wanted > rows:
        with draw_weights(config.training.seed):
            model.resize_token_embeddings(wanted, mean_resizing=False)
        logger.info("%s rows were added to the embedding of %s, for special tokens", wanted - rows, config.model.init)
    for name, value in TextFormat(wanted, corpus.train.max_length, special).token_ids().items():
        setattr(model.config, name, value)
        if getattr(model, "generation_config", None) is not None:
            setattr(model.generation_config, name, value)
