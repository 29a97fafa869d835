"""Fine-tuning of a language model to classify pairs of texts, with the random numbers of BabyLM's pipeline.

The trunk and a head on the state of one token are trained together: AdamW, a cosine schedule with warm-up, no clipping.
After each epoch the validation data is scored, and the predictions of the best epoch are returned. torch's generator is
seeded and used as in the pipeline, so on a CPU the predictions are the same.

Under the protocol of 2026 the token is the last one of every model, and padding is on the left, as in its pipeline. It
passes no positions, so learnt positions (GPT-2) depend on the longest text of the batch; a warning says so.

Under the protocol of 2025 the token is the first one, as in its pipeline, if its state depends on the text. In a causal
model it does not, so the last token of the text is used. Padding is on the right, which no token of a causal model
sees: a prediction depends on its own text only.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from sleep_tune.errors import DataError
from sleep_tune.evaluation.glue import GLUE_METRICS, Examples, GlueTask
from sleep_tune.evaluation.logits import first_token_sees_others, padding_changes_states
from sleep_tune.evaluation.model_folder import Note, open_auto_tokenizer, open_model, require_fit
from sleep_tune.evaluation.positions import readable_positions
from sleep_tune.evaluation.weight_names import TRUNK

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["FineTuneResult", "FineTuneSettings", "fine_tune", "open_classifier", "require_batch"]

VALID_BATCH = 64
DROPOUT, NORM_EPS = 0.1, 1e-5
"""Dropout and epsilon of layer normalisation in the head."""

FIRST, LAST = "first", "last"
"""The token of a text whose state is classified."""

LAST_TOKEN = (
    "fine-tuning classified the last token of each text, because the first one of a causal model sees no other: a "
    "deviation from the 2025 pipeline, which classifies the first (evaluation-pipeline-2025#38); the 2026 pipeline "
    "classifies the last one too, but pads on the left, which shifts learnt positions by the padding"
)
"""Warning beside the scores of a causal model."""

PADDING = (
    "the model's predictions change with the padding of a text (a convolution or a Fourier transform ignores the "
    "attention mask): a prediction depends on the longest text of its batch, as in the official pipeline"
)
"""Warning beside the scores of a model that depends on padding."""

LEFT_PADDING = (
    "the model's predictions change with padding on the left of a text, whose positions the 2026 pipeline does not "
    "pass: a prediction depends on the longest text of its batch, as in that pipeline"
)
"""Warning beside the scores of a model under 2026 whose positions are counted from the beginning of a row."""

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    """Settings of all tasks; the defaults are the pipeline's."""

    last_token: bool = False
    """Classify the last token of every model and pad on the left (2026); else the first token if it sees the others."""
    learning_rate: float = 3e-5
    epochs: int | None = None
    """Passes over the training data; None: the task's own number."""
    batch_size: int | None = None
    """Examples of an update; None: the task's own number."""
    accumulate: int = 1
    """Parts of an update's batch that are read one after another, to need less memory; a divisor of its size."""
    warmup: float = 0.06
    """Share of the updates, in [0, 1], in which the learning rate rises."""
    floor: float = 0.1
    """Final share of the learning rate, in [0, 1], at the end of the cosine."""
    weight_decay: float = 0.01
    sequence_length: int = 512
    """Highest number of tokens of a pair; longer ones are cut. Lower for a model that reads fewer."""
    seed: int = 42
    device: str = "cpu"
    trust_remote_code: bool = False
    """Run the Python files in the model's folder."""


@dataclass(frozen=True, slots=True)
class FineTuneResult:
    """Result of fine-tuning on one task."""

    predictions: tuple[int, ...]
    """Predicted labels of the validation data, by the model of the best epoch."""
    metrics: dict[str, float]
    """Metrics of the predictions, in [0, 1] ([-1, 1] for mcc)."""
    best_epoch: int
    """Counted from 1."""
    length: int
    """Number of tokens at which pairs were cut."""
    token: str
    """The token that was classified: first or last."""
    notes: tuple[str, ...] = ()
    """Warnings that belong beside the metrics."""


class Classifier(nn.Module):
    """A trunk, and a head on the state of one token.

    Args:
        trunk: model without head.
        labels: number of labels.
        token: FIRST or LAST.
        padding_side: side of the padding in a batch, right or left.
    """

    def __init__(self, trunk: "PreTrainedModel", labels: int, token: str, padding_side: str = "right") -> None:
        """Initialise the head with torch's generator."""
        super().__init__()
        self.trunk: Any = trunk
        self.token = token
        self._is_last_in_row = token == LAST and padding_side == "left"
        width = int(self.trunk.config.hidden_size)
        self.head = nn.Sequential(
            nn.LayerNorm(width, NORM_EPS, elementwise_affine=False),
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width, NORM_EPS, elementwise_affine=False),
            nn.Dropout(DROPOUT),
            nn.Linear(width, labels),
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return (B, labels) logits of (B, T) ids and their mask, padded on `padding_side`."""
        states = self.trunk(input_ids=input_ids, attention_mask=attention_mask)[0]
        if self._is_last_in_row:
            last_logits: torch.Tensor = self.head(states[:, -1])
            return last_logits
        last = attention_mask.sum(dim=1).clamp(min=1) - 1
        token = torch.zeros_like(last) if self.token == FIRST else last
        logits: torch.Tensor = self.head(states[torch.arange(len(states), device=states.device), token])
        return logits


def fine_tune(
    model: Path,
    task: GlueTask,
    train: Examples,
    valid: Examples,
    settings: FineTuneSettings | None = None,
    advance: Callable[[int], None] | None = None,
) -> FineTuneResult:
    """Fine-tune a model on one task and predict its validation data.

    Args:
        model: a folder with a model that AutoModel opens, and a tokenizer.
        task: batch size, epochs, and the metric by which the best epoch is chosen.
        train: at least one batch of examples.
        valid: examples that choose the best epoch and are predicted.
        settings: the pipeline's by default.
        advance: called with 1 after each update.

    Raises:
        DataError: the model or its tokenizer cannot be used (see `open_classifier`), or there is no batch
            (`require_batch`).
    """
    chosen = settings or FineTuneSettings()
    part = require_batch(task, train, chosen)
    cuda = [torch.cuda.current_device()] if chosen.device == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(chosen.seed)
        notes: list[str] = []
        classifier, tokenizer = open_classifier(
            model,
            task.labels,
            last_token=chosen.last_token,
            trust_remote_code=chosen.trust_remote_code,
            note=notes.append,
        )
        classifier.to(chosen.device)
        length = min(chosen.sequence_length, readable_positions(classifier.trunk) or chosen.sequence_length)
        collate = partial(_collate, tokenizer, length)
        batches: DataLoader[Any] = DataLoader(
            list(zip(train.texts, train.labels, strict=True)),  # type: ignore[arg-type]
            batch_size=part,
            shuffle=True,
            drop_last=True,
            collate_fn=collate,
        )
        validation: DataLoader[Any] = DataLoader(
            list(zip(valid.texts, valid.labels, strict=True)),  # type: ignore[arg-type]
            batch_size=VALID_BATCH,
            collate_fn=collate,
        )
        epoch, predictions = _train(classifier, task, batches, validation, np.array(valid.labels), chosen, advance)
    return FineTuneResult(
        tuple(int(label) for label in predictions),
        {name: GLUE_METRICS[name](np.array(valid.labels), predictions) for name in task.metrics},
        epoch,
        length,
        classifier.token,
        tuple(notes),
    )


def require_batch(task: GlueTask, train: Examples, settings: FineTuneSettings) -> int:
    """Return how many examples are read at once.

    Raises:
        DataError: `accumulate` does not divide the size of a batch, or there are fewer training examples than it has.
    """
    batch_size = settings.batch_size or task.batch_size
    if batch_size % settings.accumulate:
        raise DataError(
            f"--accumulate must divide the batch size, {batch_size}, so that all parts of a batch have one size; got "
            f"{settings.accumulate}"
        )
    if len(train) < batch_size:
        raise DataError(
            f"a task must have at least one batch of {batch_size} training examples; it has {len(train)}: give a "
            "smaller --batch-size"
        )
    return batch_size // settings.accumulate


def open_classifier(
    folder: Path,
    labels: int,
    *,
    last_token: bool = False,
    trust_remote_code: bool = False,
    note: Note = warnings.warn,
) -> tuple[Classifier, "PreTrainedTokenizerBase"]:
    """Open a model with a new head, and its tokenizer, which pads on the right, or on the left if `last_token`.

    Args:
        folder: holds both.
        labels: number of labels.
        last_token: see `FineTuneSettings`.
        trust_remote_code: run the Python files in the folder.
        note: called with each warning that belongs beside the metrics.

    Raises:
        DataError: the folder lacks one of the two, they do not fit each other, or the model has an encoder and a
            decoder.
    """
    trunk = open_model(folder, TRUNK, trust_remote_code=trust_remote_code, note=note)
    if trunk.config.is_encoder_decoder:
        raise DataError(
            f"{folder} must hold an encoder or a decoder to be fine-tuned; it holds a {type(trunk).__name__}, "
            "which has both"
        )
    tokenizer = open_auto_tokenizer(folder, trust_remote_code=trust_remote_code)
    require_fit(tokenizer, trunk, folder)
    vocabulary = set(tokenizer.get_vocab().values())
    ids = sorted(vocabulary.difference(tokenizer.all_special_ids) or vocabulary)
    token = FIRST if not last_token and first_token_sees_others(trunk, ids[0], ids[-1]) else LAST
    if token == LAST and not last_token:
        note(LAST_TOKEN)
    tokenizer.padding_side = side = "left" if last_token else "right"
    if tokenizer.pad_token_id is None:
        # Any token will do: the attention mask hides it.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    if padding_changes_states(trunk, ids[0], int(tokenizer.pad_token_id), side):
        note(LEFT_PADDING if last_token else PADDING)
    return Classifier(trunk, labels, token, side), tokenizer


def _train(
    classifier: Classifier,
    task: GlueTask,
    batches: "DataLoader[Any]",
    validation: "DataLoader[Any]",
    labels: NDArray[np.int64],
    settings: FineTuneSettings,
    advance: Callable[[int], None] | None,
) -> tuple[int, NDArray[np.int64]]:
    """Return the best epoch, counted from 1, and its predictions of the validation data."""
    epochs = settings.epochs or task.epochs
    total = len(batches) // settings.accumulate * epochs
    optimizer = torch.optim.AdamW(
        classifier.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, partial(_rate, warmup=int(settings.warmup * total), total=total, floor=settings.floor)
    )
    best: tuple[float, int, NDArray[np.int64]] | None = None
    for epoch in range(1, epochs + 1):
        classifier.train()
        optimizer.zero_grad()  # also of parts at the end of an epoch that are no whole batch
        for part, (input_ids, attention_mask, answers) in enumerate(_on(settings.device, batches), 1):
            loss = cross_entropy(classifier(input_ids, attention_mask), answers) / settings.accumulate
            loss.backward()  # type: ignore[no-untyped-call]
            if part % settings.accumulate:
                continue
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            if advance is not None:
                advance(1)
        predictions = _predict(classifier, validation, settings.device)
        score = GLUE_METRICS[task.chosen_by](labels, predictions)
        if best is None or score > best[0]:
            best = (score, epoch, predictions)
    assert best is not None
    return best[1:]


def _predict(classifier: Classifier, validation: "DataLoader[Any]", device: str) -> NDArray[np.int64]:
    classifier.train(False)
    with torch.no_grad():
        logits = [classifier(ids, mask) for ids, mask, _ in _on(device, validation)]
    return torch.cat(logits).argmax(dim=-1).cpu().numpy()


def _on(device: str, batches: "DataLoader[Any]") -> Iterator[Batch]:
    for batch in batches:
        input_ids, attention_mask, answers = (part.to(device) for part in batch)
        yield input_ids, attention_mask, answers


def _collate(tokenizer: "PreTrainedTokenizerBase", length: int, rows: Sequence[tuple[tuple[str, str], int]]) -> Batch:
    """Return a batch of pairs as token ids (B, T), attention mask (B, T) and labels (B,)."""
    encoded = tokenizer(
        [texts for texts, _ in rows], return_tensors="pt", padding=True, truncation=True, max_length=length
    )
    return encoded["input_ids"], encoded["attention_mask"], torch.tensor([label for _, label in rows])


def _rate(update: int, *, warmup: int, total: int, floor: float) -> float:
    """Return the share of the learning rate at an update, in [0, 1]."""
    if update < warmup:
        return update / max(1, warmup)
    progress = (update - warmup) / max(1, total - warmup)
    return max(floor, floor + (1 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress)))
