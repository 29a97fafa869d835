"""Hints for names of other tools: each entry names an option that exists, and is found by the name."""

import dataclasses

import pytest
from transformers import TrainingArguments

from sleep_tune.config.foreign_names import TABLES, TRAINING_ARGUMENTS, ForeignName, find_foreign_name, foreign_names
from sleep_tune.config.load import compose
from sleep_tune.config.options import options, sections
from sleep_tune.errors import ConfigError
from tests.messages import missing, raises_naming

ENTRIES = list(foreign_names())

OLDER = {"per_gpu_train_batch_size", "train_batch_size", "evaluation_strategy", "no_cuda", "warmup_ratio"}
OLDER |= {"overwrite_output_dir"}
"""Names of earlier versions of transformers."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_name_leads_to_an_option(entry: ForeignName) -> None:
    assert entry.key in {"", *options(), *sections()}
    assert entry.key or entry.difference
    assert entry.name not in options()
    with raises_naming(ConfigError, f"'{entry.name}'", f"{entry.name} of {entry.tool}", entry.key, entry.difference):
        compose([f"{entry.name}=1"])


def test_no_name_has_two_meanings() -> None:
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES) == sum(map(len, TABLES.values()))


def test_the_names_are_those_of_transformers() -> None:
    known = {field.name for field in dataclasses.fields(TrainingArguments)}
    assert {name for name, *_ in TRAINING_ARGUMENTS} - known == OLDER


@pytest.mark.parametrize(
    ("key", "facts"),
    [
        ("training.lr", "lr|is training.learning_rate here"),
        ("sleep.lr", "is sleep.learning_rate here"),
        ("model.learning_rate", "is training.learning_rate here"),
        ("learning_rate", "is training.learning_rate here"),
        ("model.pretrained", "lm-eval|model.init|model=hf"),
        ("--output-dir", "run.dir|run.name"),
        ("training.per_device_train_batch_size", "nearest|training.batch_size|each worker"),
        ("seed", "training.seed|data.seed"),
    ],
)
def test_a_hint(key: str, facts: str) -> None:
    entry = find_foreign_name(key)
    assert entry is not None and not missing(entry.hint, facts)


@pytest.mark.parametrize("key", ["training.learnin_rate", "trainin.seed", "sleep.fold", "training", "folds"])
def test_what_is_misspelt_is_no_name_of_another_tool(key: str) -> None:
    assert find_foreign_name(key) is None
