"""Fine-tuning on several tasks, one after another or in parallel on Ray workers, and the official files of each.

Ray is imported only for more than one worker.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from sleep_tune.evaluation.fine_tuning import (
    FineTuneResult,
    FineTuneSettings,
    fine_tune,
    open_classifier,
    require_batch,
)
from sleep_tune.evaluation.glue import GLUE_TASKS, Examples, read_examples
from sleep_tune.evaluation.official_files import PREDICTIONS
from sleep_tune.files import write_whole
from sleep_tune.interrupts import current

__all__ = ["GlueJob", "fine_tune_all", "write_results"]


@dataclass(frozen=True, slots=True)
class GlueJob:
    """Fine-tuning of one model on one task: folder, name, files and settings."""

    model: Path
    task: str
    train: Path
    valid: Path
    settings: FineTuneSettings


def fine_tune_all(jobs: Mapping[str, GlueJob], *, workers: int = 1) -> Iterator[tuple[str, FineTuneResult]]:
    """Fine-tune on every task, and yield (task, result) as soon as each is finished.

    Args:
        jobs: task -> its job.
        workers: number of parallel processes, at least 1; above 1 they belong to a new Ray on this machine.

    Raises:
        DataError: a file or the model cannot be used; all are read before the first training.
        ClusterError: Ray cannot start.
    """
    for job in jobs.values():
        require_batch(GLUE_TASKS[job.task], _read_data(job)[0], job.settings)
    for model, settings in {job.model: job.settings for job in jobs.values()}.items():
        with torch.random.fork_rng(devices=[]):
            open_classifier(
                model,
                max(task.labels for task in GLUE_TASKS.values()),
                last_token=settings.last_token,
                trust_remote_code=settings.trust_remote_code,
                note=lambda _: None,  # each result has the warnings
            )
    if workers == 1:
        yield from ((name, _run_job(job)) for name, job in jobs.items())
    else:
        yield from _in_parallel(jobs, workers)


def write_results(folder: Path, task: str, result: FineTuneResult, about: Mapping[str, object]) -> None:
    """Write a task's files into OUTPUT_DIR/<model>/<revision>/finetune/<task>/.

    Args:
        folder: the task's folder.
        task: its name.
        result: of fine-tuning. predictions.json and results.txt are the official files.
        about: further content of scores.json.
    """
    rows = [{"id": f"{task}_{number}", "pred": label} for number, label in enumerate(result.predictions)]
    write_whole(folder / PREDICTIONS, json.dumps({task: {"predictions": rows}}))
    write_whole(folder / "results.txt", "\n".join(f"{name}: {value}" for name, value in result.metrics.items()))
    content = {
        **about,
        "task": task,
        "scores": {name: 100 * value for name, value in result.metrics.items()},
        "epoch": result.best_epoch,
        "sequence_length": result.length,
        "token": result.token,
        "warnings": list(result.notes),
    }
    write_whole(folder / "scores.json", json.dumps(content, indent=2) + "\n")


def _in_parallel(jobs: Mapping[str, GlueJob], workers: int) -> Iterator[tuple[str, FineTuneResult]]:
    """Start with the task with the most training data, so that no long task runs alone at the end."""
    from sleep_tune.search.run.on_ray import own_ray
    from sleep_tune.search.run.on_ray.slot_plan import Node

    gpus = torch.cuda.device_count()
    with own_ray.start_own_ray(Node(workers, gpus), otherwise="fine-tune without Ray: --workers 1", is_search=False):
        import ray  # only now: Ray reads its environment variables on import

        current().install()  # Ray has replaced the signal handlers
        remote: Callable[..., object] = ray.remote(_run_job).options(num_cpus=1, num_gpus=gpus / workers).remote
        ordered = sorted(jobs.items(), key=lambda item: -item[1].train.stat().st_size)
        waiting = {remote(job): name for name, job in ordered}
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(done), ray.get(done)


def _read_data(job: GlueJob) -> tuple[Examples, Examples]:
    task = GLUE_TASKS[job.task]
    return read_examples(task, job.train), read_examples(task, job.valid)


def _run_job(job: GlueJob) -> FineTuneResult:
    """Fine-tune on one task, in this or a worker's process."""
    return fine_tune(job.model, GLUE_TASKS[job.task], *_read_data(job), job.settings)
