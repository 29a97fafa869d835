"""Outputs of a run: the model's folder and its evaluations. Each appears as a whole or not at all."""

import json
import shutil
from pathlib import Path

from transformers import PreTrainedModel

from sleep_tune.data.cache import require_cached
from sleep_tune.errors import RunFolderError
from sleep_tune.files import share_tree, sync_folder, sync_tree, write_whole
from sleep_tune.records import Progress
from sleep_tune.training.session import Session

__all__ = ["publish", "publish_model", "read_evaluation", "write_evaluation", "write_model"]


def write_model(folder: Path, model: PreTrainedModel, tokenizer: Path) -> None:
    """Write a folder that AutoModelForMaskedLM and AutoTokenizer open by themselves.

    Args:
        folder: in the attempt's folder, to which no other process writes; emptied first.
        model: in any dtype, on any device.
        tokenizer: folder of the tokenizer's files, which are copied.

    Raises:
        DataError: the tokenizer has been removed from the cache.
    """
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    for file in require_cached(tokenizer).iterdir():
        shutil.copyfile(file, folder / file.name)
    share_tree(folder)
    sync_tree(folder)


def publish(made: Path, final: Path) -> None:
    """Move a complete folder to its final place, replacing what is there."""
    final.parent.mkdir(exist_ok=True)
    if final.is_symlink():
        final.unlink()
    shutil.rmtree(final, ignore_errors=True)
    made.rename(final)
    sync_folder(final.parent)


def publish_model(session: Session, place: str, model: PreTrainedModel, tokenizer: Path) -> None:
    """Write a model to the attempt's folder, to which no other attempt writes, and move it to `place` in the run's.

    Args:
        session: the attempt.
        place: path below the run's folder.
        model: in any dtype, on any device.
        tokenizer: folder of the tokenizer's files.

    Raises:
        Superseded: a later attempt has begun.
        DataError: the tokenizer has been removed from the cache.
    """
    made = session.attempt / place
    session.require_current()
    session.processes.run_on_leader(lambda: write_model(made, model, tokenizer))
    session.require_current()
    session.processes.run_on_leader(lambda: publish(made, session.run / place))


def write_evaluation(run: Path, split: str, progress: Progress) -> None:
    """Write run/eval/<split>.json: the run's progress and its metrics."""
    write_whole(run / "eval" / f"{split}.json", json.dumps(progress.to_json(), indent=2) + "\n")


def read_evaluation(run: Path, split: str) -> Progress:
    """Return what `write_evaluation` wrote.

    Raises:
        RunFolderError: the file is missing, or not valid.
    """
    file = run / "eval" / f"{split}.json"
    try:
        return Progress.from_json(json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunFolderError(
            f"{file} must hold the run's evaluation ({error}); restore it, or remove {run} to train the run again"
        ) from None
