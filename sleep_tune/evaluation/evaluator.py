"""The evaluation of a training run, at its rungs and at its end: a model's metrics as a flat dictionary.

Rows and pairs are drawn once, with the seed of the data: all runs of a study are evaluated on the same text with the
same masks (common random numbers), so their differences are far less noisy than their values. BabyLM's tasks have no
dev and test split: those that a search may use are scored on dev, all others on test.

How a probability is computed follows from the objective of the training. A hybrid model is evaluated in both ways that
it was trained for: masked, under plain names, and causal, under names such as causal/eval/nll. The second costs little:
a causal model reads a text once, and not once for each masked token.
"""

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sleep_tune.babylm.data_protocol import folders_of_other_protocols, protocol_of_data
from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import BACKENDS, variants
from sleep_tune.evaluation.benchmark import Benchmark, cached_benchmark, with_macro
from sleep_tune.evaluation.cloze import Cloze
from sleep_tune.evaluation.minimal_pairs import PairScorer, draw_pairs, pair_metrics
from sleep_tune.evaluation.perplexity import cloze_of_rows, text_positions
from sleep_tune.evaluation.score_files import item_rows, items_table, write_items
from sleep_tune.files import expanded, write_whole
from sleep_tune.metric_names import of_variant
from sleep_tune.sleep.randomness import Purpose, generator

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sleep_tune.config.schema import EvaluationConfig
    from sleep_tune.data.prepare import Corpus

__all__ = ["PREFIXES", "Evaluator"]

PREFIXES = {"dev": "eval", "test": "test"}
"""Split -> first part of its metrics' names. A search uses dev only; tables of results use test."""

LEFT_OUT = "left_out.json"
"""File with a list of the tasks that are not scored, each with the reason."""

PAIRS = "pairs"
"""Name of the corpus's own minimal pairs among the tasks in items.parquet."""

_ROWS, _PAIRS = 0, 1
"""Last index of the random streams that draw rows and pairs."""


@dataclass(frozen=True, slots=True)
class _Scorers:
    """Text and pairs of one split, on which every model is scored by one back end."""

    rows: Cloze
    pairs: PairScorer | None


class Evaluator:
    """Callable: model -> metrics of a split. It is made once per run; the model stays as it was.

    evaluator = Evaluator(corpus, config.evaluation, config.data.seed)
    evaluator(model)  # {"eval/nll": 4.1, "eval/pseudo_perplexity": 60.3, ...}
    """

    def __init__(self, corpus: "Corpus", evaluation: "EvaluationConfig", seed: int, *, objective: str = "mlm") -> None:
        """Draw the rows and pairs of dev; those of test are drawn when first needed, from random streams of their own.

        All BabyLM tasks that will be scored are read here, so a broken line is an error before the training.

        Args:
            corpus: rows, minimal pairs and tokenizer.
            evaluation: method, stride, numbers of rows and pairs, tokens in a forward pass; BabyLM's data and tasks.
            seed: data.seed, so that all runs of a study share the rows and pairs, whatever their own seeds.
            objective: training.objective, a key of OBJECTIVE_BACKENDS.

        Raises:
            DataError: a split has no text token; a minimal pair or a task in `evaluation.tasks` is longer than a row;
                or a task's file is broken; or `evaluation.protocol` is auto and the data is of two protocols.
        """
        self._corpus = corpus
        self._evaluation = evaluation
        self._seed = seed
        self._variants = variants(objective)
        self._splits = {"dev": self._draw("dev")}
        self._pairs_answered: dict[str, list[dict[str, Any]]] = {}
        self._benchmarks = self._benchmarks_of_splits()
        too_long = [
            f"{of_variant(self._variants[backend], task.name)} is not scored: {task.items} of its {task.of} items are "
            f"longer than the model can read, up to {task.longest} tokens, while "
            f"data.max_length={corpus.dev.max_length}"
            for (_, backend), benchmark in self._benchmarks.items()
            for task in benchmark.too_long
        ]
        self.left_out = (*self._folders_of_other_years(), *too_long)
        """Tasks of `evaluation.data` that are not scored, each with the reason."""
        for reason in self.left_out:
            warnings.warn(reason, stacklevel=2)

    def __call__(self, model: "PreTrainedModel", split: str = "dev") -> dict[str, float]:
        """Measure the model on 'dev' or 'test', on its own device.

        Returns:
            With prefix `eval/` for dev, `test/` for test: `nll`, the mean over text tokens, in nats; its exponential
            `perplexity`, or `pseudo_perplexity` of a masked model; and, if the corpus has minimal pairs and they are
            not switched off, `pairs_accuracy`, `pairs_ties` and `pairs/<paradigm>`, shares in [0, 1]. Of BabyLM's tasks
            `babylm2026/<folder>` (`babylm/<folder>` by the protocol of 2025) and `ties/<folder>`, in percent: on dev
            those of `evaluation.tasks` and `babylm2026/macro` over them, on test the others in `evaluation.data`. If
            the objective is hybrid, all of them again as the variant `causal/`.
        """
        if split not in self._splits:
            self._splits[split] = self._draw(split)
        return {
            of_variant(variant, name): value
            for backend, variant in self._variants.items()
            for name, value in self._measure(model, split, backend).items()
        }

    def _measure(self, model: "PreTrainedModel", split: str, backend: str) -> dict[str, float]:
        """Return the metrics by one back end, under plain names."""
        scorers = self._splits[split][backend]
        nll = -float(scorers.rows.score(model).mean())
        with np.errstate(over="ignore"):
            metrics = {"nll": nll, BACKENDS[backend].perplexity: float(np.exp(nll))}
        if scorers.pairs is not None:
            pairs = scorers.pairs.score(model)
            metrics |= pair_metrics(scorers.pairs.pairs, pairs)
            if split == "test":
                name = of_variant(self._variants[backend], PAIRS)
                self._pairs_answered[backend] = item_rows(name, scorers.pairs.items, list(pairs))
        metrics = {f"{PREFIXES[split]}/{name}": value for name, value in metrics.items()}
        benchmark = self._benchmarks.get((split, backend))
        scores = {} if benchmark is None else benchmark.score(model)
        return metrics | (with_macro(scores) if split == "dev" else scores)

    def write_answers(self, path: Path) -> None:
        """Write the scores of each item, by the model that was evaluated last, as a Parquet file.

        The items are those of BabyLM's tasks, and the corpus's own pairs of test as the task `pairs`. The columns are
        those of `score_files.items_table`; a task is named as its metric, such as causal/pairs. Items without a
        right answer are dropped, and there is no file without items. If tasks are not scored, `LEFT_OUT` is written
        beside the file.
        """
        if self.left_out:
            write_whole(path.parent / LEFT_OUT, json.dumps(self.left_out, ensure_ascii=False) + "\n")
        tables = [
            items_table(benchmark.answers, self._variants[backend])
            for (_, backend), benchmark in self._benchmarks.items()
            if benchmark.answers
        ]
        tables += [pd.DataFrame(rows) for rows in self._pairs_answered.values()]
        if tables:
            write_items(path, pd.concat(tables).dropna(subset=["correct"]))

    def _benchmarks_of_splits(self) -> dict[tuple[str, str], Benchmark]:
        """Return the tasks by split and back end."""
        evaluation, samples = self._evaluation, self._corpus.dev
        if evaluation.data is None:
            return {}
        shared = (evaluation.data, self._corpus.tokenizer_dir)
        year = protocol_of_data(expanded(evaluation.data), evaluation.protocol).year
        rules = (evaluation.batch_tokens, samples.max_length, year)
        benchmarks = {}
        for backend in self._variants:
            if evaluation.tasks:
                benchmarks["dev", backend] = cached_benchmark(*shared, evaluation.tasks, (), backend, *rules)
            if evaluation.test:
                benchmarks["test", backend] = cached_benchmark(*shared, (), evaluation.tasks, backend, *rules)
        return benchmarks

    def _folders_of_other_years(self) -> Iterator[str]:
        """Yield a sentence that names the folders in `evaluation.data` which only other years' protocols have."""
        if self._evaluation.data is None:
            return
        data = expanded(self._evaluation.data)
        protocol = protocol_of_data(data, self._evaluation.protocol)
        if names := folders_of_other_protocols(data, protocol):
            yield f"{', '.join(names)} in {data} cannot be scored by evaluation.protocol={protocol.year}"

    def _draw(self, split: str) -> dict[str, _Scorers]:
        """Return the scorers by back end, all of the same rows and pairs."""
        index = list(PREFIXES).index(split)
        samples = {"dev": self._corpus.dev, "test": self._corpus.test}[split]
        special, batch_tokens = samples.special, self._evaluation.batch_tokens

        rng = generator(self._seed, Purpose.EVALUATION, index, _ROWS)
        chosen = rng.choice(len(samples), size=min(self._evaluation.samples, len(samples)), replace=False)
        rows = np.asarray(samples.tokens[np.sort(chosen)])
        if not text_positions(rows, special).any():
            raise DataError(f"the {split} text must hold at least one token to score; its {len(rows)} rows hold none")

        drawn = []
        available = self._corpus.pairs.get(split, ())
        if available and self._evaluation.pairs:
            drawn = draw_pairs(
                available, self._evaluation.pairs, generator(self._seed, Purpose.EVALUATION, index, _PAIRS)
            )
        sizes = {"max_length": samples.max_length, "batch_tokens": batch_tokens}
        return {
            backend: _Scorers(
                rows=cloze_of_rows(
                    rows,
                    special,
                    backend=backend,
                    method=self._evaluation.method,
                    stride=self._evaluation.stride,
                    batch_tokens=batch_tokens,
                ),
                pairs=PairScorer(drawn, self._corpus.tokenizer_dir, backend=backend, **sizes) if drawn else None,
            )
            for backend in self._variants
        }
