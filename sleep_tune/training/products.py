"""What a run leaves behind: the model's folder and its evaluations. Each appears whole or not at all."""

import json
import shutil
from pathlib import Path

from transformers import PreTrainedModel

from sleep_tune.files import write_whole
from sleep_tune.records import Progress

__all__ = ["read_evaluation", "write_evaluation", "write_model"]


def write_model(run: Path, model: PreTrainedModel, tokenizer: Path) -> None:
    """Write run/model, which AutoModelForMaskedLM and AutoTokenizer open by themselves.

    Args:
        run: the run's folder.
        model: in any dtype, on any device.
        tokenizer: folder of the tokenizer's files, copied as they are.
    """
    final, made = run / "model", run / ".model"
    shutil.rmtree(made, ignore_errors=True)
    model.save_pretrained(made)
    for file in tokenizer.iterdir():
        shutil.copyfile(file, made / file.name)
    shutil.rmtree(final, ignore_errors=True)
    made.rename(final)


def write_evaluation(run: Path, split: str, progress: Progress) -> None:
    """Write run/eval/<split>.json: where the run stood, and its metrics."""
    write_whole(run / "eval" / f"{split}.json", json.dumps(progress.to_json(), indent=2) + "\n")


def read_evaluation(run: Path, split: str) -> Progress:
    """What `write_evaluation` wrote."""
    return Progress.from_json(json.loads((run / "eval" / f"{split}.json").read_text(encoding="utf-8")))
