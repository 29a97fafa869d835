"""Other tasks of the evaluation command, instead of zero-shot: fine-tuning, ages of acquisition, a submission."""

import argparse
from collections.abc import Iterator

from rich.progress import Progress

from sleep_tune.babylm.averages import glue_averages
from sleep_tune.babylm.data_protocol import protocol_of_data
from sleep_tune.evaluate.glue_jobs import GlueJob, fine_tune_all, write_results
from sleep_tune.evaluate.joined_submission import join_submission
from sleep_tune.evaluate.word_ages import score_ages
from sleep_tune.evaluation import glue
from sleep_tune.evaluation.fine_tuning import FineTuneSettings
from sleep_tune.evaluation.result_folders import result_names
from sleep_tune.evaluation.score_files import SCORES, require_same_protocol
from sleep_tune.names import FINE_TUNING

__all__ = ["run_extra_tasks"]


def run_extra_tasks(options: argparse.Namespace, device: str, progress: Progress) -> Iterator[str]:
    """Run the requested tasks, in the order of a submission, and yield the lines to print.

    Args:
        options: arguments of the command.
        device: of the models.
        progress: shows a bar for each part.

    Raises:
        DataError: the model or the data cannot be used, or the submission is not complete.
    """
    if options.glue:
        yield from _fine_tune(options, device, progress)
    if options.aoa:
        yield from score_ages(options, device, progress)
    if options.submission:
        yield from join_submission(options)


def _fine_tune(options: argparse.Namespace, device: str, progress: Progress) -> Iterator[str]:
    """Fine-tune on each task, write the official files, and yield the scores and their average."""
    protocol = protocol_of_data(options.data, options.protocol)
    changed = {name: value for name in FINE_TUNING if (value := getattr(options, name)) is not None}
    settings = FineTuneSettings(
        last_token=protocol.classifies_last_token,
        seed=options.seed,
        device=device,
        trust_remote_code=options.trust_remote_code,
        **changed,
    )
    files = glue.find_glue_files(options.data / "glue_filtered", options.tasks)
    jobs = {name: GlueJob(options.model.resolve(), name, *paths, settings) for name, paths in files.items()}
    names = result_names(options.model, options.revision_name)
    top = names.fine_tuned(options.output_dir)
    for name in jobs:
        require_same_protocol(top / name / SCORES, protocol)
    about: dict[str, object] = {"model": str(options.model), "revision": names.revision}
    about |= {"protocol": protocol.year, "seed": settings.seed}
    about |= {"changed_settings": changed} if changed else {}
    if changed:
        yield f"not the pipeline's settings: {', '.join(f'{name} {value:g}' for name, value in changed.items())}"
    bar = progress.add_task(f"fine-tuning on {', '.join(jobs)}", total=len(jobs))
    accuracy, f1 = {}, {}
    notes: dict[str, None] = {}
    for name, result in fine_tune_all(jobs, workers=options.workers):
        write_results(top / name, name, result, about)
        notes |= dict.fromkeys(result.notes)
        progress.advance(bar)
        accuracy[name], f1[name] = 100 * result.metrics["accuracy"], 100 * result.metrics.get("f1", 0.0)
        metrics = ", ".join(f"{metric} {100 * value:.2f}" for metric, value in result.metrics.items())
        cut = "" if result.length == settings.sequence_length else f", pairs cut at {result.length} tokens"
        epochs = settings.epochs or glue.GLUE_TASKS[name].epochs
        yield f"{name}: {metrics} (best epoch {result.best_epoch} of {epochs}{cut})"
    yield from (f"warning: {note}" for note in notes)
    averages = glue_averages(accuracy, f1)
    (other,) = averages.other.items()
    yield f"average: {averages.score:.2f} (with F1 for mrpc and qqp; {other[0]}: {other[1]:.2f}), written to {top}"
