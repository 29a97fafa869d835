"""What a run finds in its process, it leaves as it was."""

import logging
import os

import pytest
import torch
from transformers.utils.logging import get_verbosity

from sleep_tune.training.process_environment import hidden_launcher, quiet_libraries, using_threads
from sleep_tune.training.process_group import ProcessGroup


@pytest.mark.parametrize("size", [1, 2])
def test_a_launchers_variables_are_hidden_from_a_process_alone(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    with hidden_launcher(ProcessGroup(0, size)):
        assert ("LOCAL_RANK" in os.environ) == (size > 1)
    assert os.environ["LOCAL_RANK"] == "0"


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with using_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with using_threads(None):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


def test_transformers_is_quiet_for_the_while() -> None:
    before = get_verbosity()
    with pytest.raises(KeyError), quiet_libraries():
        assert get_verbosity() == logging.ERROR
        raise KeyError
    assert get_verbosity() == before
