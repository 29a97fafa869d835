"""Upload to the Hugging Face Hub: a model as the branch `main`, and models at numbers of words as branches beside it.

BabyLM's evaluation opens such a branch as a revision: `from_pretrained("OWNER/NAME", revision="chck_10M")`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sleep_tune.data.hub import hub_errors, hub_token
from sleep_tune.errors import ConfigError, DataError
from sleep_tune.hub_ids import is_hub_id
from sleep_tune.sharing.model_files import Files

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

__all__ = ["require_repository", "upload"]

KEY = "--push-to-hub"


def require_repository(name: str) -> None:
    """Check the id of a repository.

    Raises:
        ConfigError: it is not OWNER/NAME.
    """
    if not is_hub_id(name):
        raise ConfigError(f"{KEY} must be OWNER/NAME, of letters, digits, -, _ and .; got '{name}'")


def upload(repository: str, files: Files, revisions: Mapping[str, Files]) -> str:
    """Upload a model; create the repository if there is none. The same call again completes one that was interrupted.

    Args:
        repository: OWNER/NAME.
        files: of the branch `main`.
        revisions: branch -> its files; a new branch begins with those of `main`.

    Returns:
        The address of the commit on `main`.

    Raises:
        DataError: the Hub refuses, or cannot be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=hub_token())
    with hub_errors(f"model '{repository}'", KEY):
        try:
            api.create_repo(repository, exist_ok=True)
            done = api.create_commit(
                repository, _operations(files), commit_message="Add the model, its tokenizer and its card"
            )
            for branch, content in revisions.items():
                api.create_branch(repository, branch=branch, exist_ok=True)
                api.create_commit(
                    repository, _operations(content), commit_message=f"Add the model of {branch}", revision=branch
                )
        except ValueError as error:  # the Hub's check of the card
            raise DataError(f"{KEY}: the Hub refuses the card: {' '.join(str(error).split())}") from error
    return str(done.commit_url)


def _operations(files: Files) -> list["CommitOperationAdd"]:
    from huggingface_hub import CommitOperationAdd

    return [CommitOperationAdd(name, file) for name, file in files.items()]
