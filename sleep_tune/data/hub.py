"""The Hugging Face Hub: which token to use, and what to tell a user whom it turns away. Nothing is imported early."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from sleep_tune.errors import DataError

__all__ = ["TOKEN_NAMES", "asking_hub", "hub_token"]

TOKEN_NAMES = ("HF_TOKEN", "HF_READ_TOKEN", "HF_WRITE_TOKEN")
"""Environment variables that may hold a token, first match wins."""


def hub_token(environment: Mapping[str, str] = os.environ) -> str | None:
    """The user's token, or None: public things need none, and a login made with `hf auth login` is used anyway."""
    return next((environment[name] for name in TOKEN_NAMES if environment.get(name)), None)


@contextmanager
def asking_hub(what: str, key: str) -> Iterator[None]:
    """Turn the Hub's refusals into one message.

    Args:
        what: what is asked for, as the message names it: "dataset 'owner/name'".
        key: the option that named it.

    Raises:
        DataError: access denied, no such thing, or the Hub cannot be reached; says which and what to do.
    """
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    given = next((name for name in TOKEN_NAMES if os.environ.get(name)), None)
    token = f"the token in {given} was used" if given else f"no token is set in {', '.join(TOKEN_NAMES)}"
    try:
        yield
    except RevisionNotFoundError as error:
        raise DataError(f"{key}: the Hub has {what}, but not that revision") from error
    except GatedRepoError as error:
        raise DataError(f"{key}: the Hub gives {what} only to those who accepted its terms; {token}") from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"{key}: the Hub has no {what}, or it is private and needs a token with access; {token}"
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise DataError(f"{key}: the Hub refused access to {what} (HTTP {status}); {token}") from error
        raise DataError(f"{key}: the Hub failed on {what} (HTTP {status}); try again later") from error
    except _connection_errors() as error:
        if isinstance(error, PermissionError | FileExistsError):
            raise
        raise DataError(f"{key}: cannot get {what} from the Hub: {_first_line(error)}") from error


def _connection_errors() -> tuple[type[Exception], ...]:
    """What a broken connection raises: huggingface_hub speaks through httpx, in later versions through httpx2."""
    modules = [import_module(name) for name in ("httpx", "httpx2") if find_spec(name)]
    return (OSError, *(module.TransportError for module in modules))


def _first_line(error: BaseException) -> str:
    """The message's first line, or the error's name when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
