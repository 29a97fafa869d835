"""Fine-tuning tasks one after another or side by side on Ray workers, and their official files.

The only part of the evaluation that knows Ray, which is imported where more than one worker is asked for.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune.files import write_whole
from sleep_tune.interrupts import current

if TYPE_CHECKING:
    from sleep_tune.evaluation.fine_tuning import FineTuneResult, FineTuneSettings

__all__ = ["GlueJob", "fine_tune_all", "write_results"]


@dataclass(frozen=True, slots=True)
class GlueJob:
    """One task of one model."""

    model: Path
    task: str
    train: Path
    valid: Path
    settings: "FineTuneSettings"


def fine_tune_all(jobs: Mapping[str, GlueJob], *, workers: int = 1) -> Iterator[tuple[str, "FineTuneResult"]]:
    """Fine-tune on every task; each is given when it is done.

    Args:
        jobs: task -> what to do.
        workers: processes side by side; above 1, those of a Ray of this machine's own.

    Raises:
        DataError: a file or the model is not as it must be: all are read before anything is trained.
        ClusterError: a Ray does not start here.
    """
    import torch

    from sleep_tune.evaluation.fine_tuning import open_classifier
    from sleep_tune.evaluation.glue import GLUE_TASKS

    for job in jobs.values():
        _read(job)
    for model, trust in {job.model: job.settings.trust_remote_code for job in jobs.values()}.items():
        with torch.random.fork_rng(devices=[]):
            labels = max(task.labels for task in GLUE_TASKS.values())
            open_classifier(model, labels, trust_remote_code=trust, note=lambda _: None)  # each task's result has it
    run = _one_by_one if workers == 1 else _side_by_side
    yield from run(jobs, workers)


def write_results(folder: Path, task: str, tuned: "FineTuneResult", about: Mapping[str, object]) -> None:
    """Write a task's files into OUTPUT_DIR/<model>/<revision>/finetune/<task>/.

    Args:
        folder: that one.
        task: its name.
        tuned: what came out; predictions.json and results.txt are the official files.
        about: what else scores.json says.
    """
    rows = [{"id": f"{task}_{number}", "pred": label} for number, label in enumerate(tuned.predictions)]
    write_whole(folder / "predictions.json", json.dumps({task: {"predictions": rows}}))
    write_whole(folder / "results.txt", "\n".join(f"{name}: {value}" for name, value in tuned.metrics.items()))
    content = {
        **about,
        "task": task,
        "scores": {name: 100 * value for name, value in tuned.metrics.items()},
        "epoch": tuned.best_epoch,
        "sequence_length": tuned.length,
        "token": tuned.token,
        "warnings": list(tuned.notes),
    }
    write_whole(folder / "scores.json", json.dumps(content, indent=2) + "\n")


def _one_by_one(jobs: Mapping[str, GlueJob], workers: int) -> Iterator[tuple[str, "FineTuneResult"]]:
    for name, job in jobs.items():
        yield name, _do(job)


def _side_by_side(jobs: Mapping[str, GlueJob], workers: int) -> Iterator[tuple[str, "FineTuneResult"]]:
    """Largest training data first, so that no long task is left for last."""
    import torch

    from sleep_tune.search.run.on_ray import own_ray
    from sleep_tune.search.run.on_ray.slot_plan import Node

    gpus = torch.cuda.device_count()
    with own_ray.started(Node(workers, gpus), otherwise="fine-tune without Ray: --workers 1", is_search=False):
        import ray  # not before: Ray reads its variables on import

        current().install()
        remote: Callable[..., object] = ray.remote(_do).options(num_cpus=1, num_gpus=gpus / workers).remote
        ordered = sorted(jobs.items(), key=lambda item: -item[1].train.stat().st_size)
        waiting = {remote(job): name for name, job in ordered}
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(done), ray.get(done)


def _read(job: GlueJob) -> tuple[object, object]:
    from sleep_tune.evaluation.glue import GLUE_TASKS, read_examples

    return read_examples(GLUE_TASKS[job.task], job.train), read_examples(GLUE_TASKS[job.task], job.valid)


def _do(job: GlueJob) -> "FineTuneResult":
    """Fine-tune on one task, in whichever process."""
    from sleep_tune.evaluation.fine_tuning import fine_tune
    from sleep_tune.evaluation.glue import GLUE_TASKS, read_examples

    task = GLUE_TASKS[job.task]
    train, valid = (read_examples(task, path) for path in (job.train, job.valid))
    return fine_tune(job.model, task, train, valid, job.settings)
