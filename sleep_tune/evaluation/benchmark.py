"""BabyLM's tasks as a training run is scored on them: flat metrics in percent.

The keys are `babylm/<folder>`, for the two scores of reading `babylm/reading_eye_tracking` and
`babylm/reading_self_paced`; `babylm/macro` is `benchmark_average` over all of them. Those of 2026 begin with
`babylm2026/`.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune.babylm.averages import benchmark_average
from sleep_tune.babylm.protocols import ABSENT, PROTOCOLS, Protocol
from sleep_tune.errors import DataError
from sleep_tune.evaluation.model_folder import load_fast_tokenizer
from sleep_tune.evaluation.suite import Suite, TaskScores
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import own_tasks
from sleep_tune.files import expanded
from sleep_tune.import_paths import function_name
from sleep_tune.names import TASKS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["TIES", "Benchmark", "cached_benchmark", "with_macro"]

TIES = "ties/"
"""First part of the names of shares of ties, in percent: items whose right option has the same score as another one.

The pipeline of 2025 counts them as right, so a model that gives all options the same score is right on all items. In
2026 such an item counts as 1/k, with k options that have the best score. Items with
two options of the same tokens tie for every model and are left out.
"""


class Benchmark:
    """Tasks of a folder, prepared once and scored by any number of models with the same tokenizer.

    Args:
        data: such as evaluation_data/fast_eval.
        tokenizer: a fast one.
        only: folders or import paths (`own_tasks`) that are scored; empty: all folders that exist.
        without: the same that are ignored.
        backend: a name of BACKENDS.
        batch_tokens: highest number of tokens in one forward pass.
        positions: tokens in the longest text that the models can read; tasks with a longer one are skipped and listed
            in `too_long`.
        protocol: the year's rules; folders that are not its own are not read.

    Raises:
        DataError: there is no such folder or task, a line is not as its task needs it, or a task in `only` has a text
            that is too long.
        ConfigError: a function of the user's cannot be imported, or yields something else than items.
    """

    def __init__(
        self,
        data: Path,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        backend: str,
        batch_tokens: int,
        positions: int,
        protocol: Protocol = PROTOCOLS[ABSENT],
    ) -> None:
        self._prefix = protocol.prefix
        own = own_tasks((*only, *without))
        chosen, left_out = (tuple(map(function_name, names)) for names in (only, without))
        found = find_task_folders(data, (*(name for name in TASKS if name in protocol.folders), *own), chosen)
        folders = {name: path for name, path in found.items() if name not in left_out}
        self._suite = Suite(
            folders,
            tokenizer,
            backend=backend,
            own=own,
            protocol=protocol,
            batch_tokens=batch_tokens,
            positions=positions,
        )
        self.too_long = self._suite.too_long
        """Tasks that are skipped."""
        self.answers: tuple[TaskScores, ...] = ()
        """Scores of the items, by the model that was scored last."""
        for task in self.too_long:
            if task.name in chosen:
                raise DataError(
                    f"evaluation.tasks names {task.name}, but {task.items} of its {task.of} items are longer than the "
                    f"model can read: up to {task.longest} tokens, while data.max_length={positions}; raise "
                    "data.max_length, or remove the task"
                )

    def score(self, model: "PreTrainedModel") -> dict[str, float]:
        """Return the scores of all tasks and their shares of ties, in percent; the model stays as it was."""
        scored = self._suite.score(model)
        self.answers = scored.tasks
        metrics: dict[str, float] = {}
        for task in scored.tasks:
            metrics[f"{self._prefix}{task.name}"] = task.score
            metrics[f"{TIES}{task.name}"] = 100.0 * task.ties
        return metrics | {f"{self._prefix}{name}": value for name, value in scored.reading.items()}


@functools.lru_cache(maxsize=4)
def cached_benchmark(
    data: str,
    tokenizer_dir: Path,
    only: tuple[str, ...],
    without: tuple[str, ...],
    backend: str,
    batch_tokens: int,
    positions: int,
    year: str = ABSENT,
) -> Benchmark:
    """Return a benchmark by a year's protocol, made once in a process for all runs with the same arguments."""
    return Benchmark(
        expanded(data),
        load_fast_tokenizer(tokenizer_dir, backend),
        only=only,
        without=without,
        backend=backend,
        batch_tokens=batch_tokens,
        positions=positions,
        protocol=PROTOCOLS[year],
    )


def with_macro(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics with the macro average of each protocol that has scores among them, such as `babylm/macro`."""
    averages = {}
    for protocol in PROTOCOLS.values():
        scores = {
            name.removeprefix(protocol.prefix): value
            for name, value in metrics.items()
            if name.startswith(protocol.prefix) and name != protocol.macro
        }
        if (average := benchmark_average(scores)) is not None:
            averages[protocol.macro] = average
    return {**metrics, **averages}
