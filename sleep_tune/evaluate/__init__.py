"""The command that scores a model on BabyLM's tasks: `python -m sleep_tune.evaluate`."""

__all__: list[str] = []
