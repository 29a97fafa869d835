"""Training of one run: a transformers Trainer on the sleep stream's batches, with checkpoints, rungs and trackers.

Use `sleep_tune.training.run.train`. Works without ray, optuna, hydra and datasets installed.
"""

__all__: list[str] = []
