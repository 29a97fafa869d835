"""The zero-shot tasks of the evaluation command: score a model, write its files, and make the table that is printed."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from rich.progress import Progress
from rich.table import Table

from sleep_tune.babylm.challenge import CHANCE, FOLDERS
from sleep_tune.babylm.score_names import MACRO
from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import choose_backends
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from sleep_tune.evaluation.positions import readable_positions, trained_positions
from sleep_tune.evaluation.result_folders import result_names
from sleep_tune.evaluation.score_files import SCORES, macro_score, read_previous_scores, write_zero_shot
from sleep_tune.evaluation.score_warnings import score_warnings
from sleep_tune.evaluation.suite import Suite, SuiteScores, TaskScores
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import Task, own_tasks
from sleep_tune.import_paths import function_name
from sleep_tune.names import TASKS

__all__ = ["run_zero_shot"]


def run_zero_shot(options: argparse.Namespace, device: str, progress: Progress) -> Iterator[Table | str]:
    """Score the model on the tasks in the data, and yield for each back end the table, the warnings and the folder.

    Args:
        options: arguments of the command.
        device: of the model.
        progress: shows a bar for the tokens that were read.

    Raises:
        DataError: the model or the data cannot be used.
        ConfigError: a function of the user's own cannot be imported, or yields something else than items.
    """
    own = own_tasks(options.tasks, "--tasks")
    known = (*(name for name in FOLDERS if name in TASKS), *own)
    folders = find_task_folders(options.data, known, [function_name(task) for task in options.tasks])
    for backend in choose_backends(options.model, options.backend):
        yield from _score(options, folders, own, backend, device, progress)


def _score(
    options: argparse.Namespace,
    folders: Mapping[str, Path],
    own: Mapping[str, Task],
    backend: str,
    device: str,
    progress: Progress,
) -> Iterator[Table | str]:
    """Score the model by one back end, write the files, and yield the table, the warnings and the folder."""
    precision = _precision(options.dtype, device)
    trust = {"trust_remote_code": options.trust_remote_code}
    notes: list[str] = []
    model = load_model(options.model, backend, note=notes.append, **trust)
    tokenizer = load_fast_tokenizer(options.model, backend, model, **trust)
    model.to(device)  # type: ignore[arg-type]
    bar = progress.add_task("reading and tokenising", total=None)
    limit = readable_positions(model)
    suite = Suite(folders, tokenizer, backend=backend, batch_tokens=options.batch_tokens, positions=limit, own=own)
    if not suite.names:
        texts = ", ".join(f"{one.name} has a text of {one.longest} tokens" for one in suite.too_long)
        raise DataError(f"the model must read the texts of at least one task; it has {limit} positions: {texts}")
    progress.update(bar, description=f"scoring ({backend}) {', '.join(suite.names)}", total=suite.num_tokens)
    scored = suite.score(model, lambda tokens: progress.advance(bar, tokens), precision=precision)
    names = result_names(options.model, options.revision_name)
    top = names.zero_shot(options.output_dir, backend)
    warnings = (
        *notes,
        *score_warnings(scored.tasks, too_long=suite.too_long, positions=trained_positions(model)),
        *_overwritten(top, options.model, scored),
    )
    about = {"model": str(options.model), "revision": names.revision, "backend": backend, "precision": precision}
    write_zero_shot(top, scored, warnings, about)
    yield score_table(scored, f"{options.model} ({backend}, {precision} on {device})")
    yield from (f"warning: {warning}" for warning in warnings)
    yield f"written to {top}"


def _precision(given: str, device: str) -> str:
    """Return a name of PRECISIONS: on a CPU bf16 is no faster, so it is used only if it is given."""
    if given != "auto":
        return given
    return "bf16" if device == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def _overwritten(top: Path, model: Path, scored: SuiteScores) -> Iterator[str]:
    """Yield a warning if results of another model of the same name, or scores of other tasks, are overwritten."""
    other, names = read_previous_scores(top / SCORES)
    if other is not None and Path(other).resolve() != model.resolve():
        yield (
            f"{top} held the results of another model with the same name, {other}; its files of tasks that were not "
            "scored now are still there: give each model its own --output-dir"
        )
    elif lost := [name for name in names if name not in (*scored.scores, MACRO)]:
        yield (
            f"{top / SCORES} held scores of {', '.join(lost)} too, which were not scored now: they are no longer in "
            "the file nor in its macro average; score all tasks in one command to have them in one file"
        )


def _chance(result: TaskScores) -> float:
    """Return the percentage of items that are right if each option is chosen equally often."""
    return 100.0 * sum(1 / len(item.options) for item in result.items) / len(result.items)


def score_table(scored: SuiteScores, title: str) -> Table:
    """Return the table of scores, with chance levels and shares of ties."""
    table = Table(title=title, title_justify="left")
    table.add_column("task", no_wrap=True)
    for heading in ("items", "score", "chance", "ties"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in scored.tasks:
        chance = CHANCE[FOLDERS[result.name]] if result.name in FOLDERS else _chance(result)
        table.add_row(
            result.name, f"{len(result.items):,}", f"{result.score:.2f}", f"{chance:.0f}", f"{result.ties:.1%}"
        )
    if scored.surprisal is not None:
        for name, score in scored.reading.items():
            words = len(scored.surprisal.words)
            table.add_row(name, f"{words:,}", f"{score:.2f}", f"{CHANCE['reading']:.0f}", "")
    average = macro_score(scored.scores)
    if average is not None:
        table.add_section()
        table.add_row(f"{MACRO} average", "", f"{average:.2f}", "", "")
    return table
