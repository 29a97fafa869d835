"""A corpus and a model small enough that a whole run takes about a second, and how to look at what it wrote."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from sleep_tune.config.schema import (
    BudgetConfig,
    DataConfig,
    EvaluationConfig,
    LengthConfig,
    ModelConfig,
    ReplayConfig,
    RunConfig,
    RunSection,
    SleepConfig,
    TokenizerConfig,
    TrainingConfig,
)
from sleep_tune.records import Decision, Outcome, Progress

DATA = DataConfig(sentences=500, max_length=32)
TOKENIZER = TokenizerConfig(vocab_size=512)


def make_config(folder: Path, *, rungs: tuple[float, ...] = (), sleep: bool = True, **training: Any) -> RunConfig:
    """A run of some 70 updates, in 3 folds with sleep, that logs each update; options of training by keyword."""
    options: dict[str, Any] = {"batch_size": 8, "learning_rate": 0.01, "log_ratio": 1e-6, "checkpoint_ratio": 0.09}
    return RunConfig(
        run=RunSection(dir=str(folder)),
        data=dataclasses.replace(DATA),  # sections can be assigned to: a run has its own
        tokenizer=dataclasses.replace(TOKENIZER),
        model=ModelConfig(layers=1, hidden=16, heads=2, feed_forward=32, initializer_range=0.1),
        sleep=SleepConfig(
            folds=3 if sleep else 1,
            replay=ReplayConfig(strategy="weighted", ratio=0.3),
            length=LengthConfig(passes=None, ratio=1.5 if sleep else 0.0),
        ),
        budget=BudgetConfig(passes=3.5),
        training=TrainingConfig(**options | {"device": "cpu"} | training),
        evaluation=EvaluationConfig(samples=8, pairs=22, rungs=rungs),
    )


def keep_training(progress: Progress) -> Decision:
    """A report that never stops a run."""
    return Decision.CONTINUE


def weigh(model: PreTrainedModel, split: str) -> dict[str, float]:
    """An evaluation that costs nothing and still tells two models apart."""
    prefix = {"dev": "eval", "test": "test"}[split]
    with torch.no_grad():
        return {f"{prefix}/nll": float(sum(parameter.double().norm() for parameter in model.parameters()))}


def same_outcome(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes are equal but for the seconds."""
    fixed = ("state", "words_seen", "updates", "flops", "device", "metrics")
    return all(getattr(one, name) == getattr(other, name) for name in fixed)


def read_lines(folder: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Lines of metrics.jsonl, without the times, which no two runs share."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("seconds", None)
        line.pop("took", None)
    return [line for line in lines if kind in (None, line["kind"])]
