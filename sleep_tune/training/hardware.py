"""Device and precision of a run, and transformers' training arguments."""

import os
from pathlib import Path

import torch
from transformers import TrainingArguments

from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.errors import ConfigError
from sleep_tune.training.process_group import ProcessGroup

__all__ = ["choose_device", "device_name", "training_arguments"]


def choose_device(training: TrainingConfig, processes: ProcessGroup) -> torch.device:
    """Return the configured device; with 'auto', a GPU if there is one: the first, or this process's own in a group.

    Raises:
        ConfigError: a GPU is configured, and torch finds none.
    """
    found = torch.cuda.is_available()
    if training.device == "cuda" and not found:
        raise ConfigError("training.device must be a device that torch finds; got 'cuda', and there is only 'cpu'")
    if training.device == "cpu" or not found:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) if processes.size > 1 else 0)


def device_name(device: torch.device) -> str:
    """Return torch's name of the device: 'cpu', 'NVIDIA H100 80GB HBM3'."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def training_arguments(config: RunConfig, folder: Path, device: torch.device, *, max_updates: int) -> TrainingArguments:
    """Return the Trainer's options; by itself it then logs, evaluates, saves and stops nothing.

    Args:
        config: the run's configuration.
        folder: receives the checkpoints.
        device: computes.
        max_updates: upper bound of the run's updates, >= 1.
    """
    training = config.training
    on_cpu = device.type == "cpu"
    half = {"auto": not on_cpu and torch.cuda.is_bf16_supported(including_emulation=False), "bf16": True, "fp32": False}
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=max_updates,
        per_device_train_batch_size=training.batch_size,
        max_grad_norm=training.max_grad_norm,
        bf16=half[training.precision],
        seed=training.seed % 2**32,
        use_cpu=on_cpu,
        ignore_data_skip=True,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        logging_nan_inf_filter=False,
        logging_strategy="no",
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    # A process trains on one GPU, even where it sees several: not transformers' DataParallel.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments
