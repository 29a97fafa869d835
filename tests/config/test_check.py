"""Options that do not fit together are refused before anything is read or trained."""

from typing import Any

import pytest

from sleep_tune.config.check import RULES
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import assign, from_dict, to_dict
from sleep_tune.errors import BudgetError, ConfigError, UserError

BROKEN: list[tuple[str, dict[str, Any], type[UserError], str]] = [
    ("exactly_one", {"budget.passes": None}, ConfigError, "set exactly one of budget.passes, budget.words; got none"),
    ("run_name_is_a_folder", {"run.name": "a/b"}, ConfigError, "run.name must be the name of one folder.*got 'a/b'"),
    ("run_name_is_a_folder", {"run.name": ".."}, ConfigError, "got '..'"),
    ("run_name_is_a_folder", {"run.name": "a" * 300}, ConfigError, "run.name must be"),
    (
        "heads_divide_width",
        {"model.heads": 7},
        ConfigError,
        r"model.heads must divide model.hidden=256 \(1, 2, 4.*got 7",
    ),
    (
        "corpus_is_named",
        {"data.kind": "text"},
        ConfigError,
        "data=text needs data.path=..., a folder of text; got none",
    ),
    (
        "mirror_holds_all",
        {"training.mirror": "s3://bucket/x", "training.word_checkpoints": True},
        ConfigError,
        r"training\.word_checkpoints must be false with training\.mirror",
    ),
    *(
        (
            "mirror_holds_no_secret",
            {"training.mirror": uri},
            ConfigError,
            r"^training\.mirror must hold no password[^?@]*$",
        )
        for uri in (
            "s3://id:planted@bucket/x",
            "s3://:planted@b",
            "S3://b/x?SECRET_key=planted",
            "abfs://b?a=1&sas_token=p",
        )
    ),
    ("corpus_is_named", {"data.kind": "babylm"}, ConfigError, "data=babylm needs data.dataset"),
    ("corpus_is_named", {"data.path": "x"}, ConfigError, "data.path is read by data=text only; got data.kind=toy"),
    ("corpus_is_named", {"data.dataset": "x"}, ConfigError, "data.dataset is read by data=babylm only"),
    ("corpus_is_named", {"data.revision": "x"}, ConfigError, "data.revision is read by data=babylm only"),
    ("tokenizer_is_named", {"tokenizer.kind": "hub"}, ConfigError, "tokenizer=hub needs tokenizer.name"),
    ("tokenizer_is_named", {"tokenizer.name": "x"}, ConfigError, "tokenizer.name is read by tokenizer=hub only"),
    (
        "schedule_fits",
        {"training.schedule": "wsd", "training.warmup": 0.6, "training.cooldown": 0.5},
        ConfigError,
        r"training.warmup \+ training.cooldown must be at most 1.*got 0.6 \+ 0.5",
    ),
    (
        "mask_shares_fit",
        {"training.masking.mask_share": 0.8, "training.masking.random_share": 0.3},
        ConfigError,
        r"must be at most 1; got 0.8 \+ 0.3",
    ),
    ("evaluation_fits", {"evaluation.rungs": [0.6, 0.3]}, ConfigError, r"evaluation.rungs must rise strictly"),
    ("tasks_have_data", {"evaluation.tasks": ["comps"]}, ConfigError, r"needs evaluation.data=.*tasks=\[comps\]"),
    ("evaluation_fits", {"evaluation.rungs": [0.3, 0.3]}, ConfigError, r"got \[0.3, 0.3\]"),
    ("evaluation_fits", {"evaluation.stride": 129}, ConfigError, "at most data.max_length=128; got 129"),
    ("evaluation_fits", {"evaluation.batch_tokens": 128, "data.max_length": 256}, ConfigError, "must hold one row"),
    ("sleep_fits_budget", {"sleep.length.passes": 11}, BudgetError, "at most budget.passes=10; got 11"),
    ("sleep_fits_budget", {"sleep.length.ratio": 9.5}, BudgetError, r"at most budget.passes - 1 = 9.*got 9.5"),
    ("sleep_fits_budget", {"sleep.length.repeats": 1, "budget.passes": 0.5}, BudgetError, "must be at least 1"),
]


def built(changes: dict[str, Any]) -> RunConfig:
    tree = to_dict(RunConfig())
    for key, value in changes.items():
        assign(tree, key, value)
    return from_dict(tree)


@pytest.mark.parametrize(("rule", "changes", "kind", "message"), BROKEN)
def test_a_broken_rule_names_its_keys(rule: str, changes: dict[str, Any], kind: type[UserError], message: str) -> None:
    assert rule in RULES
    with pytest.raises(kind, match=message):
        built(changes)


def test_every_rule_is_tested() -> None:
    assert {rule for rule, *_ in BROKEN} == set(RULES)


@pytest.mark.parametrize(
    "changes",
    [
        {"sleep.length.ratio": 9},
        {"sleep.length.passes": 10},
        {"sleep.length.ratio": 0, "budget.passes": 0.5},
        {"budget.words": 5, "sleep.length.passes": 100},
        {"training.warmup": 0.9},
        {"training.masking.mask_share": 0.7, "training.masking.random_share": 0.3},
        {"training.mirror": "hdfs://user@host:8020/a@b"},
        {"training.mirror": "s3://bucket:9000/a@b?endpoint_override=http://127.0.0.1:9000"},
        {"evaluation.method": "exact", "evaluation.stride": 129},
        {"data.kind": "text", "data.path": "a folder, with = and commas"},
    ],
)
def test_the_bounds_themselves_are_allowed(changes: dict[str, Any]) -> None:
    """A budget in words is held by the plan, which knows the corpus; epochs may be a part of one."""
    built(changes)
