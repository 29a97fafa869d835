"""The zero-shot tasks of the evaluation command: score a model, write its files, and make the table that is printed."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from rich.table import Table

from sleep_tune.babylm.challenge import CHANCE, FOLDERS
from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL, folders_of_other_protocols, protocol_of_data
from sleep_tune.babylm.protocols import EXPECTED_CREDIT, Protocol
from sleep_tune.babylm.score_names import MACRO
from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import AUTO, choose_backends
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from sleep_tune.evaluation.positions import readable_positions, trained_positions
from sleep_tune.evaluation.result_folders import result_names
from sleep_tune.evaluation.score_files import (
    SCORES,
    macro_score,
    read_previous_scores,
    require_same_protocol,
    write_zero_shot,
)
from sleep_tune.evaluation.score_warnings import score_warnings
from sleep_tune.evaluation.suite import Suite, SuiteScores, TaskScores
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import Task, own_tasks
from sleep_tune.evaluation.tie_rules import SEED
from sleep_tune.import_paths import function_name
from sleep_tune.names import TASKS

__all__ = ["BackendScores", "Begin", "ZeroShot", "run_zero_shot", "score_rows", "score_zero_shot"]

Begin = Callable[[str, int | None], Callable[[int], None]]
"""Function that begins a part of the work, by its description and number of tokens (None: unknown), and returns a
function to be called with the number of tokens of each step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroShot:
    """What is scored, and how."""

    model: Path
    """Folder of the model."""
    data: Path
    """Folder of the tasks."""
    tasks: tuple[str, ...] = ()
    """Folders, tasks, or import paths of functions; none: all tasks in the data."""
    backend: str = AUTO
    output_dir: Path = Path("results")
    batch_tokens: int = 16_384
    """Largest number of tokens in a forward pass."""
    device: str = "cpu"
    """cpu, cuda or mps."""
    dtype: str = AUTO
    revision_name: str | None = None
    """Revision in the path of the results; None: the checkpoint's name, or main."""
    trust_remote_code: bool = False
    protocol: str = AUTO_PROTOCOL
    """Year whose rules are followed, or AUTO_PROTOCOL."""
    seed: int = SEED
    """Seed of the draws among tied options."""
    draw_ties: bool = False
    """Whether scores follow these draws, where the protocol has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendScores:
    """A model's scores by one back end."""

    backend: str
    precision: str
    scored: SuiteScores
    warnings: tuple[str, ...]
    model: str
    """Name in the path of the results."""
    revision: str
    folder: Path
    """Where the files are."""


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
    given = {name: getattr(options, name) for name in ZeroShot.__dataclass_fields__ if name != "device"}
    bar = progress.add_task("")

    def begin(description: str, total: int | None) -> Callable[[int], None]:
        progress.update(bar, description=description, total=total)
        return lambda tokens: progress.advance(bar, tokens)

    for scores in score_zero_shot(ZeroShot(**given, device=device), begin):
        yield _table(scores.scored, f"{options.model} ({scores.backend}, {scores.precision} on {device})")
        yield from (f"warning: {warning}" for warning in scores.warnings)
        yield f"written to {scores.folder}"


def score_zero_shot(what: ZeroShot, begin: Begin) -> Iterator[BackendScores]:
    """Score a model by each of its back ends, write the files, and yield the scores.

    Raises:
        DataError: the model or the data cannot be used.
        ConfigError: a function of the user's own cannot be imported, or yields something else than items.
    """
    own = own_tasks(what.tasks, "--tasks")
    protocol = protocol_of_data(what.data, what.protocol)
    known = (*(name for name in FOLDERS if name in TASKS and name in protocol.folders), *own)
    folders = find_task_folders(what.data, known, [function_name(task) for task in what.tasks])
    for backend in choose_backends(what.model, what.backend):
        yield _score(what, protocol, folders, own, backend, begin)


def _score(
    what: ZeroShot,
    protocol: Protocol,
    folders: Mapping[str, Path],
    own: Mapping[str, Task],
    backend: str,
    begin: Begin,
) -> BackendScores:
    """Score the model by one back end, and write the files."""
    names = result_names(what.model, what.revision_name)
    top = names.zero_shot(what.output_dir, backend)
    require_same_protocol(top / SCORES, protocol)
    precision = _precision(what.dtype, what.device)
    trust = {"trust_remote_code": what.trust_remote_code}
    notes: list[str] = []
    if ignored := folders_of_other_protocols(what.data, protocol):
        notes.append(f"{', '.join(ignored)} in {what.data} are not part of protocol {protocol.year}: not scored")
    begin("reading and tokenising", None)
    model = load_model(what.model, backend, note=notes.append, **trust)
    tokenizer = load_fast_tokenizer(what.model, backend, model, **trust)
    model.to(what.device)  # type: ignore[arg-type]
    limit = readable_positions(model)
    suite = Suite(
        folders,
        tokenizer,
        backend=backend,
        batch_tokens=what.batch_tokens,
        positions=limit,
        own=own,
        protocol=protocol,
        seed=what.seed,
        draw_ties=what.draw_ties,
    )
    if not suite.names:
        texts = ", ".join(f"{one.name} has a text of {one.longest} tokens" for one in suite.too_long)
        raise DataError(f"the model must read the texts of at least one task; it has {limit} positions: {texts}")
    advance = begin(f"scoring ({backend}) {', '.join(suite.names)}", suite.num_tokens)
    scored = suite.score(model, advance, precision=precision)
    warnings = (
        *notes,
        *score_warnings(scored.tasks, too_long=suite.too_long, positions=trained_positions(model), protocol=protocol),
        *_overwritten(top, what.model, scored),
    )
    drawn = what.draw_ties and protocol.ties == EXPECTED_CREDIT
    about = {
        "model": str(what.model),
        "revision": names.revision,
        "backend": backend,
        "precision": precision,
        "protocol": protocol.year,
        "ties": f"drawn with seed {what.seed}" if drawn else protocol.ties,
    }
    write_zero_shot(top, scored, warnings, about)
    return BackendScores(
        backend=backend,
        precision=precision,
        scored=scored,
        warnings=warnings,
        model=names.model,
        revision=names.revision,
        folder=top,
    )


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


def score_rows(scored: SuiteScores) -> list[dict[str, Any]]:
    """Return task, items, score, chance (both in percent) and ties (a share) of each task, and the macro average last.

    What a task does not have is None: reading has words instead of items.
    """
    rows: list[dict[str, Any]] = []
    for result in scored.tasks:
        chance = CHANCE[FOLDERS[result.name]] if result.name in FOLDERS else _chance(result)
        numbers = {"items": len(result.items), "score": result.score, "chance": chance, "ties": result.ties}
        rows.append({"task": result.name, **numbers})
    if scored.surprisal is not None:
        for name, score in scored.reading.items():
            words = len(scored.surprisal.words)
            rows.append({"task": name, "items": words, "score": score, "chance": CHANCE["reading"], "ties": None})
    average = macro_score(scored.scores)
    if average is not None:
        rows.append({"task": MACRO, "items": None, "score": average, "chance": None, "ties": None})
    return rows


def _table(scored: SuiteScores, title: str) -> Table:
    """Return the table of scores, with chance levels and shares of ties."""
    table = Table(title=title, title_justify="left")
    table.add_column("task", no_wrap=True)
    for heading in ("items", "score", "chance", "ties"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in score_rows(scored):
        if row["task"] == MACRO:
            table.add_section()
        name = f"{MACRO} average" if row["task"] == MACRO else row["task"]
        written = [("items", "{:,}"), ("score", "{:.2f}"), ("chance", "{:.0f}"), ("ties", "{:.1%}")]
        table.add_row(name, *("" if row[key] is None else text.format(row[key]) for key, text in written))
    return table
