"""Hints for search spaces written as W&B sweeps, Optuna or Ray Tune write them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sleep_tune.config.foreign_names import ForeignName
from sleep_tune.config.options import options, section_fields
from sleep_tune.errors import ConfigError
from sleep_tune.search.space.foreign_spaces import TABLES, describe_domain, hint_at_key, space_keys
from sleep_tune.search.space.space_file import load_space
from sleep_tune.search.space.space_help import SECTION_CLASSES
from sleep_tune.search.space.space_overrides import SECTIONS
from tests.messages import raises_naming

KEYS = list(space_keys())

SPACE = """\
base: {data: toy, model: tiny, budget.passes: 6}
parameters: {sleep.folds: {choice: [2, 5]}}
stop: {trials: 2}
"""


def write_space(folder: Path, parameters: dict[str, Any]) -> Path:
    file = folder / "space.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(SPACE) | {"parameters": parameters}))
    return file


@pytest.mark.parametrize("entry", KEYS, ids=lambda entry: entry.name)
def test_every_key_leads_to_a_section_or_an_option(entry: ForeignName, tmp_path: Path) -> None:
    inside = {f"{section}.{name}" for section, kind in SECTION_CLASSES.items() for name in section_fields(kind)}
    assert entry.key in {"", *SECTIONS, *inside}
    assert entry.name not in {*options(), *SECTIONS}
    (tmp_path / "space.yaml").write_text(f"{SPACE}{entry.name}: 3\n")
    with raises_naming(ConfigError, "space.yaml:4", f"{entry.name} of {entry.tool}", entry.key, entry.difference):
        load_space(tmp_path / "space.yaml")


def test_no_key_has_two_meanings() -> None:
    assert len({entry.name for entry in KEYS}) == len(KEYS) == sum(map(len, TABLES.values()))


def test_a_metric_is_an_objective_at_the_top_only() -> None:
    assert "{metric: eval/nll, mode: min}" in str(hint_at_key("metric"))
    assert hint_at_key("objective.metric") is None
    assert hint_at_key("finalists.seed") is None


DOMAINS: list[tuple[Any, bool, str]] = [
    # W&B sweeps
    ({"values": [2, 5]}, True, "{choice: [2, 5]}"),
    ({"distribution": "categorical", "values": ["strict", "random"]}, False, "{choice: ['strict', 'random']}"),
    ({"min": 0.05, "max": 0.8}, False, "{uniform: [0.05, 0.8]}"),
    ({"min": 2, "max": 20}, False, "{int: [2, 20]}"),
    ({"distribution": "uniform", "min": 0, "max": 1}, False, "{uniform: [0, 1]}"),
    ({"distribution": "int_uniform", "min": 2, "max": 20}, True, "{int: [2, 20]}"),
    ({"distribution": "log_uniform_values", "min": 1e-4, "max": 0.01}, False, "{log_uniform: [0.0001, 0.01]}"),
    ({"distribution": "log_uniform", "min": 0, "max": 1}, False, "{log_uniform: [1.0, 2.72]}"),
    ({"distribution": "q_uniform", "min": 0.05, "max": 0.8, "q": 0.1}, False, "{uniform: [0.0, 0.8], step: 0.1}"),
    ({"distribution": "q_uniform", "min": 1, "max": 20, "q": 5}, True, "{int: [0, 20], step: 5}"),
    ({"distribution": "q_log_uniform_values", "min": 2, "max": 64}, True, "{int: [2, 64], log: true}"),
    ({"distribution": "q_log_uniform_values", "min": 2, "max": 64, "q": 2}, True, "{int: [2, 64], log: true}: a log"),
    # Optuna
    ("trial.suggest_float('x', 0, 1, step=0.3)", False, "{uniform: [0, 0.9], step: 0.3}"),
    ("trial.suggest_int('x', 2, 20, step=4)", True, "{int: [2, 18], step: 4}"),
    ("trial.suggest_int('x', 2, 64, log=True)", True, "{int: [2, 64], log: true}"),
    ({"low": 2, "high": 20, "step": 3}, True, "{int: [2, 20], step: 3}"),
    ({"low": 0, "high": 1, "step": 0.25}, False, "{uniform: [0, 1.0], step: 0.25}"),
    ("trial.suggest_float('x', 0.05, 0.8)", False, "{uniform: [0.05, 0.8]}"),
    ("trial.suggest_float('x', 1e-4, 1e-2, log=True)", False, "{log_uniform: [0.0001, 0.01]}"),
    ("trial.suggest_float('x', low=0.1, high=0.2)", False, "{uniform: [0.1, 0.2]}"),
    ("trial.suggest_int('x', 2, 20)", True, "{int: [2, 20]}"),
    ("trial.suggest_categorical('x', [2, 5])", True, "{choice: [2, 5]}"),
    ({"type": "float", "low": 0.1, "high": 0.5, "log": True}, False, "{log_uniform: [0.1, 0.5]}"),
    # Ray Tune
    ("tune.uniform(0.05, 0.8)", False, "{uniform: [0.05, 0.8]}"),
    ("tune.loguniform(1e-4, 1e-2)", False, "{log_uniform: [0.0001, 0.01]}"),
    ("tune.choice([2, 5])", True, "{choice: [2, 5]}"),
    ("tune.grid_search([2, 5])", True, "{choice: [2, 5]}"),
    ("tune.randint(2, 20)", True, "{int: [2, 19]}"),
    ("tune.quniform(0.05, 0.8, 0.05)", False, "{uniform: [0.05, 0.8], step: 0.05}"),
    ("tune.qloguniform(1e-4, 1e-2, q=1e-4)", False, "{log_uniform: [0.0001, 0.01]}: a log"),
    ("tune.qrandint(1, 9, 2)", True, "{int: [2, 8], step: 2}"),
    ("tune.qrandint(1, 9)", True, "{int: [1, 8]}"),
    ("tune.lograndint(2, 65)", True, "{int: [2, 64], log: true}"),
    ({"grid_search": [2, 5]}, True, "{choice: [2, 5]}"),
    ({"loguniform": [1e-4, 1e-2]}, False, "{log_uniform: [0.0001, 0.01]}"),
    ([2, 5], True, "{choice: [2, 5]}"),
]


@pytest.mark.parametrize(("value", "is_whole", "meant"), DOMAINS, ids=lambda case: str(case)[:40])
def test_a_range_in_other_words(value: Any, is_whole: bool, meant: str, tmp_path: Path) -> None:
    key = "sleep.folds" if is_whole else "sleep.replay.ratio"
    with raises_naming(ConfigError, "space.yaml", f"parameters.{key}", meant):
        load_space(write_space(tmp_path, {key: value}))


@pytest.mark.parametrize(
    "value",
    [
        {"distribution": "q_normal", "mu": 0, "sigma": 1},
        {"min": 0.1},
        {"min": "a", "max": "b"},
        "tune.uniform()",
        "tune.qrandn(0, 1, 0.1)",
        "tune.quniform(0, 1, 0)",
        {"quniform": [0, 1, 0.1], "q": 3},
    ],
)
def test_a_range_that_has_no_equal_names_those_that_there_are(value: Any) -> None:
    assert "{log_uniform: [low, high]}" in str(describe_domain(value, is_whole=False))


@pytest.mark.parametrize("value", [{"choice": [1]}, {"choise": [1]}, {}, None, 3, "a", "(1", {"uniform": [0, 1]}])
def test_other_mistakes_are_left_to_the_checks(value: Any) -> None:
    assert describe_domain(value, is_whole=False) is None


@pytest.mark.parametrize(("text", "parts"), [("method=bayes", "search.algorithm"), ("lr=1", "training.learning_rate")])
def test_on_the_command_line(text: str, parts: str, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    with raises_naming(ConfigError, "command line", text.partition("=")[0], parts):
        load_space(tmp_path / "space.yaml", [text])
