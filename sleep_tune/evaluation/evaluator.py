"""What a run measures at its rungs and at its end, as a flat dictionary of numbers. Knows no trainer and no search.

Rows and pairs are drawn once, from the data's seed: every run of a study answers the same questions under the same
masks (common random numbers), so that their differences are far less noisy than their values.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sleep_tune.errors import DataError
from sleep_tune.evaluation.cloze import Cloze
from sleep_tune.evaluation.pairs import PairsTask, accuracies, draw_pairs
from sleep_tune.evaluation.perplexity import cloze_of_rows, text_positions
from sleep_tune.sleep.randomness import Purpose, generator

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sleep_tune.config.schema import EvaluationConfig
    from sleep_tune.data.prepare import Corpus

__all__ = ["PREFIXES", "Evaluator"]

PREFIXES = {"dev": "eval", "test": "test"}
"""Split -> first part of its metrics' names. The search looks at dev only; tables are made on test."""

_ROWS, _PAIRS = 0, 1
"""Last index of the random stream that draws them."""


@dataclass(frozen=True, slots=True)
class _Questions:
    """What is asked of every model on one split."""

    rows: Cloze
    pairs: PairsTask | None


class Evaluator:
    """Callable: model -> metrics of a split. Made once per run; the model is left as it was found."""

    def __init__(self, corpus: "Corpus", evaluation: "EvaluationConfig", seed: int) -> None:
        """Draw the rows and pairs of dev; those of test are drawn when first asked for, from streams of their own.

        Args:
            corpus: gives the rows, the minimal pairs and the tokenizer.
            evaluation: method, stride, numbers of rows and pairs, tokens in a forward pass.
            seed: data.seed, so that all runs of a study share the draw, whatever their own seeds.

        Raises:
            DataError: the split has no text token, or a minimal pair does not fit into a row.
        """
        self._corpus = corpus
        self._evaluation = evaluation
        self._seed = seed
        self._splits = {"dev": self._draw("dev")}

    def __call__(self, model: "PreTrainedModel", split: str = "dev") -> dict[str, float]:
        """Measure the model on 'dev' or 'test', on its own device.

        Returns:
            With prefix `eval/` for dev, `test/` for test: `nll`, the mean nats per text token of the drawn rows;
            `pseudo_perplexity`, its exponential; where the corpus has minimal pairs and they are not switched off,
            `pairs_accuracy`, `pairs_ties` and `pairs/<paradigm>`, shares in [0, 1].
        """
        if split not in self._splits:
            self._splits[split] = self._draw(split)
        questions = self._splits[split]
        nll = -float(questions.rows.score(model).mean())
        with np.errstate(over="ignore"):
            metrics = {"nll": nll, "pseudo_perplexity": float(np.exp(nll))}
        if questions.pairs is not None:
            metrics |= accuracies(questions.pairs.pairs, questions.pairs.score(model))
        return {f"{PREFIXES[split]}/{name}": value for name, value in metrics.items()}

    def _draw(self, split: str) -> _Questions:
        index = list(PREFIXES).index(split)
        samples = {"dev": self._corpus.dev, "test": self._corpus.test}[split]
        special, batch_tokens = samples.special, self._evaluation.batch_tokens

        rng = generator(self._seed, Purpose.EVALUATION, index, _ROWS)
        chosen = rng.choice(len(samples), size=min(self._evaluation.samples, len(samples)), replace=False)
        rows = np.asarray(samples.tokens[np.sort(chosen)])
        if not text_positions(rows, special).any():
            raise DataError(f"the {split} text must hold at least one token to score; its {len(rows)} rows hold none")
        method, stride = self._evaluation.method, self._evaluation.stride
        cloze = cloze_of_rows(rows, special, method=method, stride=stride, batch_tokens=batch_tokens)

        pairs = None
        available = self._corpus.pairs.get(split, ())
        if available and self._evaluation.pairs:
            drawn = draw_pairs(
                available, self._evaluation.pairs, generator(self._seed, Purpose.EVALUATION, index, _PAIRS)
            )
            pairs = PairsTask(
                drawn, self._corpus.tokenizer_dir, max_length=samples.max_length, batch_tokens=batch_tokens
            )
        return _Questions(rows=cloze, pairs=pairs)
