"""Device and precision of a run, and transformers' training arguments."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import TrainingArguments

from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.errors import ConfigError
from sleep_tune.training.process_group import ProcessGroup

__all__ = ["choose_device", "device_name", "find_device", "training_arguments"]

OTHERS: dict[str, Callable[[], bool]] = {
    "cuda": torch.cuda.is_available,
    "mps": lambda: torch.backends.mps.is_available(),
}
"""Kind of device, beside cpu -> whether torch finds one."""


def choose_device(training: TrainingConfig, processes: ProcessGroup) -> torch.device:
    """Return the configured device; with 'auto', a GPU if there is one: the first, or this process's own in a group.

    The GPU of a Mac (mps) is taken only where it is asked for: it adds in another order than a CPU, and lacks float64.

    Raises:
        ConfigError: a device is configured that torch does not find, or mps for several processes.
    """
    kind = find_device(training.device, "training.device")
    if kind == "mps" and processes.size > 1:
        raise ConfigError(f"training.device=mps trains in one process; got resources.workers of {processes.size}")
    if kind != "cuda":
        return torch.device(kind)
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) if processes.size > 1 else 0)


def find_device(given: str, key: str) -> str:
    """Return the kind of device: cpu, cuda or mps.

    Args:
        given: one of these, or auto: cuda if there is such a GPU, else cpu.
        key: of the option, for messages.

    Raises:
        ConfigError: torch does not find it; the message names those that it finds.
    """
    found = ["cpu", *(kind for kind, is_here in OTHERS.items() if is_here())]
    if given == "auto":
        return "cuda" if "cuda" in found else "cpu"
    if given not in found:
        raise ConfigError(f"{key} must be a device that torch finds here ({', '.join(found)}); got {given}")
    return given


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
    supports_half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    half = {"auto": supports_half, "bf16": True, "fp32": False}
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
