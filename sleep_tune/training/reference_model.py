"""The reference model of a run that replays by excess loss: the loss less that of a model that does not change."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from sleep_tune.config.schema import RunConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import ConfigError, DataError
from sleep_tune.evaluation.library_errors import one_sentence
from sleep_tune.evaluation.model_config import MASKED, OBJECTIVE, read_architectures, read_model_config
from sleep_tune.evaluation.model_folder import open_model
from sleep_tune.evaluation.positions import readable_positions
from sleep_tune.files import expanded
from sleep_tune.models.architectures import ARCHITECTURES, mask_maker
from sleep_tune.models.trial_row import skip_padding_check
from sleep_tune.training.batch_feed import PreparedBatch
from sleep_tune.training.flops import FORWARD, count_flops

__all__ = ["ReferenceModel", "open_reference"]

KEY = "sleep.replay.reference"
TOKENIZER = "tokenizer.json"
"""File of a fast tokenizer."""

logger = logging.getLogger(__name__)


class ReferenceModel:
    """A model that reads the batches whose losses become scores, with the same masks, and learns nothing.

    Attributes:
        model: in evaluation mode, without gradients; `sparse_forward` must be active on it while it reads.
        num_tokens: tokens that it has read, padding included, over all processes.
        num_predicted: positions that it has predicted, over all processes.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        """Begin without batches."""
        self.model = model.requires_grad_(False).train(False)
        self.num_tokens = 0
        self.num_predicted = 0

    def losses(self, prepared: PreparedBatch) -> torch.Tensor:
        """Return the loss at each predicted position of a batch, (M,) in nats, on the device."""
        self.num_tokens += prepared.batch.input_ids.size
        self.num_predicted += prepared.num_predicted
        with torch.no_grad():
            _, losses_M = self.model(
                input_ids=prepared.input_ids,
                attention_mask=prepared.attention_mask,
                positions=prepared.positions,
                labels=prepared.labels,
            )
        found: torch.Tensor = losses_M
        return found

    def flops(self, length: int) -> float:
        """Return the floating-point operations of all its forward passes, over rows of `length` tokens."""
        return count_flops(
            self.model, tokens=self.num_tokens, predicted=self.num_predicted, length=length, passes=FORWARD
        )

    def state_dict(self) -> list[int]:
        """Return what `load_state_dict` needs."""
        return [self.num_tokens, self.num_predicted]

    def load_state_dict(self, state: Sequence[int]) -> None:
        """Restore what `state_dict` returned."""
        self.num_tokens, self.num_predicted = state


def open_reference(config: RunConfig, corpus: Corpus, device: torch.device | str) -> ReferenceModel | None:
    """Return the model of sleep.replay.reference on the device, in float32; None without one.

    Raises:
        ConfigError: its attention masks are others than those of the run's model, or its rows are shorter.
        DataError: the folder holds no sound model, or one of another objective or tokenizer.
    """
    if config.sleep.replay.reference is None:
        return None
    try:
        return _open(expanded(config.sleep.replay.reference), config, corpus, device)
    except DataError as error:  # of a folder's files, whichever option names it
        raise error if KEY in str(error) else DataError(f"{KEY}: {error}") from None


def _open(folder: Path, config: RunConfig, corpus: Corpus, device: torch.device | str) -> ReferenceModel:
    """Return the model of a folder; see `open_reference`."""
    objective = config.training.objective
    stated = read_model_config(folder)
    is_masked = any(name.endswith(MASKED) for name in read_architectures(folder, stated))
    theirs = stated.get(OBJECTIVE) or ("mlm" if is_masked else "clm")
    if theirs != objective:
        raise DataError(f"{KEY} must be a model of training.objective={objective}; {folder} holds one of {theirs}")
    kind = str(stated.get("model_type")).replace("-", "_")
    # A model that is always causal gets no masks.
    if objective != "clm" and mask_maker(kind if kind in ARCHITECTURES else "hf") is not mask_maker(config.model.kind):
        raise ConfigError(
            f"{KEY} must be a model that reads the attention masks of model.kind={config.model.kind}; {folder} holds "
            f"one of type {stated.get('model_type')}"
        )
    _require_tokenizer(folder / TOKENIZER, corpus.tokenizer_dir / TOKENIZER)
    opener = "AutoModelForCausalLM" if objective == "clm" else "AutoModelForMaskedLM"
    model = open_model(
        folder,
        opener,
        f" ({KEY}, training.objective={objective})",
        trust="no option of a run",
        note=lambda text: logger.warning("warning: %s", text),
    )
    embedding: Any = model.get_input_embeddings()
    rows, held = len(embedding.weight), readable_positions(model)
    if rows < corpus.train.vocab_size:
        raise DataError(f"{KEY} must have an embedding of {corpus.train.vocab_size:,} rows; {folder} has {rows:,}")
    if held is not None and held < corpus.train.max_length:
        raise ConfigError(f"data.max_length must be at most {held} with {KEY}={folder}; got {corpus.train.max_length}")
    model.config.training_objective = objective
    skip_padding_check(model)
    return ReferenceModel(model.to(device))  # type: ignore[arg-type]


def _require_tokenizer(theirs: Path, ours: Path) -> None:
    """Refuse a tokenizer in which a token has another id than in the run's, or none.

    Raises:
        DataError: it is another one, or there is none.
    """
    if not theirs.is_file():
        raise DataError(f"{KEY} must hold the tokenizer of the run ({TOKENIZER}); {theirs.parent} has none")
    with one_sentence(theirs.parent, "a fast tokenizer"):
        there = Tokenizer.from_file(str(theirs)).get_vocab()
    here = Tokenizer.from_file(str(ours)).get_vocab()
    wrong = [token for token, number in here.items() if there.get(token) != number]
    if wrong or len(there) != len(here):
        raise DataError(
            f"{KEY} must be trained with the run's tokenizer, of {len(here):,} tokens; that in {theirs.parent} has "
            f"{len(there):,}, and {len(wrong):,} of the run's have another id there or none: train with tokenizer=hub "
            f"tokenizer.name={theirs.parent}"
        )
