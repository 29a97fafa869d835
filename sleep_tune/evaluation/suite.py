"""BabyLM's zero-shot tasks, prepared once and scored together by any number of models.

suite = Suite(find_task_folders(data, TASKS), tokenizer, backend="mlm", batch_tokens=16_384)
suite.score(model).scores  # {"blimp_fast": 71.2, ...}
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sleep_tune.babylm.protocols import ABSENT, PROTOCOLS, Protocol
from sleep_tune.babylm.score_names import wug_score
from sleep_tune.evaluation.item_scorer import ItemScorer
from sleep_tune.evaluation.items import Item, margin
from sleep_tune.evaluation.precision import PRECISIONS
from sleep_tune.evaluation.reading_times import FILE, ReadingScorer, Surprisal, read_times
from sleep_tune.evaluation.task_report import RHO, TaskReport
from sleep_tune.evaluation.tasks import Task, read_items, tasks_of
from sleep_tune.evaluation.tie_rules import SEED, Decisions, decide

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["READING", "LongTask", "Suite", "SuiteScores", "TaskScores"]

READING = "reading"
"""Name of the one task that has no items with options."""


@dataclass(frozen=True, slots=True)
class TaskScores:
    """A model's scores on one task."""

    name: str
    """Name of the task's folder, such as blimp_fast."""
    task: Task
    path: Path
    items: tuple[Item, ...]
    scores: tuple[NDArray[np.float64], ...]
    """For each item (number of options,) log-probabilities in nats."""
    report: TaskReport
    """The numbers of the official report."""
    alike: NDArray[np.bool_]
    """(number of items,) whether two options of the item are the same tokens."""
    longest: NDArray[np.int64]
    """(number of items,) tokens that are read for the item's longest option."""
    decisions: Decisions
    """The model's choices, and what each is worth."""

    @property
    def score(self) -> float:
        """The task's score in percent; a rank correlation times 100."""
        return wug_score(self.report.average) if self.report.metric == RHO else self.report.average

    @property
    def ties(self) -> float:
        """Share, in [0, 1], of items whose right option has the same score as another one of other tokens.

        The protocol says what they count: in 2025 a tie whose first option is right counts as right.
        """
        leads = [margin(scores, item.label) for item, scores in zip(self.items, self.scores, strict=True)]
        return float(np.mean((np.array(leads) == 0) & ~self.alike))


@dataclass(frozen=True, slots=True)
class LongTask:
    """A task that is skipped because texts are too long for the model; the official pipeline fails on it."""

    name: str
    items: int
    """Number of items with a text longer than the model can read."""
    of: int
    """Number of all items."""
    longest: int
    """Tokens of the longest text."""


@dataclass(frozen=True, slots=True)
class SuiteScores:
    """A model's scores on all tasks of a suite."""

    tasks: tuple[TaskScores, ...]
    surprisal: Surprisal | None
    """The model's answers on the task `reading`; None if it was not scored."""
    reading: dict[str, float]
    """Name -> percent; empty if reading was not scored."""

    @property
    def scores(self) -> dict[str, float]:
        """Name -> score in percent, of all tasks."""
        return {result.name: result.score for result in self.tasks} | self.reading


class Suite:
    """Tasks that are read and tokenised once, and scored by any number of models with the same tokenizer.

    Args:
        folders: name of a task, from `tasks_of(protocol)`, `own` or READING -> its path; see `find_task_folders`.
        tokenizer: of the models; a fast one.
        backend: a name of BACKENDS.
        batch_tokens: highest number of tokens in one forward pass.
        positions: tokens in the longest text that the models can read; tasks with a longer one are skipped and listed
            in `too_long`. None: no limit.
        own: tasks of the user's own code by name (`own_tasks`).
        protocol: the year's rules.
        seed: of draws among tied options.
        draw_ties: whether scores follow these draws; else a tie counts as the protocol says.

    Raises:
        DataError: a file or line is not as its task needs it.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        tokenizer: "PreTrainedTokenizerBase",
        *,
        backend: str,
        batch_tokens: int,
        positions: int | None = None,
        own: Mapping[str, Task] | None = None,
        protocol: Protocol = PROTOCOLS[ABSENT],
        seed: int = SEED,
        draw_ties: bool = False,
    ) -> None:
        self._tasks = tasks_of(protocol) | dict(own or {})
        self._ties, self._seed, self._draw_ties = protocol.ties, seed, draw_ties
        read = {name: read_items(self._tasks[name], path) for name, path in folders.items() if name != READING}
        every = ItemScorer(
            [item for items in read.values() for item in items], tokenizer, backend=backend, batch_tokens=batch_tokens
        )
        longest, alike = every.longest(), every.alike()
        fits = np.ones(len(every.items), dtype=np.bool_)
        too_long: list[LongTask] = []
        self._parts: list[tuple[str, Path, tuple[Item, ...], NDArray[np.bool_], NDArray[np.int64]]] = []
        start = 0
        for name, items in read.items():
            here = slice(start, start + len(items))
            start += len(items)
            over = int((longest[here] > positions).sum()) if positions is not None else 0
            if over:
                fits[here] = False
                too_long.append(LongTask(name, over, len(items), int(longest[here].max())))
            else:
                self._parts.append((name, folders[name], items, alike[here], longest[here]))
        self._items = every if fits.all() else every.subset(np.flatnonzero(fits))
        self._times, self._reading = None, None
        if READING in folders:
            times = read_times(folders[READING] / FILE)
            reading = ReadingScorer(times, tokenizer, backend=backend, batch_tokens=batch_tokens)
            if positions is None or reading.longest <= positions:
                self._times, self._reading = times, reading
            else:
                over = reading.num_longer(positions)
                too_long.append(LongTask(READING, over, len(times.words), reading.longest))
        self.too_long = tuple(too_long)
        """Tasks that are skipped."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens that a model reads: the sum of the calls of `advance`."""
        return self._items.num_tokens + (self._reading.num_tokens if self._reading is not None else 0)

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks that are scored."""
        return (*(name for name, *_ in self._parts), *([READING] if self._reading is not None else []))

    def score(
        self, model: "PreTrainedModel", advance: Callable[[int], None] | None = None, *, precision: str = "fp32"
    ) -> SuiteScores:
        """Score all tasks; the model's mode and torch's random state stay as they were.

        Args:
            model: any that the back end can score, on its own device.
            advance: called after each batch with the number of tokens that it had.
            precision: a name of PRECISIONS; all lead to the same choices. Reading is always scored in float32.
        """
        scores = PRECISIONS[precision](self._items, model, advance)
        results = []
        start = 0
        for name, path, items, alike, longest in self._parts:
            own = scores[start : start + len(items)]
            start += len(items)
            task = self._tasks[name]
            decisions = decide(items, own, self._ties, seed=self._seed, draw=self._draw_ties)
            report = task.report(items, own, decisions.credits)
            results.append(TaskScores(name, task, path, items, own, report, alike, longest, decisions))
        if self._reading is None or self._times is None:
            return SuiteScores(tuple(results), None, {})
        surprisal = self._reading.score(model, advance)
        return SuiteScores(tuple(results), surprisal, surprisal.scores(self._times))
