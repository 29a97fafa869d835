"""Options that do not fit together are refused before anything is read or trained."""

from typing import Any

import pytest

from sleep_tune.config.rules import RULES
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import assign, from_dict, to_dict
from sleep_tune.errors import BudgetError, ConfigError, UserError
from tests.messages import missing

BROKEN: list[tuple[str, dict[str, Any], type[UserError], str]] = [
    ("exactly_one", {"budget.passes": None}, ConfigError, "budget.passes, budget.words|none"),
    ("run_name_is_a_folder", {"run.name": "a/b"}, ConfigError, "run.name|'a/b'|run.dir"),
    ("run_name_is_a_folder", {"run.name": ".."}, ConfigError, "run.name|'..'"),
    ("run_name_is_a_folder", {"run.name": "a" * 300}, ConfigError, "run.name|200 bytes"),
    ("heads_divide_width", {"model.heads": 7}, ConfigError, "model.heads|model.hidden=256|1, 2, 4|got 7"),
    (
        "objective_fits_model",
        {"model.kind": "gpt2"},
        ConfigError,
        "training.objective|clm|model.kind=gpt2|got mlm",
    ),
    (
        "objective_fits_model",
        {"model.kind": "gpt2", "training.objective": "hybrid"},
        ConfigError,
        "training.objective|clm|model.kind=gpt2|got hybrid|roberta, roberta_prelayernorm",
    ),
    ("objective_fits_model", {"training.causal_ratio": 0.5}, ConfigError, "training.causal_ratio|hybrid|0.5|mlm"),
    ("corpus_is_named", {"data.kind": "text"}, ConfigError, "data=text|data.path=|none"),
    ("corpus_is_named", {"data.kind": "babylm"}, ConfigError, "data=babylm|data.dataset"),
    ("corpus_is_named", {"data.path": "x"}, ConfigError, "data.path|data=text|data.kind=toy"),
    ("corpus_is_named", {"data.dataset": "x"}, ConfigError, "data.dataset|data=babylm"),
    ("corpus_is_named", {"data.revision": "x"}, ConfigError, "data.revision|data=babylm"),
    ("corpus_is_named", {"data.kind": "hf"}, ConfigError, "data=hf|data.dataset"),
    ("corpus_is_named", {"data.path": ["x", "y"]}, ConfigError, "data.path=('x', 'y')|data=text|data.kind=toy"),
    ("corpus_is_named", {"data.field": "x"}, ConfigError, "data.field='x'|data=text|data=hf|data.kind=toy"),
    ("corpus_is_named", {"data.splits": {"dev": "x"}}, ConfigError, "data.splits|data=hf|data.kind=toy"),
    *(
        (
            "splits_are_named",
            {"data.kind": "hf", "data.dataset": "x", "data.splits": splits},
            ConfigError,
            f"data.splits|{facts}",
        )
        for splits, facts in (
            ({"valid": "x"}, "'valid'|dev, test, train"),
            ({"train": None}, "data.splits.train|null"),
            ({"dev": 3}, "data.splits.dev|3"),
            ({"dev": " "}, "data.splits.dev|' '"),
        )
    ),
    ("tokenizer_is_named", {"tokenizer.kind": "hub"}, ConfigError, "tokenizer=hub|tokenizer.name"),
    ("tokenizer_is_named", {"tokenizer.name": "x"}, ConfigError, "tokenizer.name=x|tokenizer=hub|tokenizer.kind=bpe"),
    (
        "mirror_holds_all",
        {"training.mirror": "s3://bucket/x", "training.word_checkpoints": True},
        ConfigError,
        "training.word_checkpoints|false|training.mirror",
    ),
    *(
        ("mirror_holds_no_secret", {"training.mirror": uri}, ConfigError, "training.mirror|AWS_SECRET_ACCESS_KEY")
        for uri in (
            "s3://id:planted@bucket/x",
            "s3://:planted@b",
            "S3://b/x?SECRET_key=planted",
            "abfs://b?a=1&sas_token=p",
        )
    ),
    (
        "schedule_fits",
        {"training.schedule": "wsd", "training.warmup": 0.6, "training.cooldown": 0.5},
        ConfigError,
        "training.warmup + training.cooldown|at most 1|0.6 + 0.5",
    ),
    (
        "mask_shares_fit",
        {"training.masking.mask_share": 0.8, "training.masking.random_share": 0.3},
        ConfigError,
        "training.masking.mask_share + training.masking.random_share|at most 1|0.8 + 0.3",
    ),
    (
        "masking_changes_where_tokens_are_masked",
        {"model.kind": "gpt2", "training.objective": "clm", "training.masking.final": 0.3},
        ConfigError,
        "training.masking.final|null|training.objective=clm|0.3",
    ),
    (
        "masking_changes_where_tokens_are_masked",
        {"model.kind": "gpt2", "training.objective": "clm", "training.masking.final": 0.3, "sleep.masking": 0.4},
        ConfigError,
        "training.masking.final|sleep.masking|null|training.objective=clm|0.3|0.4",
    ),
    ("architecture_is_described", {"model.kind": "hf"}, ConfigError, "model.config=|model.init=|none"),
    (
        "architecture_is_described",
        {"model.kind": "hf", "model.config": "opt", "model.layers": 3, "model.dropout": 0.0},
        ConfigError,
        "model.layers=3|model.dropout=0.0|model.options|model.kind=hf",
    ),
    (
        "architecture_is_described",
        {"model.config": "opt", "model.options": {"a": 1}},
        ConfigError,
        "model.config='opt'|model.options={'a': 1}|model=hf|model.kind=roberta_prelayernorm",
    ),
    (
        "architecture_is_described",
        {"model.kind": "hf", "model.config": "opt", "model.trust_remote_code": True},
        ConfigError,
        "model.trust_remote_code=true|model.config",
    ),
    (
        "architecture_is_described",
        {
            "model.kind": "hf",
            "model.init": "a",
            "model.options": {"a": 1},
            "tokenizer.kind": "hub",
            "tokenizer.name": "a",
        },
        ConfigError,
        "model.options={'a': 1}|model.init=a",
    ),
    (
        "dropout_exists",
        {"model.kind": "llama", "training.objective": "clm"},
        ConfigError,
        "model.dropout|0 with model.kind=llama|got 0.1|model.attention_dropout",
    ),
    (
        "weights_have_a_tokenizer",
        {"model.kind": "hf", "model.init": "a"},
        ConfigError,
        "tokenizer=hub|tokenizer.name=a|tokenizer.kind=bpe",
    ),
    ("evaluation_fits", {"evaluation.rungs": [0.6, 0.3]}, ConfigError, "evaluation.rungs|[0.6, 0.3]"),
    ("evaluation_fits", {"evaluation.rungs": [0.3, 0.3]}, ConfigError, "evaluation.rungs|[0.3, 0.3]"),
    ("evaluation_fits", {"evaluation.stride": 129}, ConfigError, "evaluation.stride|data.max_length=128|got 129"),
    (
        "evaluation_fits",
        {"evaluation.batch_tokens": 128, "data.max_length": 256},
        ConfigError,
        "evaluation.batch_tokens|data.max_length=256|got 128",
    ),
    ("tasks_have_data", {"evaluation.tasks": ["comps"]}, ConfigError, "evaluation.data=|evaluation.tasks=[comps]"),
    ("sleep_fits_budget", {"sleep.length.passes": 11}, BudgetError, "sleep.length.passes|budget.passes=10|got 11"),
    ("sleep_fits_budget", {"sleep.length.ratio": 9.5}, BudgetError, "sleep.length.ratio|budget.passes - 1 = 9|got 9.5"),
    (
        "sleep_fits_budget",
        {"sleep.length.repeats": 1, "budget.passes": 0.5},
        BudgetError,
        "budget.passes|at least 1|0.5",
    ),
    (
        "signed_signal_is_ranked",
        {"sleep.replay.signal": "progress", "sleep.replay.refresh": 0.5},
        ConfigError,
        "sleep.replay.normalise|cycle, rank, source|sleep.replay.signal=progress|got none",
    ),
    (
        "excess_has_a_reference",
        {"sleep.replay.signal": "excess", "sleep.replay.normalise": "rank"},
        ConfigError,
        "sleep.replay.signal=excess|sleep.replay.reference=|none",
    ),
    (
        "excess_has_a_reference",
        {"sleep.replay.reference": "x"},
        ConfigError,
        "sleep.replay.reference|sleep.replay.signal=excess|got x|sleep.replay.signal=loss",
    ),
    (
        "signed_signal_is_ranked",
        {"sleep.replay.signal": "excess", "sleep.replay.reference": "x"},
        ConfigError,
        "sleep.replay.normalise|sleep.replay.signal=excess|got none",
    ),
    *(
        (
            "progress_is_measured",
            {"sleep.replay.signal": "progress", "sleep.replay.normalise": "rank"} | length,
            BudgetError,
            f"sleep.replay.signal=progress|sleep.replay.refresh|2 passes|{passes} passes",
        )
        for length, passes in (({}, "1"), ({"sleep.length.ratio": 9}, "1"), ({"sleep.length.ratio": 5}, "1.667"))
    ),
    (
        "uniform_draws_exist",
        {"sleep.replay.strategy": "strict", "sleep.replay.uniform": 0.2},
        ConfigError,
        "sleep.replay.uniform|0 with sleep.replay.strategy=strict|got 0.2|weighted",
    ),
]
"""Rule, options that break it, the error, and what its message holds."""


def built(changes: dict[str, Any]) -> RunConfig:
    tree = to_dict(RunConfig())
    for key, value in changes.items():
        assign(tree, key, value)
    return from_dict(tree)


@pytest.mark.parametrize(("rule", "changes", "kind", "facts"), BROKEN)
def test_a_broken_rule_names_its_keys(rule: str, changes: dict[str, Any], kind: type[UserError], facts: str) -> None:
    assert rule in RULES
    with pytest.raises(kind) as raised:
        built(changes)
    assert not missing(raised.value, facts)
    assert "planted" not in str(raised.value)  # a password is never printed


def test_all_broken_rules_are_reported_together() -> None:
    with pytest.raises(ConfigError) as raised:
        built({"model.heads": 7, "evaluation.stride": 129, "sleep.length.passes": 11})
    assert not missing(raised.value, "3 mistakes|model.heads|evaluation.stride|sleep.length.passes")


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
        {"sleep.masking": 0.4, "training.masking.final": 0.3},
        {"training.objective": "hybrid", "sleep.masking": 0.4},
        {"training.masking.mask_share": 0.7, "training.masking.random_share": 0.3},
        {"training.mirror": "hdfs://user@host:8020/a@b"},
        {"training.mirror": "s3://bucket:9000/a@b?endpoint_override=http://127.0.0.1:9000"},
        {"evaluation.method": "exact", "evaluation.stride": 129},
        {"data.kind": "text", "data.path": "a folder, with = and commas"},
        {"sleep.replay.signal": "progress", "sleep.replay.normalise": "rank", "sleep.replay.refresh": 0.1},
        {"sleep.replay.signal": "progress", "sleep.replay.normalise": "cycle", "sleep.length.passes": 2},
        {"sleep.replay.signal": "progress", "sleep.replay.normalise": "rank", "sleep.length.ratio": 4},
        {"sleep.replay.signal": "progress", "sleep.replay.normalise": "rank", "sleep.length.ratio": 0},  # not read
        {"sleep.replay.uniform": 1, "sleep.replay.strategy": "weighted"},
        {"sleep.replay.uniform": 0.2, "sleep.replay.strategy": "random"},  # it draws uniformly in any case
    ],
)
def test_the_bounds_themselves_are_allowed(changes: dict[str, Any]) -> None:
    """A budget in words is checked by the plan, when the corpus is known; epochs may be less than one pass."""
    built(changes)
