"""Export the best settings of a search: `sleep-tune export results/replay`.

Writes them to conf/sleep/<name>.yaml and prints the command of a full-scale run with them. With --push-to-hub
OWNER/NAME also uploads the best model, its tokenizer and a model card with the table to the Hugging Face Hub.
"""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.installation import CLONE, command


def main(arguments: Sequence[str]) -> int:
    """Write the settings, print the command and, if asked to, publish the model."""
    parser = argparse.ArgumentParser(
        prog=command("export"),
        description="Write the best settings of a search to conf/sleep/NAME.yaml; print how to train with them.",
        epilog="The token for the Hub is read from HF_TOKEN, HF_WRITE_TOKEN or HF_READ_TOKEN, or from `hf auth login`.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="an experiment, such as results/replay")
    parser.add_argument("--name", help="name of the settings (default: the experiment's)")
    parser.add_argument(
        "--conf",
        metavar="DIR",
        type=Path,
        default=(CLONE or Path()) / "conf",
        help="the folder of configurations (default: conf)",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file with other settings")
    parser.add_argument(
        "--push-to-hub",
        metavar="OWNER/NAME",
        help="publish the model, tokenizer and model card on the Hugging Face Hub",
    )
    options = parser.parse_args(arguments)
    from sleep_tune.errors import ConfigError
    from sleep_tune.files import require_writable
    from sleep_tune.plain_text import visible
    from sleep_tune.results.comparison import compare
    from sleep_tune.results.winner import find_winner

    require_writable(options.conf / "sleep", "name another with --conf DIR")
    winner, comparison = find_winner(options.folder), compare(options.folder)
    name = options.name or comparison.experiment.name
    if Path(name).name != name:  # an experiment from another source may have any name
        raise ConfigError(f"--name must be the name of a file without a folder; got '{visible(name)}'")
    path = write_settings(options.conf / "sleep" / f"{name}.yaml", winner.why, winner.sleep, force=options.force)
    print(visible(f"{winner.why}\n{path}\n\n{training_command(name, winner.base, winner.others)}"))
    if options.push_to_hub:
        from sleep_tune.results.card import model_card

        card = model_card(winner, comparison)
        print(f"\n{publish(options.folder, winner.model, options.push_to_hub, card)}")
    return 0


def write_settings(path: Path, why: str, sleep: Mapping[str, Any], *, force: bool) -> Path:
    """Write the settings as a choice of the group `sleep`, and return the file.

    Raises:
        RunFolderError: there are other settings of that name.
    """
    from sleep_tune.errors import RunFolderError
    from sleep_tune.files import write_whole
    from sleep_tune.plain_text import visible

    text = f"# {' '.join(visible(why).split())}.\n{yaml.safe_dump(dict(sleep), sort_keys=False)}"
    if path.exists() and path.read_text(encoding="utf-8") != text and not force:
        raise RunFolderError(f"{path} holds other settings; give these another name (--name), or replace it (--force)")
    write_whole(path, text)
    return path


def training_command(name: str, base: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """Return the shell command of a run with these settings, on the corpus and budget of the study."""
    settings = {"sleep": name, "run.name": f"{name}-full", **base, **others}
    return f"{command('train')} {shlex.join(f'{key}={_text(value)}' for key, value in settings.items())}"


def publish(experiment: Path, model: Path, repository: str, card: str) -> str:
    """Upload a model's folder with its card; create the repository if there is none.

    Returns:
        The address of the commit.

    Raises:
        DataError: the weights were not kept, a file is a link to one outside the experiment, or the Hub refuses.
    """
    from sleep_tune.data.hub import hub_errors, hub_token
    from sleep_tune.errors import DataError

    if not (model / "config.json").is_file():
        raise DataError(
            f"{model} must hold the winner's model; its weights were not kept: train it with the command above"
        )
    from huggingface_hub import CommitOperationAdd, HfApi

    paths = [path for path in sorted(model.iterdir()) if path.is_file()]
    for path in paths:  # in an experiment from another source a link may lead to any of the user's files
        if not path.resolve().is_relative_to(experiment.resolve()):
            raise DataError(
                f"{path} must lie in {experiment}; it is a link to {path.resolve()}, which is not published: put a "
                "copy in its place"
            )
    files = [CommitOperationAdd(path.name, path) for path in paths]
    files.append(CommitOperationAdd("README.md", card.replace("REPO", repository).encode()))
    api = HfApi(token=hub_token())
    with hub_errors(f"model '{repository}'", "--push-to-hub"):
        api.create_repo(repository, exist_ok=True)
        done = api.create_commit(repository, files, commit_message="Add the model, its tokenizer and its card")
    return str(done.commit_url)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
