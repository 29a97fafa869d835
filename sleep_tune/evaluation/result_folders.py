"""Folders of a model's results: OUTPUT_DIR/<model>/<revision>/, as in BabyLM's pipeline.

In the pipeline a model is a repository whose checkpoints are revisions. A training run of this package is a folder that
holds the final model and the checkpoints in folders of their own; their results have the run's name, because all of
them together are one submission.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.experiment.run_folder import AVERAGED_MODEL, CONFIG, MODEL, WORD_CHECKPOINTS

__all__ = ["MAIN", "ResultNames", "result_names"]

MAIN = "main"
"""Revision of a final model."""


@dataclass(frozen=True, slots=True)
class ResultNames:
    """Model and revision, which name the folder of a model's results."""

    model: str
    revision: str

    def folder(self, output: Path) -> Path:
        """Return the folder of all results."""
        return output / self.model / self.revision

    def zero_shot(self, output: Path, backend: str) -> Path:
        """Return the folder of zero-shot tasks and ages of acquisition."""
        return self.folder(output) / "zero_shot" / backend

    def fine_tuned(self, output: Path) -> Path:
        """Return the folder of fine-tuning tasks."""
        return self.folder(output) / "finetune"


def result_names(model: Path, revision: str | None = None) -> ResultNames:
    """Return the names for a model's folder.

    Args:
        model: RUN/model and RUN/checkpoints/chck_<n>M of a training run get the run's name, with - for dots, because
            the pipeline cuts a name at its last dot; RUN/model-ema gets it with -ema at its end. Any other folder gets
            its own name, cut in this way.
        revision: None: the checkpoint's name, or MAIN for a final model.
    """
    path = model.resolve()
    if path.parent.name == WORD_CHECKPOINTS and re.fullmatch(r"chck_\d+M", path.name):
        return ResultNames(_run_name(path.parents[1]), revision or path.name)
    ending = {MODEL: "", AVERAGED_MODEL: "-ema"}.get(path.name)
    is_in_run = (path.parent / CONFIG).is_file() or (path.parent / WORD_CHECKPOINTS).is_dir()
    name = path.stem if ending is None or not is_in_run else _run_name(path.parent) + ending
    return ResultNames(name, revision or MAIN)


def _run_name(run: Path) -> str:
    return run.name.replace(".", "-")
