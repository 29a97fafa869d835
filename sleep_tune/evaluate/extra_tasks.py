"""Other tasks of the evaluation command, instead of zero-shot: fine-tuning, ages of acquisition, a submission."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.progress import Progress

from sleep_tune.babylm.averages import glue_averages
from sleep_tune.errors import DataError
from sleep_tune.evaluate.glue_jobs import GlueJob, fine_tune_all, write_results
from sleep_tune.evaluation import aoa, glue
from sleep_tune.evaluation.backends import choose_backends
from sleep_tune.evaluation.collation import write_collation
from sleep_tune.evaluation.fine_tuning import FineTuneSettings
from sleep_tune.evaluation.result_folders import result_names
from sleep_tune.evaluation.submission import missing_parts

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
        yield from _score_checkpoints(options, device, progress)
    if options.submission:
        yield _join_submission(options)


def _fine_tune(options: argparse.Namespace, device: str, progress: Progress) -> Iterator[str]:
    """Fine-tune on each task, write the official files, and yield the scores and their average."""
    settings = FineTuneSettings(seed=options.seed, device=device, trust_remote_code=options.trust_remote_code)
    files = glue.find_glue_files(options.data / "glue_filtered", options.tasks)
    jobs = {name: GlueJob(options.model.resolve(), name, *paths, settings) for name, paths in files.items()}
    names = result_names(options.model, options.revision_name)
    top = names.fine_tuned(options.output_dir)
    about = {"model": str(options.model), "revision": names.revision, "seed": settings.seed}
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
        yield f"{name}: {metrics} (best epoch {result.best_epoch} of {glue.GLUE_TASKS[name].epochs}{cut})"
    yield from (f"warning: {note}" for note in notes)
    averages = glue_averages(accuracy, f1)
    (other,) = averages.other.items()
    yield f"average: {averages.score:.2f} (with F1 for mrpc and qqp; {other[0]}: {other[1]:.2f}), written to {top}"


def _score_checkpoints(options: argparse.Namespace, device: str, progress: Progress) -> Iterator[str]:
    """Score the words at every checkpoint by each back end, and yield the agreement with children."""
    words = aoa.read_words(options.data / "aoa" / aoa.CONTEXTS_FILE)
    beside = (options.model / "checkpoints", options.model.resolve().parent / "checkpoints")
    folder = options.checkpoints or next((path for path in beside if path.is_dir()), beside[0])
    found, missing = aoa.find_checkpoints(folder, options.track)
    if missing:
        yield f"warning: {folder} lacks {len(missing)} checkpoints of {options.track}: {', '.join(missing)}"
    for backend in choose_backends(next(iter(found.values())), options.backend):
        yield from _score_words(options, words, found, len(found) + len(missing), backend, device, progress)


def _score_words(
    options: argparse.Namespace,
    words: aoa.Words,
    found: Mapping[int, Path],
    expected: int,
    backend: str,
    device: str,
    progress: Progress,
) -> Iterator[str]:
    """Score the words at every checkpoint by one back end, write the official file, and yield the agreement.

    Args:
        options: arguments of the command.
        words: words in contexts.
        found: millions of words seen -> the checkpoint's folder.
        expected: number of checkpoints of the track.
        backend: a name of BACKENDS.
        device: of the models.
        progress: shows a bar for the checkpoints.
    """
    notes: list[str] = []
    bar = progress.add_task(f"{len(words):,} contexts at {len(found)} checkpoints", total=len(found))
    surprisals, unread = aoa.score_checkpoints(
        words,
        found,
        backend=backend,
        batch_tokens=options.batch_tokens,
        device=device,
        trust_remote_code=options.trust_remote_code,
        advance=lambda number: progress.advance(bar, number),
        note=notes.append,
    )
    record = aoa.surprisal_record(words, surprisals, model=str(options.model), expected=expected)
    top = result_names(options.model, options.revision_name).zero_shot(options.output_dir, backend)
    path = aoa.write_surprisal(top, record)
    yield (
        f"surprisal of {len(words.contexts)} words in {len(words):,} contexts at {len(found)} checkpoints ({backend}), "
        f"written to {path}"
    )
    yield from (f"warning: {note}" for note in notes)
    if unread:
        yield (
            f"warning: {unread} contexts have no surprisal (NaN): they are longer than the model can read, or the "
            "tokenizer has no token for their word"
        )
    children = options.data / "aoa" / aoa.CHILDREN_FILE
    if not children.is_file():
        yield f"not compared with children's ages of acquisition: there is no {children}"
        return
    ages = aoa.compare_with_children(record, children)
    yield (
        f"correlation with children's ages of acquisition: r = {ages.correlation:.3f} "
        f"(p = {ages.p_value:.2g}) over {len(ages.words)} words that both acquire within the observed range"
    )


def _join_submission(options: argparse.Namespace) -> str:
    """Write the file for the leaderboard, and return the line to print.

    Raises:
        DataError: something is missing or of another size than the challenge's; the message lists everything.
    """
    backend, *others = choose_backends(options.model, options.backend)
    top = result_names(options.model).folder(options.output_dir).parent
    wrong = missing_parts(top, backend, options.track)
    if wrong:
        lines = "\n".join(f"  {line}" for line in wrong)
        raise DataError(
            f"{top} must be a complete submission of back end {backend} for {options.track}; {len(wrong)} things are "
            f"missing or wrong:\n{lines}"
        )
    path = write_collation(top, backend, options.track, options.data)
    hint = "".join(f"; --backend {other} joins the other one" for other in others)
    return (
        f"complete submission of back end {backend} for {options.track}: upload {path} "
        f"({path.stat().st_size / 2**20:,.1f} MiB) to the leaderboard{hint}"
    )
