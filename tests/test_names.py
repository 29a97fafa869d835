"""Each tuple of names is the list of its table's keys: what config accepts is what there is.

A table lies beside its functions, in a layer that names.py may not import. A strategy added to one and not to the
other would be refused by the configuration, or crash in a trial.
"""

import importlib

import pytest

from sleep_tune import names
from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL
from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.config.groups import groups

TABLES = {
    "STRATEGIES": "sleep_tune.sleep.selection:STRATEGIES",
    "SCOPES": "sleep_tune.sleep.buffer:SCOPES",
    "SIGNALS": "sleep_tune.sleep.signals:SIGNALS",
    "NORMALISATIONS": "sleep_tune.sleep.normalisation:NORMALISATIONS",
    "CONTEXTS": "sleep_tune.sleep.context:CONTEXTS",
    "CORPORA": "sleep_tune.data.prepare:CORPORA",
    "TOKENIZERS": "sleep_tune.data.tokenizer:TOKENIZERS",
    "IMPORTANCES": "sleep_tune.training.shrink:IMPORTANCES",
    "MASKINGS": "sleep_tune.data.masking:MASKINGS",
    "MODELS": "sleep_tune.models.architectures:ARCHITECTURES",
    "OBJECTIVES": "sleep_tune.data.objectives:OBJECTIVES",
    "OPTIMIZERS": "sleep_tune.training.optimizers:OPTIMIZERS",
    "SCHEDULES": "sleep_tune.training.schedules:SCHEDULES",
    "PERPLEXITIES": "sleep_tune.evaluation.perplexity:METHODS",
    "SAMPLERS": "sleep_tune.search.decide.algorithms:SAMPLERS",
    "SCHEDULERS": "sleep_tune.search.space.rungs:SCHEDULERS",
    "LAUNCHERS": "sleep_tune.search.run.launch:LAUNCHERS",
    "MATCHED": "sleep_tune.results.matched_resource:RESOURCES",
}
"""Names -> module:table."""

WITHOUT_TABLE = {"BASELINES", "DEVICES", "FINE_TUNING", "OBJECTIVES_OF", "PRECISIONS", "PROTOCOL_CHOICES", "TASKS"}
WITHOUT_TABLE |= {"WANDB_MODES"}
"""Names that no table of functions has: groups of conf/ (tested below), and choices in one place."""


@pytest.mark.parametrize("name", TABLES)
def test_names_are_the_tables_keys(name: str) -> None:
    module, _, table = TABLES[name].partition(":")
    assert set(getattr(importlib.import_module(module), table)) == set(getattr(names, name))


def test_every_tuple_is_held_to_something() -> None:
    assert set(names.__all__) == set(TABLES) | WITHOUT_TABLE


@pytest.mark.parametrize("name", names.__all__)
def test_a_tuple_is_sorted(name: str) -> None:
    values = getattr(names, name)
    assert list(values) == sorted(set(values))


def test_baselines_are_settings_of_sleep() -> None:
    assert set(names.BASELINES) <= set(groups()["sleep"])


def test_protocols_are_the_years_of_the_table_and_auto() -> None:
    assert set(names.PROTOCOL_CHOICES) == {*PROTOCOLS, AUTO_PROTOCOL}


def test_tasks_are_folders_of_babylm() -> None:
    from sleep_tune.evaluation.tasks import TASKS as SENTENCES

    assert set(names.TASKS) == set(FOLDERS) - {"glue_filtered", "aoa"} == {*SENTENCES, "reading"}
