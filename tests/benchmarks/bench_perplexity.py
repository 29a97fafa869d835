"""Pseudo-perplexity: our engine against masked copies with full logits, and `strided` against `exact`.

    OMP_NUM_THREADS=2 python tests/benchmarks/bench_perplexity.py                       # about five minutes
    OMP_NUM_THREADS=2 python tests/benchmarks/bench_perplexity.py --steps 20 --repeats 1  # a minute, untrained

The peer is the usual recipe in plain transformers: repeat a row, put the mask on the diagonal, call the model, pick the
masked positions from its (rows, tokens, vocabulary) logits. Its batch is the size at which it was fastest here. Both
score the same text tokens of the same rows of the toy language; each repeat times all of them, one after the other, and
medians are compared. The bias of a stride is a mean over tokens of paired differences to `exact`, on a model that has
been trained for a while: an untrained one looks at no context, and any method is right about it.
"""

import argparse
import dataclasses
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import PreTrainedModel

from sleep_tune.config.schema import DataConfig, EvaluationConfig, ModelConfig, TokenizerConfig
from sleep_tune.data.masking import mask_batch
from sleep_tune.data.prepare import prepare
from sleep_tune.evaluation.perplexity import cloze_of_rows, text_positions
from sleep_tune.models.build import build_model
from sleep_tune.models.sparse import masked_logits
from sleep_tune.sleep.samples import Samples, SpecialTokens

VOCAB_SIZE = 8192
MASKS: dict[str, Any] = {"kind": "fixed", "probability": 0.15, "mask_share": 0.8, "random_share": 0.1}
LENGTH = 128
PEER_BATCH = 16
STRIDES = (16, 8, 4, 2)

Scores = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Setting:
    """A model to measure, and how much of everything."""

    model: ModelConfig
    learning_rate: float
    steps: int
    batch_size: int
    timed_rows: int
    bias_rows: int
    exact_floor: float
    strided_floor: float | None


SETTINGS = {
    "tiny": Setting(
        model=ModelConfig(layers=2, hidden=64, heads=4, feed_forward=256, initializer_range=0.1),
        learning_rate=5e-3,
        steps=400,
        batch_size=16,
        timed_rows=8,
        bias_rows=32,
        exact_floor=3.0,
        strided_floor=None,
    ),
    "small": Setting(
        model=ModelConfig(),
        learning_rate=5e-4,
        steps=120,
        batch_size=8,
        timed_rows=2,
        bias_rows=6,
        exact_floor=1.25,
        strided_floor=8.0,
    ),
}


def train(model: PreTrainedModel, samples: Samples, setting: Setting, steps: int) -> float:
    """Teach the model a little with a plain loop; return the mean loss of the last tenth, in nats."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=setting.learning_rate, betas=(0.9, 0.98))
    rng = np.random.default_rng(0)
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = setting.learning_rate * min(1.0, (step + 1) / (0.1 * steps)) * (1 - step / steps)
        rows = np.asarray(
            samples.tokens[np.sort(rng.choice(len(samples), setting.batch_size, replace=False))], np.int32
        )
        masked = mask_batch(rows, samples.special, VOCAB_SIZE, rng, **MASKS)
        attention_mask = torch.from_numpy((rows != samples.special.pad).astype(np.int64))
        input_ids, positions = torch.from_numpy(masked.input_ids), torch.from_numpy(masked.positions)
        logits = masked_logits(model, input_ids, attention_mask, positions)
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(masked.labels))
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return statistics.mean(losses[-max(1, steps // 10) :])


def masked_copies(model: PreTrainedModel, rows: NDArray[np.integer], special: SpecialTokens) -> Scores:
    """The peer: one masked copy for each text token, dense logits, then the one that was asked for."""
    scores = []
    with torch.no_grad():
        for row, is_text in zip(rows, text_positions(rows, special), strict=True):
            text = torch.from_numpy(row[: (row != special.pad).sum()].astype(np.int64))
            positions = torch.from_numpy(np.flatnonzero(is_text))
            for position in torch.split(positions, PEER_BATCH):
                copy = torch.arange(len(position))
                input_ids = text.repeat(len(position), 1)
                input_ids[copy, position] = special.mask
                logits = model(input_ids=input_ids).logits[copy, position]
                scores.append(logits.log_softmax(dim=-1)[copy, text[position]])
    return torch.cat(scores).double().numpy()


def race(runners: dict[str, Callable[[], Scores]], repeats: int) -> tuple[dict[str, float], dict[str, Scores]]:
    """Run all of them in turn, `repeats` times after one warm-up: median seconds, and the last scores, of each."""
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    scores = {name: run() for name, run in runners.items()}
    for _ in range(repeats):
        for name, run in runners.items():
            start = time.perf_counter()
            scores[name] = run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}, scores


def verdict(ratio: float, floor: float | None) -> str:
    """The ratio, and its floor if it has one."""
    if floor is None:
        return f"{ratio:.2f}x"
    return f"{ratio:.2f}x (floor {floor:g}x: {'met' if ratio >= floor else 'MISSED'})"


def measure(name: str, setting: Setting, dev: Samples, train_rows: Samples, repeats: int, steps: int | None) -> None:
    """Train, race and print one model."""
    special = dev.special
    model = build_model(setting.model, vocab_size=VOCAB_SIZE, max_length=LENGTH, special=special, seed=0)
    loss = train(model, train_rows, setting, setting.steps if steps is None else steps)
    model.train(False)
    batch_tokens = EvaluationConfig().batch_tokens

    rows = np.asarray(dev.tokens[: setting.timed_rows])
    exact = cloze_of_rows(rows, special, backend="mlm", method="exact", stride=8, batch_tokens=batch_tokens)
    strided = cloze_of_rows(rows, special, backend="mlm", method="strided", stride=8, batch_tokens=batch_tokens)
    seconds, scores = race(
        {
            "masked copies": lambda: masked_copies(model, rows, special),
            "exact": lambda: exact.score(model),
            "strided": lambda: strided.score(model),
        },
        repeats,
    )
    print(
        f"\n{name}: {setting.model.layers} x {setting.model.hidden}, vocabulary {VOCAB_SIZE}, rows of {LENGTH}; ",
        end="",
    )
    print(f"training loss {loss:.2f}; {len(rows)} rows, {len(scores['exact'])} tokens, median of {repeats}")
    for method, value in seconds.items():
        speed, nll = len(scores[method]) / value, -scores[method].mean()
        print(f"  {method:14} {value:8.3f} s {speed:9.1f} tokens/s   nll {nll:.6f}")
    difference = abs(float(scores["exact"].mean() - scores["masked copies"].mean()))
    print(f"  exact / masked copies   {verdict(seconds['masked copies'] / seconds['exact'], setting.exact_floor)}")
    print(f"  nll apart by            {difference:.1e} (at most 1e-4: {'met' if difference <= 1e-4 else 'MISSED'})")
    print(f"  strided / exact         {verdict(seconds['exact'] / seconds['strided'], setting.strided_floor)}")

    rows = np.asarray(dev.tokens[: setting.bias_rows])
    reference = cloze_of_rows(rows, special, backend="mlm", method="exact", stride=8, batch_tokens=batch_tokens).score(
        model
    )
    print(f"  bias of a stride against exact (nll {-reference.mean():.4f}, {len(reference)} tokens), nats per token:")
    for stride in STRIDES:
        estimate = cloze_of_rows(
            rows, special, backend="mlm", method="strided", stride=stride, batch_tokens=batch_tokens
        )
        excess = reference - estimate.score(model)
        error = excess.std(ddof=1) / np.sqrt(len(excess))
        print(f"    stride {stride:3} {excess.mean():+.4f} +- {error:.4f} (standard error)")


def main() -> None:
    """Measure every model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5, help="timed repeats of each method (default 5)")
    parser.add_argument(
        "--steps", type=int, help="training steps before measuring (default: enough to learn something)"
    )
    options = parser.parse_args()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, ", end="")
    print(f"{torch.get_num_threads()} threads, {platform.machine()}, CPU")
    with tempfile.TemporaryDirectory() as cache:
        corpus = prepare(DataConfig(max_length=LENGTH, cache_dir=cache), TokenizerConfig())
        for name, setting in SETTINGS.items():
            measure(name, setting, corpus.dev, corpus.train, options.repeats, options.steps)


if __name__ == "__main__":
    main()
