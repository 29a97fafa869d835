"""Devices by name; the GPU of a Mac cannot be tried where there is none, so only what is decided before is tested."""

from pathlib import Path

import pytest
import torch

from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.errors import ConfigError
from sleep_tune.names import DEVICES
from sleep_tune.training import hardware
from sleep_tune.training.hardware import OTHERS, choose_device, find_device, training_arguments
from sleep_tune.training.process_group import ProcessGroup
from tests.messages import raises_naming


def find(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    monkeypatch.setattr(hardware, "OTHERS", {kind: lambda kind=kind: kind in kinds for kind in OTHERS})


def test_every_device_has_a_name() -> None:
    assert set(DEVICES) == {"auto", "cpu", *OTHERS}


@pytest.mark.parametrize(
    ("given", "found", "device"),
    [
        ("auto", (), "cpu"),
        ("auto", ("cuda", "mps"), "cuda"),
        ("auto", ("mps",), "cpu"),
        ("mps", ("mps",), "mps"),
        ("cpu", ("cuda",), "cpu"),
    ],
)
def test_a_device_that_is_there(
    given: str, found: tuple[str, ...], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find(monkeypatch, *found)
    assert find_device(given, "--device") == device


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    find(monkeypatch, "mps")
    with raises_naming(ConfigError, "training.device", "cpu, mps", "cuda"):
        choose_device(TrainingConfig(device="cuda"), ProcessGroup())


def test_one_process_trains_on_the_gpu_of_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    find(monkeypatch, "mps")
    assert choose_device(TrainingConfig(device="mps"), ProcessGroup()) == torch.device("mps")
    with raises_naming(ConfigError, "training.device=mps", "2"):
        choose_device(TrainingConfig(device="mps"), ProcessGroup(rank=1, size=2))


def test_a_mac_trains_in_fp32_unless_bf16_is_asked_for(tmp_path: Path) -> None:
    assert not training_arguments(RunConfig(), tmp_path, torch.device("mps"), max_updates=1).bf16
