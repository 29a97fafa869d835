"""Estimates of the size of a run's model and files, from its configuration alone.

Norms and biases are left out, and a trained vocabulary may be smaller than its limit.
"""

from sleep_tune.config.schema import RunConfig

__all__ = ["MOST_WORD_CHECKPOINTS", "checkpoint_bytes", "model_bytes", "needed_bytes", "num_weights"]

BYTES_PER_WEIGHT = 4
"""Of a saved model (32-bit)."""
BYTES_PER_TRAINED_WEIGHT = 12
"""Of a checkpoint: the weight and AdamW's two moments."""
STATES_BYTES = 32 * 2**20
"""Everything else that a run writes: the stream's state, metrics, the tokenizer."""
MOST_WORD_CHECKPOINTS = 19
"""Word checkpoints of a run that sees 100M words, as BabyLM's do."""


def num_weights(config: RunConfig) -> int:
    """Return about how many weights the model has."""
    model = config.model
    layer = 4 * model.hidden**2 + 2 * model.hidden * model.feed_forward
    embeddings = config.tokenizer.vocab_size + config.data.max_length
    return model.layers * layer + embeddings * model.hidden * (1 if model.tie_embeddings else 2)


def model_bytes(config: RunConfig) -> int:
    """Return the size of a model's folder, in bytes."""
    return BYTES_PER_WEIGHT * num_weights(config)


def checkpoint_bytes(config: RunConfig) -> int:
    """Return the size of one checkpoint to resume from, in bytes."""
    return BYTES_PER_TRAINED_WEIGHT * num_weights(config)


def needed_bytes(config: RunConfig) -> int:
    """Return about how many bytes a run takes on disk at most: its models and three checkpoints.

    Two checkpoints are kept until the next one is complete.
    """
    training = config.training
    checkpoints = 3 if training.checkpoint_ratio else 0
    models = int(training.save_model) + (MOST_WORD_CHECKPOINTS if training.word_checkpoints else 0)
    return checkpoints * checkpoint_bytes(config) + models * model_bytes(config) + STATES_BYTES
