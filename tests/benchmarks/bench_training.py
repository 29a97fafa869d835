"""Training samples/s of the `small` model, 16 x 128 on a CPU with sleep on, beside plain transformers.

    python tests/benchmarks/bench_training.py          # five pairs of eight updates: some five minutes on one thread
    python tests/benchmarks/bench_training.py 1 3      # one pair of three

The peer is transformers' own Trainer with DataCollatorForLanguageModeling: same model and dropout, same rows, batch,
share of masks, optimizer and precision. Both run in turns in one process; the first update of each run is not counted.
Ours is a whole run, wake and sleep, with its journal; both are stripped of evaluation and checkpoints.
"""

import dataclasses
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoTokenizer, DataCollatorForLanguageModeling, Trainer, TrainerCallback, TrainingArguments

from sleep_tune.config.schema import (
    BudgetConfig,
    DataConfig,
    LengthConfig,
    ModelConfig,
    RunConfig,
    RunSection,
    SleepConfig,
    TokenizerConfig,
    TrainingConfig,
)
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.models.build import build_model
from sleep_tune.records import Decision
from sleep_tune.training.run import train

BATCH, LENGTH, VOCABULARY = 16, 128, 8192
FLOOR, GOAL = 1.15, 1.5


def make_corpus(updates: int) -> Corpus:
    """Toy rows enough for half the updates (the rest is replay), with the vocabulary size of the real study."""
    corpus = prepare(DataConfig(max_length=LENGTH, sentences=4000), TokenizerConfig(vocab_size=512))
    rows = slice(BATCH * max(updates // 2, 1))
    train = dataclasses.replace(
        corpus.train,
        tokens=corpus.train.tokens[rows],
        starts_word=corpus.train.starts_word[rows],
        sources=corpus.train.sources[rows],
        vocab_size=VOCABULARY,
    )
    return dataclasses.replace(corpus, train=train)


def ours(corpus: Corpus, updates: int) -> float:
    """Mean seconds of an update: half of them awake, half asleep, in two cycles."""
    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(
            run=RunSection(dir=folder),
            model=ModelConfig(),
            sleep=SleepConfig(folds=min(2, max(updates // 2, 1)), length=LengthConfig(passes=1.0)),
            budget=BudgetConfig(passes=2.0),
            training=TrainingConfig(
                batch_size=BATCH, device="cpu", log_ratio=1e-6, checkpoint_ratio=0, save_model=False
            ),
        )
        train(
            config, lambda progress: Decision.CONTINUE, corpus=corpus, evaluate=lambda model, split: {"eval/nll": 0.0}
        )
        lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
    times = [line["seconds"] for line in lines if line["kind"] == "train"]
    phases = {line["phase"] for line in lines if line["kind"] == "train"}
    assert phases == {"wake", "sleep"}, phases
    return float(np.diff(times).mean())


class Clock(TrainerCallback):
    """When each update ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, *arguments: Any, **named: Any) -> None:
        """Look at the clock."""
        self.times.append(time.perf_counter())


def theirs(corpus: Corpus, updates: int) -> float:
    """Mean seconds of an update of transformers' Trainer."""
    training, samples = TrainingConfig(), corpus.train
    model = build_model(
        ModelConfig(), vocab_size=VOCABULARY, max_length=LENGTH, special=samples.special, seed=training.seed
    )
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                max_steps=updates,
                per_device_train_batch_size=BATCH,
                learning_rate=training.learning_rate,
                weight_decay=training.weight_decay,
                adam_beta2=training.beta2,
                max_grad_norm=training.max_grad_norm,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
                logging_strategy="no",
            ),
            train_dataset=[{"input_ids": row} for row in np.asarray(samples.tokens).astype(int).tolist()],
            data_collator=DataCollatorForLanguageModeling(
                AutoTokenizer.from_pretrained(corpus.tokenizer_dir), mlm_probability=training.masking.probability
            ),
            callbacks=[clock],
        )
        trainer.train()
    return float(np.diff(clock.times).mean())


def main(pairs: int, updates: int) -> None:
    """Time pairs in turns and print the ratio."""
    corpus = make_corpus(updates)
    seconds: dict[str, list[float]] = {"sleep-tune": [], "transformers": []}
    for _ in range(pairs):
        seconds["transformers"].append(theirs(corpus, updates))
        seconds["sleep-tune"].append(ours(corpus, updates))
    ratios = [peer / own for peer, own in zip(seconds["transformers"], seconds["sleep-tune"], strict=True)]
    print(f"small model, {BATCH} x {LENGTH}, dropout 0.1, fp32, {torch.get_num_threads()} thread(s), {pairs} pairs")
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, ", end="")
    print(f"transformers {transformers.__version__}")
    for name, values in seconds.items():
        median = statistics.median(values)
        each = " ".join(f"{value:.2f}" for value in values)
        print(f"{name:14} {median:6.3f} s an update, {BATCH / median:6.2f} samples/s   ({each})")
    median = statistics.median(ratios)
    verdict = "goal reached" if median >= GOAL else "floor reached" if median >= FLOOR else "below the floor"
    each = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"ratio, median of pairs: {median:.2f}x ({each}); floor {FLOOR}x, goal {GOAL}x: {verdict}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]) if len(sys.argv) > 1 else (5, 8))
