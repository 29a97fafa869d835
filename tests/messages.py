"""Checks of error messages that leave their wording free."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["missing", "raises_naming"]


def missing(message: object, facts: str) -> list[str]:
    """Return those of `facts` (separated by '|') that a message, of one line or several, does not hold."""
    return [fact for fact in facts.split("|") if fact not in str(message)]


@contextmanager
def raises_naming(kind: type[Exception], *parts: object) -> Iterator[None]:
    """Expect an error of `kind` with a message of one line that holds all `parts`: keys, files, numbers, choices.

    >>> with raises_naming(ConfigError, "training.lr", "training.learning_rate"):
    ...     compose(["training.lr=1"])
    """
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message, message
    absent = [part for part in map(str, parts) if part not in message]
    assert not absent, f"{message!r} does not name {absent}"
