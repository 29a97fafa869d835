"""An exponential moving average of a run's weights, which is evaluated and saved beside the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sleep_tune.training.checkpoint import unusable_checkpoint

__all__ = ["WeightAverage", "decay_at"]

FILE = "ema.safetensors"
"""File of a checkpoint with the averaged weights."""


def decay_at(updates: int, decay: float) -> float:
    """Return the share of the old average in the new one: min(decay, (1 + n) / (10 + n)) after n updates.

    It rises with the number of updates, so that the initial weights soon do not count, however short the run is. The
    rule is that of TensorFlow's ExponentialMovingAverage with `num_updates`.

    Args:
        updates: n, those so far, the last included, >= 1.
        decay: the largest share, in (0, 1).
    """
    return min(decay, (1 + updates) / (10 + updates))


class WeightAverage:
    """The averages of a model's parameters; buffers are not averaged. Each process of a group has the same ones."""

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        """Begin with the model's present weights.

        Args:
            model: on the device on which it is trained.
            decay: share of the old average in the new one after many updates, in (0, 1).
        """
        self._decay = decay
        self._weights = dict(model.named_parameters())  # tied ones once
        self._averages = {name: weights.detach().clone() for name, weights in self._weights.items()}

    def update(self, updates: int) -> None:
        """Take the weights after an update into the average.

        Args:
            updates: those of the run so far, this one included, >= 1.
        """
        average = get_ema_multi_avg_fn(decay_at(updates, self._decay))  # type: ignore[no-untyped-call]
        average(list(self._averages.values()), [weights.detach() for weights in self._weights.values()], updates)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Let the model have the averaged weights within the block; then it has its own again, bit for bit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def save(self, folder: Path) -> None:
        """Write the averages into the folder of a checkpoint."""
        save_file(self._averages, folder / FILE)

    def load(self, folder: Path) -> None:
        """Restore what `save` wrote.

        Raises:
            RunFolderError: the file does not hold the averages of this model.
        """
        try:
            saved = load_file(folder / FILE)
            if differing := saved.keys() ^ self._averages.keys():
                raise ValueError(f"{min(differing)} is only in one of the file and the model")
            for name, average in self._averages.items():
                if saved[name].shape != average.shape:
                    raise ValueError(f"{name} has shape {tuple(saved[name].shape)}, not {tuple(average.shape)}")
                average.copy_(saved[name])
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # safetensors has errors of its own
            raise unusable_checkpoint(folder, FILE, error) from error

    def _swap(self) -> None:
        """Exchange the storage of weights and averages; nothing is copied."""
        for name, weights in self._weights.items():
            weights.data, self._averages[name] = self._averages[name], weights.data
