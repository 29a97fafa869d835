"""Safe restoring of transformers' part of a checkpoint: no file can run code, and each is used as a whole or refused.

Weights are read by safetensors, the states of optimizer and scheduler by torch.load with weights_only, the rest as
JSON. rng_state.pth is not read, since no draw of a run comes from a global generator; nor is training_args.bin.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import Trainer, TrainerState

from sleep_tune.errors import UserError
from sleep_tune.training.checkpoint import unusable_checkpoint
from sleep_tune.training.failures import CPU_ALLOCATOR
from sleep_tune.training.optimizers import moment_names

__all__ = ["RestoringTrainer"]

WEIGHTS, STATE = "model.safetensors", "trainer_state.json"


class RestoringTrainer(Trainer):
    """A Trainer that refuses a checkpoint unless it can use all of it."""

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        """Load the weights, once the files that transformers reads next were found to be valid.

        Args:
            resume_from_checkpoint: the checkpoint's folder.
            model: this Trainer's unless given.
        """
        folder = Path(resume_from_checkpoint)
        with _usable(folder, STATE):
            _check_state(folder)
        with _usable(folder, WEIGHTS):
            trained = model or self.model
            assert trained is not None, "a run's Trainer is given its model"
            _check_weights(folder / WEIGHTS, trained)
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Load both states, if there is a checkpoint."""
        if checkpoint is not None:
            with _usable(Path(checkpoint), "the state of the optimizer or of the scheduler"):
                assert self.optimizer is not None, "transformers makes the optimizer before it loads its state"
                moments = [moment_names(group) for group in self.optimizer.param_groups]
                super()._load_optimizer_and_scheduler(checkpoint)
                _check_moments(self.optimizer, moments)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Do nothing: a run draws nothing from global generators."""


@contextmanager
def _usable(folder: Path, what: str) -> Iterator[None]:
    """Turn an error of a library that reads a checkpoint's file into RunFolderError."""
    try:
        yield
    except (UserError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if CPU_ALLOCATOR in str(error):
            raise
        raise unusable_checkpoint(folder, what, error) from error


def _check_state(folder: Path) -> None:
    """Raise unless trainer_state.json has valid types and the number of updates in the checkpoint's name."""
    values = json.loads((folder / STATE).read_bytes())
    fresh = vars(TrainerState())
    for name, value in values.items():
        kinds = (int, float) if fresh[name] is None or isinstance(fresh[name], int) else (list, dict)
        if not isinstance(value, (*kinds, type(fresh[name]))):
            raise TypeError(f"{name} is {value!r}")
    updates = TrainerState(**values).global_step
    if f"checkpoint-{updates}" != folder.name:
        raise ValueError(f"global_step is {updates}")


def _check_weights(file: Path, model: torch.nn.Module) -> None:
    """Raise unless the file holds exactly the weights of the model; of tied weights, one is enough."""
    with safe_open(file, "pt") as content:
        there = set(content.keys())
    ours = model.state_dict()
    held = {tensor.data_ptr() for name, tensor in ours.items() if name in there}
    missing = sorted(name for name, tensor in ours.items() if name not in there and tensor.data_ptr() not in held)
    if missing or there - ours.keys():
        raise ValueError(f"it holds no {missing[0]}" if missing else f"it holds {min(there - ours.keys())}")


def _check_moments(optimizer: Any, moments: Sequence[tuple[str, ...]]) -> None:
    """Raise unless the optimizer has moments, of the shapes of their weights.

    Args:
        optimizer: whose state was loaded.
        moments: names of each group's, before that.
    """
    if not any(optimizer.state.values()):
        raise ValueError("it holds no moments")
    for group, names in zip(optimizer.param_groups, moments, strict=True):
        for weights in group["params"]:
            state = optimizer.state.get(weights)  # none for weights that no loss depends on
            for name in names if state is not None else ():
                if name not in state or state[name].shape != weights.shape:
                    held = f"of shape {tuple(state[name].shape)}" if name in state else "missing"
                    raise ValueError(f"{name} is {held}; its weights have shape {tuple(weights.shape)}")
