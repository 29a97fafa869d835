"""Checks of error messages that leave their wording free."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["raises_naming"]


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
    missing = [part for part in map(str, parts) if part not in message]
    assert not missing, f"{message!r} does not name {missing}"
