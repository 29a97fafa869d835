"""What `python -m sleep_tune.evaluate` does on request only: fine-tuning, ages of acquisition, a submission.

Takes the place of the zero-shot tasks when asked for. Adds the arguments, calls `sleep_tune.evaluation`, and returns
what is to be told; printing is `evaluate.py`'s.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["HELP", "add_arguments", "fulfil", "positive", "requested"]

TRACKS = ("strict-small", "strict")

HELP = """\
On request, instead of the tasks above:
  --glue          fine-tune on the tasks of DATA/glue_filtered with the official settings: boolq, mnli, mrpc, multirc,
                  qqp, rte, wsc (or those of --tasks); --workers N: side by side on a Ray of this machine
  --aoa           ages of acquisition: words of DATA/aoa/cdi_childes.json in their contexts, at every checkpoint
                  (training.word_checkpoints=true saves them), against children's of DATA/aoa/cdi_human.csv
  --submission    joins what was written to OUTPUT_DIR so far into the one file that the leaderboard takes, as the
                  challenge's collation does, or names all that is missing; DATA is evaluation_data/fast_eval

All of a submission, for a run of 100 million words with training.word_checkpoints=true:
  python -m sleep_tune.evaluate RUN/model --data evaluation_data/full_eval
  python -m sleep_tune.evaluate RUN/model --data evaluation_data/full_eval --glue --aoa
  for each in RUN/checkpoints/*; do python -m sleep_tune.evaluate $each --data evaluation_data/fast_eval; done
  python -m sleep_tune.evaluate RUN/model --data evaluation_data/fast_eval --submission
"""


def positive(text: str) -> int:
    """An argument that is a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1; got '{text}'")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the requests."""
    group = parser.add_argument_group("on request")
    group.add_argument("--glue", action="store_true", help="fine-tune on the tasks of glue_filtered")
    group.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="fine-tune on N tasks at a time (default: 1)"
    )
    group.add_argument("--seed", type=int, default=42, metavar="N", help="of fine-tuning (default: 42, the pipeline's)")
    group.add_argument("--aoa", action="store_true", help="score words' ages of acquisition over checkpoints")
    group.add_argument(
        "--checkpoints", type=Path, metavar="DIR", help="holds chck_1M, ... (default: checkpoints/ in or beside MODEL)"
    )
    group.add_argument("--submission", action="store_true", help="join OUTPUT_DIR's files for the leaderboard")
    group.add_argument(
        "--track",
        choices=TRACKS,
        default=TRACKS[0],
        help="which checkpoints the challenge asks for (default: %(default)s)",
    )


def requested(options: argparse.Namespace) -> bool:
    """Whether anything is asked for but the zero-shot tasks."""
    return bool(options.glue or options.aoa or options.submission)


def fulfil(options: argparse.Namespace, device: str, progress: "Progress") -> list[str]:
    """Do what is asked for, one after another, and return what there is to tell."""
    lines: list[str] = []
    if options.glue:
        lines += fine_tuning(options, device, progress)
    if options.aoa:
        lines += age_of_acquisition(options, device, progress)
    if options.submission:
        lines += submit(options)
    return lines


def fine_tuning(options: argparse.Namespace, device: str, progress: "Progress") -> Iterator[str]:
    """Fine-tune on each task, write the official files, and tell the scores and their average."""
    from sleep_tune.babylm.averages import glue_averages
    from sleep_tune.evaluate.glue_jobs import GlueJob, fine_tune_all, write_results
    from sleep_tune.evaluation import glue
    from sleep_tune.evaluation.fine_tuning import FineTuneSettings
    from sleep_tune.evaluation.result_folders import result_names

    settings = FineTuneSettings(seed=options.seed, device=device, trust_remote_code=options.trust_remote_code)
    files = glue.find_glue_files(options.data / "glue_filtered", options.tasks)
    jobs = {name: GlueJob(options.model.resolve(), name, *paths, settings) for name, paths in files.items()}
    names = result_names(options.model, options.revision_name)
    top = names.fine_tuned(options.output_dir)
    about = {"model": str(options.model), "revision": names.revision, "seed": settings.seed}
    bar = progress.add_task(f"fine-tuning on {', '.join(jobs)}", total=len(jobs))
    accuracy, f1 = {}, {}
    notes: dict[str, None] = {}
    for name, tuned in fine_tune_all(jobs, workers=options.workers):
        write_results(top / name, name, tuned, about)
        notes |= dict.fromkeys(tuned.notes)
        progress.advance(bar)
        accuracy[name], f1[name] = 100 * tuned.metrics["accuracy"], 100 * tuned.metrics.get("f1", 0.0)
        told = ", ".join(f"{metric} {100 * value:.2f}" for metric, value in tuned.metrics.items())
        cut = "" if tuned.length == settings.sequence_length else f", pairs cut at {tuned.length} tokens"
        yield f"{name}: {told} (epoch {tuned.best_epoch} of {glue.GLUE_TASKS[name].epochs}{cut})"
    yield from (f"warning: {note}" for note in notes)
    averages = glue_averages(accuracy, f1)
    (other,) = averages.other.items()
    yield f"average: {averages.score:.2f} (F1 for mrpc and qqp; {other[0]}: {other[1]:.2f}), written to {top}"


def age_of_acquisition(options: argparse.Namespace, device: str, progress: "Progress") -> Iterator[str]:
    """Score the words at every checkpoint, write the official file, and tell how far they agree with children's."""
    from sleep_tune.evaluation import aoa, backends
    from sleep_tune.evaluation.result_folders import result_names

    data = options.data / "aoa"
    words = aoa.read_words(data / aoa.CONTEXTS)
    beside = (options.model / "checkpoints", options.model.resolve().parent / "checkpoints")
    folder = options.checkpoints or next((path for path in beside if path.is_dir()), beside[0])
    found, missing = aoa.find_checkpoints(folder, options.track)
    backend = backends.backend_of(next(iter(found.values())), options.backend)
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
    recorded = aoa.record(words, surprisals, model=str(options.model), expected=len(found) + len(missing))
    top = result_names(options.model, options.revision_name).zero_shot(options.output_dir, backend)
    path = aoa.write_surprisal(top, recorded)
    yield f"{len(words.contexts)} words in {len(words):,} contexts at {len(found)} checkpoints ({backend}): {path}"
    yield from (f"warning: {note}" for note in notes)
    if unread:
        yield f"warning: {unread} contexts are longer than the models read, or their word has no token: NaN"
    if missing:
        yield f"warning: {len(missing)} checkpoints of {options.track} are not in {folder}: {', '.join(missing)}"
    children = data / aoa.CHILDREN
    if not children.is_file():
        yield f"no agreement with children: {children} is not there"
        return
    ages = aoa.compare_with_children(recorded, children)
    yield (
        f"agreement with children: r = {ages.correlation:.3f} (p = {ages.p_value:.2g}) over {len(ages.words)} words "
        "that both learn within sight"
    )


def submit(options: argparse.Namespace) -> list[str]:
    """Write the file that is submitted, and tell where it is.

    Raises:
        DataError: something is missing or of another size than the challenge's; all of it is named.
    """
    from sleep_tune.errors import DataError
    from sleep_tune.evaluation import backends, collation, submission
    from sleep_tune.evaluation.result_folders import result_names

    backend = backends.backend_of(options.model, options.backend)
    top = result_names(options.model).folder(options.output_dir).parent
    wrong = submission.missing(top, backend, options.track)
    if wrong:
        shown = "\n".join(f"  {line}" for line in wrong)
        raise DataError(f"{top} is no whole submission for {options.track}; it lacks {len(wrong)} things:\n{shown}")
    path = collation.write_collation(top, backend, options.track, options.data)
    return [f"whole for {options.track}: {path} ({path.stat().st_size / 2**20:,.1f} MiB) is what the leaderboard takes"]
