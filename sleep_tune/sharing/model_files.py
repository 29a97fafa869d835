"""The files of a model that is shared: those of its folder, its card, and settings that older releases need."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from sleep_tune.errors import DataError, RunFolderError
from sleep_tune.experiment.run_folder import OUTCOME, WORD_CHECKPOINTS
from sleep_tune.files import read_json_object, require_writable
from sleep_tune.older_transformers import model_settings, tokenizer_settings

__all__ = ["CARD", "Files", "model_files", "require_new", "word_checkpoints", "write_files"]

CARD = "README.md"
CONFIG, TOKENIZER, SETTINGS = "config.json", "tokenizer.json", "tokenizer_config.json"

Files = Mapping[str, Path | bytes]
"""Name -> file, or its content."""


def model_files(model: Path, root: Path) -> Files:
    """Return the files of a model's folder. Folders of earlier versions get the settings that older releases need.

    Args:
        model: the folder.
        root: the experiment or run that holds it.

    Raises:
        DataError: the run has not ended, its weights were not kept, or a file is a link to one outside `root`.
    """
    config = read_json_object(model / CONFIG)
    if config is None:
        why = "its weights were not kept: train it with the command that export prints, or name another run"
        if not (model.parent / OUTCOME).is_file():
            why = "its run has not ended: run the run's command again"
        raise DataError(f"{model} must hold the model; {why}")
    files: dict[str, Path | bytes] = {path.name: path for path in sorted(model.iterdir()) if path.is_file()}
    for path in (model / name for name in files):
        if not path.resolve().is_relative_to(root.resolve()):  # in a folder from elsewhere it may lead to a secret
            raise DataError(
                f"{path} must lie in {root}; it is a link to {path.resolve()}, which is not shared: put a copy in its "
                "place"
            )
    tokenizer, settings = read_json_object(model / TOKENIZER) or {}, read_json_object(model / SETTINGS) or {}
    for name, there, needed in (
        (CONFIG, config, model_settings(config)),
        (SETTINGS, settings, tokenizer_settings(tokenizer)),
    ):
        if needed.keys() - there.keys():
            files[name] = (json.dumps(needed | there, indent=2) + "\n").encode()
    return files


def word_checkpoints(run: Path, root: Path) -> dict[str, Files]:
    """Return the models that a run saved at numbers of words: name, such as chck_1M -> its files.

    Raises:
        DataError: there is none; or see `model_files`.
    """
    folders = {path.name: path for path in (run / WORD_CHECKPOINTS).glob("chck_*M") if path.is_dir()}
    if not folders:
        raise DataError(
            f"{run / WORD_CHECKPOINTS} must hold models saved at numbers of words for --word-checkpoints; it has none: "
            "train with training.word_checkpoints=true"
        )
    names = sorted(folders, key=lambda name: int("0" + "".join(filter(str.isdigit, name))))
    return {name: model_files(folders[name], root) for name in names}


def require_new(folder: Path) -> None:
    """Check that a folder can be made.

    Raises:
        RunFolderError: it holds something, or is a file.
        ConfigError: it cannot be written.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise RunFolderError(f"--to must name a folder that does not exist or is empty; {folder} is neither")
    require_writable(folder.resolve().parent, "name another with --to DIR")


def write_files(folder: Path, files: Files) -> None:
    """Write files to a new folder, which appears as a whole or not at all."""
    folder = folder.resolve()
    made = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    try:
        for name, file in files.items():
            if isinstance(file, bytes):
                (made / name).write_bytes(file)
            else:
                shutil.copyfile(file, made / name)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
