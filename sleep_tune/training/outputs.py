"""Outputs of a run: the model's folder and its evaluations. Each appears as a whole or not at all."""

import copy
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import GenerationConfig, PreTrainedModel

from sleep_tune.data.published_tokenizer import write_tokenizer
from sleep_tune.errors import RunFolderError
from sleep_tune.evaluation.positions import trained_positions
from sleep_tune.files import share_tree, sync_folder, sync_tree, write_whole
from sleep_tune.older_transformers import model_settings
from sleep_tune.records import Progress
from sleep_tune.training.session import Session

__all__ = ["publish", "publish_model", "read_evaluation", "write_evaluation", "write_model"]

MASKED, CAUSAL = "mlm", "clm"
"""The objectives of models that predict masked tokens only, and next tokens only."""


def write_model(folder: Path, model: PreTrainedModel, tokenizer: Path) -> None:
    """Write a folder that the Auto classes of transformers open by themselves.

    Its config.json names the training objective. Models that predict next tokens have a generation_config.json.

    Args:
        folder: in the attempt's folder, to which no other process writes; emptied first.
        model: in any dtype, on any device.
        tokenizer: folder of the tokenizer's files, which are copied.

    Raises:
        DataError: the tokenizer has been removed from the cache.
    """
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    _complete(folder / "config.json")
    objective = getattr(model.config, "training_objective", MASKED)
    longest = trained_positions(model)
    ids = write_tokenizer(tokenizer, folder, causal=objective == CAUSAL, max_length=longest)
    if objective != MASKED:
        generation_config(model, ids, longest).save_pretrained(folder)
    share_tree(folder)
    sync_tree(folder)


def _complete(path: Path) -> None:
    """Add what releases 4 of transformers need to a config.json."""
    config = json.loads(path.read_text(encoding="utf-8"))
    if more := model_settings(config):
        write_whole(path, json.dumps(more | config, indent=2, sort_keys=True) + "\n")


def generation_config(model: PreTrainedModel, ids: Mapping[str, int], longest: int | None) -> GenerationConfig:
    """Return how a model generates text: a text begins with the start token and ends with the separator.

    Args:
        model: whose own settings are kept where it has some.
        ids: of the tokenizer's special tokens, by their names in transformers.
        longest: tokens in the longest text, at which generation ends; learnt positions would fail beyond it.
    """
    settings: Any = GenerationConfig  # transformers declares no types for it
    made: Any = copy.deepcopy(model.generation_config) if model.can_generate() else settings()
    made._from_model_config = False  # else it is made again, without what follows, when the folder is opened
    made.update(**ids, use_cache=True, **({} if longest is None else {"max_length": longest}))
    generation: GenerationConfig = made
    return generation


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
