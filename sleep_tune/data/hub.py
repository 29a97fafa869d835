"""The Hugging Face Hub: the token to use, and messages for its errors."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from sleep_tune.errors import DataError

__all__ = ["TOKEN_NAMES", "hub_errors", "hub_token"]

TOKEN_NAMES = ("HF_TOKEN", "HF_READ_TOKEN", "HF_WRITE_TOKEN")
"""Environment variables that may hold a token; the first one that is set is used."""


def hub_token(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the user's token, or None: public data needs none, and a login by `hf auth login` is used anyway."""
    return next((environment[name] for name in TOKEN_NAMES if environment.get(name)), None)


@contextmanager
def hub_errors(what: str, key: str) -> Iterator[None]:
    """Turn the Hub's errors into one message.

    Args:
        what: name of what is downloaded, for the message: "dataset 'owner/name'".
        key: option that names it.

    Raises:
        DataError: access denied, nothing of that name, or the Hub cannot be reached; the message says which.
    """
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    given = next((name for name in TOKEN_NAMES if os.environ.get(name)), None)
    token = f"the token in {given} was used" if given else f"no token is set in {', '.join(TOKEN_NAMES)}"
    try:
        yield
    except RevisionNotFoundError as error:
        raise DataError(f"{key}: the Hub has {what}, but not this revision") from error
    except GatedRepoError as error:
        raise DataError(f"{key}: the Hub gives {what} only to users who have accepted its terms; {token}") from error
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
        raise DataError(f"{key}: cannot download {what} from the Hub: {_first_line(error)}") from error


def _connection_errors() -> tuple[type[Exception], ...]:
    """Return the errors of a broken connection: huggingface_hub uses httpx, later versions httpx2."""
    modules = [import_module(name) for name in ("httpx", "httpx2") if find_spec(name)]
    return (OSError, *(module.TransportError for module in modules))


def _first_line(error: BaseException) -> str:
    """Return the message's first line, or the name of the error's class if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
