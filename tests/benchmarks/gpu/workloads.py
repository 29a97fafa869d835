"""Runs whose updates are timed on a device: this package's, and those of plain transformers on the same rows."""

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import transformers
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import AutoTokenizer, DataCollatorForLanguageModeling

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

WARM_UPDATES = 3
"""Updates at the beginning of a run that are not timed."""


@dataclass(frozen=True)
class Workload:
    """A model and its rows."""

    objective: str
    model: ModelConfig
    length: int
    vocabulary: int


@dataclass(frozen=True)
class Setting:
    """How a workload is trained."""

    device: str
    precision: str
    batch: int
    updates: int
    compile: bool = False


@dataclass
class Clock:
    """Times the updates of a run after the first few, once the device has finished them."""

    updates: int
    device: str
    when_warm: Callable[[], None] = lambda: None
    """Called before the first timed update."""
    done: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def seconds_per_update(self) -> float:
        """Mean time of a timed update."""
        if len(self.times) != 2:
            raise RuntimeError(f"a run must have {self.updates} updates; it had {self.done}")
        return (self.times[1] - self.times[0]) / (self.updates - WARM_UPDATES)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the steps of every optimizer within the block."""
        handle = register_optimizer_step_post_hook(lambda *_: self._step())
        try:
            yield
        finally:
            handle.remove()

    def _step(self) -> None:
        self.done += 1
        if self.done not in (WARM_UPDATES, self.updates):
            return
        if self.done == WARM_UPDATES:
            self.when_warm()
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())


def make_corpus(workload: Workload, rows: int) -> Corpus:
    """Return toy text, its rows repeated up to `rows` (0: as they are), with the vocabulary of the workload."""
    corpus = prepare(DataConfig(max_length=workload.length, sentences=4000), TokenizerConfig(vocab_size=512))
    samples = corpus.train
    chosen = np.resize(np.arange(len(samples)), rows or len(samples))
    larger = dataclasses.replace(
        samples,
        tokens=samples.tokens[chosen],
        starts_word=samples.starts_word[chosen],
        sources=samples.sources[chosen],
        vocab_size=workload.vocabulary,
    )
    return dataclasses.replace(corpus, train=larger)


def make_config(workload: Workload, setting: Setting, folder: Path) -> RunConfig:
    """Return a run of which half of the updates are awake and half asleep, in two cycles."""
    return RunConfig(
        run=RunSection(dir=str(folder)),
        model=workload.model,
        sleep=SleepConfig(folds=2, length=LengthConfig(passes=1.0)),
        budget=BudgetConfig(passes=2.0),
        training=TrainingConfig(
            objective=workload.objective,
            batch_size=setting.batch,
            device=setting.device,
            precision=setting.precision,
            compile=setting.compile,
            log_ratio=1.0,
            checkpoint_ratio=0,
            save_model=False,
        ),
    )


def ours(workload: Workload, setting: Setting, when_warm: Callable[[], None] = lambda: None) -> float:
    """Return the tokens a second of this package's training."""
    # A whole run has one update more than is timed, since its last batch may be short.
    corpus = make_corpus(workload, setting.batch * (setting.updates // 2 + 1))
    clock = Clock(setting.updates, setting.device, when_warm)
    with tempfile.TemporaryDirectory() as folder, clock.running():
        train(
            make_config(workload, setting, Path(folder)),
            lambda progress: Decision.CONTINUE,
            corpus=corpus,
            evaluate=lambda model, split: {"eval/nll": 0.0},
        )
    return setting.batch * workload.length / clock.seconds_per_update


def theirs(workload: Workload, setting: Setting) -> float:
    """Return the tokens a second of transformers' Trainer with its collator, which has no sleep."""
    corpus, training = make_corpus(workload, setting.batch * setting.updates), TrainingConfig()
    model = build_model(
        workload.model,
        objective=workload.objective,
        vocab_size=workload.vocabulary,
        max_length=workload.length,
        special=corpus.train.special,
        seed=0,
    )
    clock = Clock(setting.updates, setting.device)
    with tempfile.TemporaryDirectory() as folder, clock.running():
        transformers.Trainer(
            model=model,
            args=transformers.TrainingArguments(
                output_dir=folder,
                max_steps=setting.updates,
                per_device_train_batch_size=setting.batch,
                learning_rate=training.learning_rate,
                weight_decay=training.weight_decay,
                adam_beta2=training.beta2,
                max_grad_norm=training.max_grad_norm,
                bf16=setting.precision == "bf16",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=setting.device == "cpu",
                logging_strategy="no",
            ),
            train_dataset=[{"input_ids": row} for row in np.asarray(corpus.train.tokens).astype(int).tolist()],
            data_collator=DataCollatorForLanguageModeling(
                AutoTokenizer.from_pretrained(corpus.tokenizer_dir),
                mlm=workload.objective == "mlm",
                mlm_probability=training.masking.probability,
            ),
        ).train()
    return setting.batch * workload.length / clock.seconds_per_update
