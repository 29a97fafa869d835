"""The four overrides, against transformers' own Trainer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments

from sleep_tune.config.schema import TrainingConfig
from sleep_tune.data.objectives import OBJECTIVES
from sleep_tune.data.prepare import Corpus
from sleep_tune.models.architectures import ARCHITECTURES
from sleep_tune.models.build import build_model
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.training.batch_feed import BatchFeed
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.run import train
from sleep_tune.training.session import open_stream
from sleep_tune.training.trainer import SleepTrainer
from tests.training.runs import keep_training, make_config, read_lines, weigh


class Batches:
    """Batches with a length, as a DataLoader has it."""

    def __init__(self, batches: list[dict[str, torch.Tensor]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def plain_adamw(model: torch.nn.Module, training: TrainingConfig) -> torch.optim.AdamW:
    """Torch's AdamW on two groups: matrices decay; vectors, which are the biases and norms here, do not."""
    groups: list[dict[str, Any]] = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=training.learning_rate, betas=(training.beta1, training.beta2), eps=training.epsilon
    )


class DenseTrainer(Trainer):
    """Transformers' Trainer on given batches, in their order, with its dense head and its own loss."""

    def __init__(self, batches: list[dict[str, torch.Tensor]], **options: Any) -> None:
        self.batches = Batches(batches)
        super().__init__(**options)

    def get_train_dataloader(self) -> Any:
        """The batches as they are."""
        return self.batches


def dense_batches(corpus: Corpus, config: Any) -> list[dict[str, torch.Tensor]]:
    """The run's batches, with labels as transformers has them; replay must be random, since no losses are known."""
    feed = BatchFeed(
        open_stream(config, corpus, ProcessGroup()),
        corpus.train,
        config.training,
        device=torch.device("cpu"),
        processes=ProcessGroup(),
    )
    batches = []
    for prepared in feed:
        feed.record_losses(prepared, torch.ones(len(prepared.labels)))
        labels = torch.full_like(prepared.input_ids, -100)
        shift = OBJECTIVES[config.training.objective].shift  # of clm, transformers' own models shift the labels
        labels.view(-1)[prepared.positions + shift] = prepared.labels
        attended = prepared.attention_mask
        batches.append(
            {
                "input_ids": prepared.input_ids,
                "attention_mask": torch.ones_like(labels) if attended is None else attended[:, 0, -1].long(),
                "labels": labels,
            }
        )
    return batches


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in ARCHITECTURES if kind != "hf"])
def test_losses_are_transformers_own(kind: str, corpus: Corpus, tmp_path: Path) -> None:
    """Step for step on the same batches and masks, without dropout, through wake and sleep, and the same weights."""
    config = make_config(tmp_path / "ours", schedule="wsd", warmup=0.0, cooldown=1e-6, learning_rate=0.003)
    config.model.kind = kind
    config.training.objective = OBJECTIVES_OF[kind][-1]
    config.model.dropout = config.model.attention_dropout = 0.0
    config.sleep.replay.strategy = "random"
    train(config, keep_training, corpus=corpus, evaluate=weigh)
    ours = [line["loss"] for line in read_lines(tmp_path / "ours", "train")]

    model = build_model(
        config.model,
        objective=config.training.objective,
        vocab_size=corpus.train.vocab_size,
        max_length=32,
        special=corpus.train.special,
        seed=0,
    )
    training = config.training
    optimizer = plain_adamw(model, training)
    theirs = DenseTrainer(
        dense_batches(corpus, config),
        model=model,
        optimizers=(optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)),
        args=TrainingArguments(
            output_dir=str(tmp_path / "theirs"),
            num_train_epochs=1,
            max_grad_norm=training.max_grad_norm,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
    )
    theirs.train()
    expected = [line["loss"] for line in theirs.state.log_history if "loss" in line]
    assert len(ours) == len(expected) > 40
    assert ours == pytest.approx(expected, rel=2e-4)
    assert ours[0] == pytest.approx(expected[0], rel=1e-6)
    assert ours[-1] < ours[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "accumulation"), [*((kind, 1) for kind in ARCHITECTURES if kind != "hf"), ("roberta", 3)]
)
def test_updates_are_plain_torchs(kind: str, accumulation: int, corpus: Corpus, tmp_path: Path) -> None:
    """A decay so strong that a matrix left out, or a norm taken in, would be seen after the first update.

    Gradients are small beside this epsilon and are not clipped, so that AdamW does not hide their scale: batches of one
    update are averaged, and so is the last one, which holds fewer.
    """
    config = make_config(
        tmp_path, sleep=False, schedule="wsd", warmup=0.0, cooldown=1e-6, weight_decay=8.0, epsilon=1e-3,
        max_grad_norm=100.0, accumulation=accumulation,
    )  # fmt: skip
    config.model.kind = kind
    config.training.objective = OBJECTIVES_OF[kind][-1]
    config.model.dropout = config.model.attention_dropout = 0.0
    config.budget.passes = 0.5
    trained: dict[str, torch.Tensor] = {}

    def keep(model: PreTrainedModel, split: str) -> dict[str, float]:
        trained.update({name: parameter.detach().clone() for name, parameter in model.named_parameters()})
        return weigh(model, split)

    outcome = train(config, keep_training, corpus=corpus, evaluate=keep)
    batches = dense_batches(corpus, config)
    updates = [batches[at : at + accumulation] for at in range(0, len(batches), accumulation)]
    assert outcome.updates == len(updates) >= 3
    assert accumulation == 1 or len(updates[-1]) < accumulation

    model = build_model(
        config.model,
        objective=config.training.objective,
        vocab_size=corpus.train.vocab_size,
        max_length=32,
        special=corpus.train.special,
        seed=0,
    )
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = plain_adamw(model, config.training)
    for update in updates:
        optimizer.zero_grad()
        for batch in update:
            torch.autograd.backward(model(**batch).loss / accumulation)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.training.max_grad_norm)
        optimizer.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(trained[name], parameter.detach(), atol=1e-5, rtol=1e-4)
        if parameter.ndim > 1:
            assert trained[name].norm() < 0.9 * before[name].norm()


@pytest.mark.slow
def test_accumulation_is_a_larger_batch(corpus: Corpus, tmp_path: Path) -> None:
    """Without dropout, updates of 3 batches of 8 rows begin as updates of one batch of 24 do."""
    for folder, batch_size, accumulation in (("many", 8, 3), ("one", 24, 1)):
        config = make_config(tmp_path / folder, sleep=False, warmup=0.0, schedule="wsd", batch_size=batch_size)
        config.training.accumulation = accumulation
        config.model.dropout = config.model.attention_dropout = 0.0
        config.training.masking.probability = 0.9
        train(config, keep_training, corpus=corpus, evaluate=weigh)
    many, one = (read_lines(tmp_path / folder, "train") for folder in ("many", "one"))
    assert [line["words_seen"] for line in many[:4]] == [line["words_seen"] for line in one[:4]]
    assert [line["loss"] for line in many[:4]] == pytest.approx([line["loss"] for line in one[:4]], rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [1, 2, 5])
def test_every_batch_enters_an_update(accumulation: int, corpus: Corpus, tmp_path: Path) -> None:
    """Sleep begins within an update, and the last update holds what is left."""
    config = make_config(tmp_path, accumulation=accumulation)
    config.sleep.replay.strategy = "random"
    outcome = train(config, keep_training, corpus=corpus, evaluate=weigh)
    batches = len(dense_batches(corpus, config))
    assert outcome.updates == -(-batches // accumulation)


@pytest.mark.slow
def test_the_rate_follows_the_words(corpus: Corpus, tmp_path: Path) -> None:
    train(make_config(tmp_path, schedule="linear", warmup=0.2), keep_training, corpus=corpus, evaluate=weigh)
    for line in read_lines(tmp_path, "train"):
        share = line["words_seen"] / int(3.5 * corpus.train.num_words)
        assert line["learning_rate"] == pytest.approx(0.01 * min(share / 0.2, (1 - share) / 0.8))


def test_four_methods_are_ours() -> None:
    ours = {name for name, value in vars(SleepTrainer).items() if callable(value) and hasattr(Trainer, name)}
    assert ours - {"__init__"} == {
        "get_train_dataloader",
        "create_optimizer",
        "compute_loss",
        "create_scheduler",
    }
