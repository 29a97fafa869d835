"""What a user reads when a name is wrong, and how the error tree hangs together."""

import errno
import os

import pytest

from sleep_tune import errors
from sleep_tune.errors import DiskError, LimitError, listed, nearest, refusal, unknown


def test_an_unknown_name_lists_the_choices_and_the_nearest() -> None:
    message = unknown("sleep.replay.strategy", "strickt", ("random", "strict", "weighted"))
    assert message == (
        "unknown sleep.replay.strategy 'strickt'; did you mean 'strict'? Choose one of: random, strict, weighted"
    )


def test_a_name_like_no_other_gets_the_choices_alone() -> None:
    assert unknown("phase", "zzz", ("wake", "sleep")) == "unknown phase 'zzz'; choose one of: sleep, wake"
    assert nearest("zzz", ("wake", "sleep")) is None


@pytest.mark.parametrize(
    "name", ["ConfigError", "BudgetError", "DataError", "RunFolderError", "DiskError", "ClusterError"]
)
def test_a_users_mistake_is_a_value_error(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.UserError)
    assert issubclass(errors.UserError, ValueError)


@pytest.mark.parametrize("name", ["Diverged", "OutOfMemory"])
def test_a_failed_trial_is_not_the_users_mistake(name: str) -> None:
    failure = getattr(errors, name)
    assert issubclass(failure, errors.TrialFailure)
    assert not issubclass(failure, errors.UserError)


@pytest.mark.parametrize(("count", "text"), [(1, "a"), (3, "a; b; c"), (4, "a; b; c and 1 more")])
def test_names_beyond_the_most_are_counted(count: int, text: str) -> None:
    assert listed("abcd"[:count], 3, between="; ") == text


def test_a_full_disk_is_recognised_in_the_text_of_a_library_too() -> None:
    """Libraries written in Rust (safetensors, tokenizers) raise errors of their own that repeat the system's text."""
    found = refusal(RuntimeError(f"I/O error: {os.strerror(errno.ENOSPC)} (os error 28)"), "model.safetensors")
    assert isinstance(found, DiskError) and "model.safetensors" in str(found)
    assert isinstance(refusal(OSError(errno.EMFILE, "x"), "a"), LimitError)
    assert refusal(RuntimeError("I/O error"), "a") is None
    assert refusal(OSError(errno.EACCES, "x"), "a") is None
