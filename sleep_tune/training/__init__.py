"""One run: the sleep stream's batches, a transformers Trainer, checkpoints, rungs and the record of what was learned.

Callers use `sleep_tune.training.run.train`. Works without ray, optuna, hydra and datasets installed.
"""

__all__: list[str] = []
