"""BabyLM's zero-shot tasks of a folder, scored together in one process. Knows no reports' places and no terminal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.score_names import wug_score
from sleep_tune.errors import DataError, unknown
from sleep_tune.evaluation.item_scorer import ItemScorer
from sleep_tune.evaluation.items import Item, margin
from sleep_tune.evaluation.precision import PRECISIONS
from sleep_tune.evaluation.task_report import RHO, TaskReport
from sleep_tune.evaluation.tasks import TASKS, Task, read_items

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Suite", "TaskScores", "TooLong", "find_folders"]


@dataclass(frozen=True, slots=True)
class TaskScores:
    """A task, scored."""

    name: str
    """Its folder's name, as blimp_fast."""
    task: Task
    path: Path
    items: tuple[Item, ...]
    scores: tuple[NDArray[np.float64], ...]
    """Of each item's options, in nats."""
    figures: TaskReport
    """As the official report has them."""
    alike: NDArray[np.bool_]
    """Of each item: whether two of its options are the same tokens."""
    longest: NDArray[np.int64]
    """Of each item: tokens that are read for its longest option."""

    @property
    def score(self) -> float:
        """The task's score in percent; a rank correlation times 100."""
        return wug_score(self.figures.average) if self.figures.metric == RHO else self.figures.average

    @property
    def ties(self) -> float:
        """Share, in [0, 1], of the items whose right option and another score the same without being the same tokens.

        They count as right, so that a model that scores a constant has a perfect score.
        """
        leads = [margin(scores, item.label) for item, scores in zip(self.items, self.scores, strict=True)]
        return float(np.mean((np.array(leads) == 0) & ~self.alike))


@dataclass(frozen=True, slots=True)
class TooLong:
    """A task that the model cannot read: the official pipeline fails on it, too."""

    name: str
    items: int
    """Items with an option longer than the model's positions."""
    of: int
    longest: int
    """Tokens of its longest option."""


def find_folders(data: Path, known: Iterable[str], only: Sequence[str] = ()) -> dict[str, Path]:
    """The task folders, or zips of them, that a folder holds.

    Args:
        data: such as evaluation_data/fast_eval.
        known: names of folders that count, in the order in which they are to be returned.
        only: keep these: names of folders (blimp_fast), or of tasks (blimp) whichever of their folders is there. Empty:
            all that are there.

    Returns:
        Folder's name -> its path; a folder goes before a zip of the same name.

    Raises:
        DataError: `data` is no folder, holds none of the tasks, or not one that was asked for.
    """
    names = tuple(known)
    if not data.is_dir():
        raise DataError(f"{data} must be a folder of tasks, such as evaluation_data/fast_eval; there is no such folder")
    found = {}
    for name in names:
        places = (data / name, data / f"{name}.zip")
        present = [path for path in places if path.is_dir() or (path.suffix == ".zip" and path.is_file())]
        if present:
            found[name] = present[0]
    if not found:
        inside = f"{data} is one of them: did you mean {data.parent}?" if data.name in names else "it holds none"
        raise DataError(f"{data} must hold at least one task's folder (or zip): {', '.join(names)}; {inside}")
    if not only:
        return found
    tasks = {FOLDERS[name] for name in names if name in FOLDERS}
    wanted = set()
    for asked in only:
        if asked not in names and asked not in tasks:
            raise DataError(unknown("task", asked, {*names, *tasks}))
        chosen = {name for name in found if asked in (name, FOLDERS.get(name))}
        if not chosen:
            raise DataError(f"{data} must hold {asked}, which was asked for; it holds {', '.join(found)}")
        wanted |= chosen
    return {name: path for name, path in found.items() if name in wanted}


class Suite:
    """Tasks made ready once, all their rows together, and put to any number of models with the same tokenizer."""

    def __init__(
        self,
        folders: Mapping[str, Path],
        tokenizer: "PreTrainedTokenizerBase",
        *,
        backend: str,
        batch_tokens: int,
        positions: int | None = None,
    ) -> None:
        """Read and tokenise the tasks and plan the batches.

        Args:
            folders: names of TASKS -> where they are; see `find_folders`.
            tokenizer: of the models, a fast one.
            backend: a name of BACKENDS.
            batch_tokens: tokens in one forward pass, at most.
            positions: tokens in the longest text that the model can read; a task with a longer one is left out, and
                told in `too_long`.

        Raises:
            DataError: a file or line is not as its task needs it.
        """
        read = {name: read_items(TASKS[name], path) for name, path in folders.items()}
        every = ItemScorer(
            [item for items in read.values() for item in items], tokenizer, backend=backend, batch_tokens=batch_tokens
        )
        longest, alike = every.longest(), every.alike()
        fits = np.ones(len(every.items), dtype=np.bool_)
        self.too_long: tuple[TooLong, ...] = ()
        """Tasks that are left out."""
        self._parts: list[tuple[str, Path, tuple[Item, ...], NDArray[np.bool_], NDArray[np.int64]]] = []
        start = 0
        for name, items in read.items():
            here = slice(start, start + len(items))
            start += len(items)
            over = int((longest[here] > positions).sum()) if positions is not None else 0
            if over:
                fits[here] = False
                self.too_long += (TooLong(name, over, len(items), int(longest[here].max())),)
            else:
                self._parts.append((name, folders[name], items, alike[here], longest[here]))
        self._questions = every if fits.all() else every.subset(np.flatnonzero(fits))

    @property
    def num_tokens(self) -> int:
        """Tokens that a model reads: what `advance` adds up to."""
        return self._questions.num_tokens

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks that are scored."""
        return tuple(name for name, *_ in self._parts)

    def score(
        self, model: "PreTrainedModel", advance: Callable[[int], None] | None = None, *, precision: str = "fp32"
    ) -> tuple[TaskScores, ...]:
        """Score all tasks, leaving the model undisturbed.

        Args:
            model: any that the back end can ask, on its own device.
            advance: told after each batch how many more tokens have been read.
            precision: a name of PRECISIONS; both make the same choices.
        """
        scores = PRECISIONS[precision](self._questions, model, advance)
        results = []
        start = 0
        for name, path, items, alike, longest in self._parts:
            mine = scores[start : start + len(items)]
            start += len(items)
            task = TASKS[name]
            results.append(TaskScores(name, task, path, items, mine, task.figures(items, mine), alike, longest))
        return tuple(results)
