"""A model's zero-shot scores, from folders of tasks to the files that are left: all that BabyLM's protocol has.

Knows no command line and no terminal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune.errors import DataError
from sleep_tune.evaluation import official_files, score_files
from sleep_tune.evaluation.positions import readable_positions
from sleep_tune.evaluation.reading_times import FILE, ReadingScorer, Surprisal, read_times, report
from sleep_tune.evaluation.suite import Suite, TaskScores, TooLong
from sleep_tune.evaluation.tasks import TASKS
from sleep_tune.files import write_whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["READING", "Scored", "score", "write"]

READING = "reading"


@dataclass(frozen=True, slots=True)
class Scored:
    """What came out."""

    tasks: tuple[TaskScores, ...]
    reading: Surprisal | None
    reading_scores: dict[str, float]
    """Name -> percent; empty where reading was not scored."""
    too_long: tuple[TooLong, ...]

    @property
    def scores(self) -> dict[str, float]:
        """Every score in percent, by its name."""
        return {result.name: result.score for result in self.tasks} | self.reading_scores


def score(
    folders: Mapping[str, Path],
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    *,
    backend: str,
    batch_tokens: int,
    precision: str,
    ready: Callable[[int], None],
    advance: Callable[[int], None],
) -> Scored:
    """Read, tokenise and score.

    Args:
        folders: names of TASKS, and reading -> where they are; see `suite.find_folders`.
        model: on its own device; it is left undisturbed.
        tokenizer: its own, a fast one.
        backend: a name of BACKENDS.
        batch_tokens: tokens in one forward pass, at most.
        precision: a name of PRECISIONS.
        ready: told, before the model is asked, how many tokens it will read.
        advance: told after each batch how many more have been read.

    Raises:
        DataError: a file or line is not as its task needs it, or the model can read no task's texts.
    """
    limit = readable_positions(model)
    zero_shot = {name: path for name, path in folders.items() if name in TASKS}
    suite = Suite(zero_shot, tokenizer, backend=backend, batch_tokens=batch_tokens, positions=limit)
    too_long = suite.too_long
    reading = None
    if READING in folders:
        times = read_times(folders[READING] / FILE)
        reading = ReadingScorer(times, tokenizer, backend=backend, batch_tokens=batch_tokens)
        if limit is not None and reading.longest > limit:
            too_long += (TooLong(READING, reading.num_longer(limit), len(times.words), reading.longest),)
            reading = None
    if not suite.names and reading is None:
        texts = ", ".join(f"{one.name} has a text of {one.longest} tokens" for one in too_long)
        raise DataError(f"the model must read the texts of at least one task; it has {limit} positions: {texts}")
    ready(suite.num_tokens + (reading.num_tokens if reading is not None else 0))
    tasks = suite.score(model, advance, precision=precision)
    surprisal = reading.score(model, advance) if reading is not None else None
    return Scored(tasks, surprisal, surprisal.scores(times) if surprisal is not None else {}, too_long)


def write(top: Path, scored: Scored, warnings: Sequence[str], what: Mapping[str, str]) -> None:
    """Write the official files, the items' margins and, last, the scores.

    Args:
        top: the back end's folder of a model's results.
        scored: what came out.
        warnings: what a reader must know.
        what: model, back end and the like, for scores.json.
    """
    for result in scored.tasks:
        folder = top / result.task.official / result.path.stem
        official_files.write_official(folder, result.task, result.items, result.scores, result.figures)
    if scored.reading is not None:
        write_whole(top / READING / official_files.PREDICTIONS, scored.reading.predictions())
        write_whole(top / READING / "report.txt", report(scored.reading_scores))
    if scored.tasks:
        score_files.write_items(top / score_files.ITEMS, score_files.items_table(scored.tasks))
    content = {
        **what,
        "scores": scored.scores | {"macro": score_files.macro(scored.scores)},
        "tasks": score_files.details(scored.tasks),
        "warnings": list(warnings),
    }
    score_files.write_scores(top / score_files.SCORES, content)
