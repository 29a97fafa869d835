"""Where a model's results go: OUTPUT_DIR/<model>/<revision>/, as BabyLM's pipeline has it. Touches no file there.

A model of the pipeline is a repository whose checkpoints are revisions. A run of ours is a folder with the model and
its checkpoints in folders of their own, which all stand under the run's name: all are one submission.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.experiment.run_folder import MODEL, WORD_CHECKPOINTS

__all__ = ["MAIN", "ResultNames", "result_names"]

MAIN = "main"
"""The revision of a model that is no checkpoint."""


@dataclass(frozen=True, slots=True)
class ResultNames:
    """The names under which a model's results stand."""

    model: str
    revision: str

    def folder(self, output: Path) -> Path:
        """Of everything that is written about it."""
        return output / self.model / self.revision

    def zero_shot(self, output: Path, backend: str) -> Path:
        """Of the zero-shot tasks and ages of acquisition."""
        return self.folder(output) / "zero_shot" / backend

    def fine_tuned(self, output: Path) -> Path:
        """Of the fine-tuning tasks."""
        return self.folder(output) / "finetune"


def result_names(model: Path, revision: str | None = None) -> ResultNames:
    """The names of a model's folder.

    Args:
        model: RUN/model and RUN/checkpoints/chck_<n>M, of a run with either folder, have the run's name, its dots
            replaced, for the pipeline cuts what follows one; any other folder its own, cut so.
        revision: None: the checkpoint's name, or else MAIN.
    """
    path = model.resolve()
    if path.parent.name == WORD_CHECKPOINTS and re.fullmatch(r"chck_\d+M", path.name):
        return ResultNames(_run_name(path.parents[1]), revision or path.name)
    is_of_run = path.name == MODEL and (
        (path.parent / "config.yaml").is_file() or (path.parent / WORD_CHECKPOINTS).is_dir()
    )
    return ResultNames(_run_name(path.parent) if is_of_run else path.stem, revision or MAIN)


def _run_name(run: Path) -> str:
    return run.name.replace(".", "-")
