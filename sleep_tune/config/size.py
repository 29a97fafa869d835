"""Sizes of a run by its configuration: its budget of words, and estimates of its model and files.

In the estimates norms and biases are left out, and a trained vocabulary may be smaller than its limit.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.sleep_rules import require_second_scores
from sleep_tune.files import expanded, read_safetensors_header
from sleep_tune.sleep.budget import SleepPlan, plan_budget

__all__ = [
    "DEBERTA_BUCKETS",
    "checkpoint_bytes",
    "model_bytes",
    "models_bytes",
    "needed_bytes",
    "num_weights",
    "plan_words",
]

BYTES_PER_WEIGHT = 4
"""Of a saved model, and of each moment of an optimizer (32-bit)."""
STATES_BYTES = 32 * 2**20
"""Everything else that a run writes: the stream's state, metrics, the tokenizer."""
MOST_WORD_CHECKPOINTS = 19
"""Word checkpoints of a run that sees 100M words, as BabyLM's do."""

MATRICES = {"deberta_v2": 2, "gpt2": 2, "llama": 3, "modernbert": 3, "roberta": 2, "roberta_prelayernorm": 2}
"""Architecture -> matrices in a feed-forward layer; a gated one has three."""
OPTIONS = (
    ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    ("hidden_size", "n_embd", "d_model", "dim"),
    ("intermediate_size", "n_inner", "ffn_dim", "d_inner", "hidden_dim"),
)
"""Options of transformers (model.options) for layers, hidden width and feed-forward width."""
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
"""Files of a folder's weights; those of the first pattern that are there are read."""
DEBERTA_BUCKETS = 256
"""Distances on either side for which DeBERTa has weights, at most, as in its version 3."""


def plan_words(config: RunConfig, *, corpus_words: int, num_samples: int, processes: int) -> SleepPlan:
    """Return how a run spends its budget of words.

    Args:
        config: the run's configuration.
        corpus_words: words of a pass, >= 1.
        num_samples: samples of the corpus, >= 1.
        processes: that share each update's batches, >= 1.

    Raises:
        BudgetError: the budget cannot hold the settings of sleep.
    """
    sleep, length = config.sleep, config.sleep.length
    is_matched = sleep.matched is not None
    plan = plan_budget(
        corpus_words=corpus_words,
        num_samples=num_samples,
        batch_size=config.training.batch_size * processes,
        folds=1 if is_matched else sleep.folds,
        budget_passes=config.budget.passes,
        budget_words=config.budget.words,
        length_passes=None if is_matched else length.passes,
        length_ratio=0 if is_matched else length.ratio,
        length_repeats=None if is_matched else length.repeats,
        replay_ratio=sleep.replay.ratio,
        replay_scope=sleep.replay.scope,
        interleave=sleep.interleave and not is_matched,
        max_exposures=None if is_matched else sleep.replay.max_exposures,
    )
    if plan.passes is not None:
        require_second_scores(config, plan.passes)
    return replace(plan, matched=is_matched)


def num_weights(config: RunConfig) -> int:
    """Return about how many weights the model has; 0 if that is not known.

    It is known of a folder with weights (model.init), and of an architecture of transformers (model.config) if the
    options give its layers and hidden width. It is not known of code of the user.
    """
    model, length = config.model, config.data.max_length
    if model.init is not None:
        return sum(_weights_in_files(expanded(model.init)))
    if model.config is not None:
        return _num_weights_of_options(config)
    if model.kind not in MATRICES:
        return 0
    positions = {"deberta_v2": 2 * min(length, DEBERTA_BUCKETS), "llama": 0, "modernbert": 0}.get(model.kind, length)
    vocabulary = config.tokenizer.vocab_size * (1 if model.tie_embeddings else 2)
    return _num_trunk_weights(config) + (vocabulary + positions) * model.hidden


def model_bytes(config: RunConfig) -> int:
    """Return the size of a model's folder, in bytes."""
    return BYTES_PER_WEIGHT * num_weights(config)


def models_bytes(config: RunConfig) -> int:
    """Return the size of all models of a run that has ended, in bytes: the last, its average, word checkpoints."""
    training = config.training
    saved = 0 if not training.save_model else 1 if training.ema is None else 2
    return (saved + (MOST_WORD_CHECKPOINTS if training.word_checkpoints else 0)) * model_bytes(config)


def checkpoint_bytes(config: RunConfig) -> int:
    """Return the size of one checkpoint to resume from, in bytes.

    It holds the weights, their average if there is one, and AdamW's two moments of each; Muon has one moment of each
    weight in the trunk.
    """
    copies = (3 if config.training.ema is None else 4) * num_weights(config)
    if config.training.optimizer == "muon":
        copies -= _num_trunk_weights(config)
    return BYTES_PER_WEIGHT * copies


def needed_bytes(config: RunConfig) -> int:
    """Return about how many bytes a run takes on disk at most: its models and three checkpoints.

    Two checkpoints are kept until the next one is complete.
    """
    checkpoints = 3 if config.training.checkpoint_ratio else 0
    return checkpoints * checkpoint_bytes(config) + models_bytes(config) + STATES_BYTES


def _num_trunk_weights(config: RunConfig) -> int:
    """Return how many weights the matrices of the trunk have; 0 where `num_weights` is 0."""
    model = config.model
    if model.kind not in MATRICES:
        return 0
    return model.layers * (4 * model.hidden**2 + MATRICES[model.kind] * model.hidden * model.feed_forward)


def _num_weights_of_options(config: RunConfig) -> int:
    """Return about how many weights an architecture of transformers has, with a tied head; 0 if that is not known."""
    given = config.model.options
    layers, hidden, feed_forward = (
        next((given[name] for name in names if isinstance(given.get(name), int)), 0) for names in OPTIONS
    )
    if layers <= 0 or hidden <= 0:
        return 0
    return layers * (4 * hidden**2 + 2 * hidden * (feed_forward or 4 * hidden)) + config.tokenizer.vocab_size * hidden


def _weights_in_files(folder: Path) -> Iterator[int]:
    """Yield how many weights each file of a model's folder holds; none for a folder that is not there."""
    files = next((found for pattern in WEIGHTS if (found := sorted(folder.glob(pattern)))), [])
    for path in files:
        if path.suffix == ".bin":
            yield path.stat().st_size // BYTES_PER_WEIGHT
            continue
        try:
            yield sum(math.prod(about["shape"]) for about in read_safetensors_header(path).values())
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            yield 0  # damaged: it is refused when the model is opened
