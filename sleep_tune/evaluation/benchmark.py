"""BabyLM's tasks as a run is scored on them: made ready once, and each model's scores as flat numbers in percent.

Knows no trainer, no reports and no other measure. The keys are `babylm/<folder>`, of reading's two scores
`babylm/reading_eye_tracking` and `babylm/reading_self_paced`; `babylm/macro` is `babylm.benchmark_averages`.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune.babylm.averages import benchmark_averages
from sleep_tune.babylm.score_names import MACRO
from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import load_tokenizer
from sleep_tune.evaluation.minimal_pairs import MASKED
from sleep_tune.evaluation.reading_times import FILE, ReadingScorer, read_times
from sleep_tune.evaluation.suite import Suite, TaskScores, TooLong, find_folders
from sleep_tune.files import expanded
from sleep_tune.names import TASKS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["PREFIX", "TIES", "Benchmark", "prepared", "with_macro"]

PREFIX = "babylm/"
"""First part of the scores' names."""

TIES = "ties/"
"""First part of the names of shares of items, in percent, whose right option another one equals to the last digit.

The pipeline counts those as right, so that a model that answers a constant is right on all. Items whose options are the
same tokens tie in every model and are left out.
"""

READING = "reading"


class Benchmark:
    """Tasks of a folder, made ready once and put to any number of models with the same tokenizer.

    Args:
        data: such as evaluation_data/fast_eval.
        tokenizer: a fast one.
        only: folders that are scored; empty: all that are there.
        without: folders that are passed over.
        backend: a name of BACKENDS.
        batch_tokens: tokens in one forward pass, at most.
        positions: tokens in the longest text that the models can read; tasks with longer ones are left out, and told in
            `too_long`.

    Raises:
        DataError: there is no such folder or task, a line is not as its task needs it, or a task named in `only` has a
            text that is too long.
    """

    def __init__(
        self,
        data: Path,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        backend: str = "mlm",
        batch_tokens: int,
        positions: int,
    ) -> None:
        folders = {name: path for name, path in find_folders(data, TASKS, only).items() if name not in without}
        reading = folders.pop(READING, None)
        self._times = None if reading is None else read_times(reading / FILE)
        self._reading = None
        too_long: list[TooLong] = []
        if self._times is not None:
            made = ReadingScorer(self._times, tokenizer, backend=backend, batch_tokens=batch_tokens)
            if made.longest <= positions:
                self._reading = made
            else:
                too_long.append(TooLong(READING, made.num_longer(positions), len(self._times.words), made.longest))
        self._suite = None
        if folders:
            self._suite = Suite(folders, tokenizer, backend=backend, batch_tokens=batch_tokens, positions=positions)
            too_long += self._suite.too_long
        self.too_long = tuple(too_long)
        """Tasks that are left out."""
        self.answers: tuple[TaskScores, ...] = ()
        """What the model that was scored last answered, item by item."""
        for task in self.too_long:
            if task.name in only:
                raise DataError(
                    f"evaluation.tasks names {task.name}, of which {task.items} of {task.of} items are longer than a "
                    f"model reads: up to {task.longest} tokens, data.max_length={positions}; raise it, or drop that"
                )

    def score(self, model: "PreTrainedModel") -> dict[str, float]:
        """Scores of all tasks, in percent, and the shares of ties; the model is left undisturbed."""
        metrics: dict[str, float] = {}
        self.answers = () if self._suite is None else self._suite.score(model)
        for scores in self.answers:
            metrics[f"{PREFIX}{scores.name}"] = scores.score
            metrics[f"{TIES}{scores.name}"] = 100.0 * scores.ties
        if self._reading is not None and self._times is not None:
            scored = self._reading.score(model).scores(self._times)
            metrics |= {f"{PREFIX}{name}": value for name, value in scored.items()}
        return metrics


@functools.lru_cache(maxsize=4)
def prepared(
    data: str, tokenizer_dir: Path, only: tuple[str, ...], without: tuple[str, ...], batch_tokens: int, positions: int
) -> Benchmark:
    """The benchmark of the masked models that are trained here; made once in a process, for all its runs alike."""
    tokenizer = load_tokenizer(tokenizer_dir, MASKED)
    return Benchmark(
        expanded(data),
        tokenizer,
        only=only,
        without=without,
        backend=MASKED,
        batch_tokens=batch_tokens,
        positions=positions,
    )


def with_macro(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics, and `babylm/macro` over all scores among them; unchanged where there are none."""
    scores = {
        name.removeprefix(PREFIX): value
        for name, value in metrics.items()
        if name.startswith(PREFIX) and name != PREFIX + MACRO
    }
    averages = benchmark_averages(scores)
    return dict(metrics) if averages is None else {**metrics, PREFIX + MACRO: averages.score}
