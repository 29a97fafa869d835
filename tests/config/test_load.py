"""Groups and overrides compose to one configuration, from any folder; a mistake is one message, never a traceback."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sleep_tune.config.describe import to_yaml
from sleep_tune.config.groups import groups
from sleep_tune.config.load import compose, parse_override
from sleep_tune.config.options import options
from sleep_tune.config.tree import flatten, from_dict, to_dict
from sleep_tune.errors import ConfigError, UserError
from tests.messages import missing


def test_the_defaults_are_the_default_groups() -> None:
    config = compose([])
    assert (config.data.kind, config.model.layers, config.sleep.folds) == ("toy", 2, 10)


def test_groups_and_options_in_any_order() -> None:
    first = compose(["sleep=epochs", "sleep.folds=3", "training.learning_rate=1e-5"])
    assert first == compose(["training.learning_rate=0.00001", "sleep.folds=3", "sleep=epochs"])
    assert (first.sleep.folds, first.sleep.length.passes, first.sleep.length.ratio) == (3, None, 0.0)


def test_the_last_of_several_counts() -> None:
    config = compose(["sleep=epochs", "training.seed=1", "sleep=strict", "training.seed=2"])
    assert (config.sleep.replay.strategy, config.sleep.length.passes, config.training.seed) == ("strict", 1.0, 2)


def test_an_option_clears_its_siblings_wherever_they_were_set() -> None:
    config = compose(["sleep=epochs", "sleep.length.repeats=2", "budget.words=1000"])
    assert (config.sleep.length.ratio, config.sleep.length.repeats) == (None, 2.0)
    assert (config.budget.passes, config.budget.words) == (None, 1000)


def test_a_base_gives_way() -> None:
    base = {"model": "small", "sleep.length.ratio": 4, "sleep.folds": 5, "budget.passes": 8, "training.seed": 3}
    config = compose(["budget.words=1000", "training.seed=4"], base=base)
    assert (config.model.layers, config.sleep.length.ratio, config.sleep.folds) == (8, 4.0, 5)
    assert (config.budget.passes, config.budget.words, config.training.seed) == (None, 1000, 4)


def test_a_group_chosen_anew_starts_its_section_afresh() -> None:
    """Otherwise a study's own replay settings would leak into its baselines."""
    base = {"sleep": "strict", "sleep.length.passes": 2, "sleep.folds": 5, "budget.passes": 8}
    config = compose(["sleep=epochs"], base=base)
    assert config == compose(["sleep=epochs", "budget.passes=8"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("data.path=/data/a=b", "/data/a=b"),
        ("data.path=/data/a, b and 'c'", "/data/a, b and 'c'"),
        ("data.path='/data/a, b'", "/data/a, b"),
        ('data.path="/data/a\'s"', "/data/a's"),
        ("data.path=[x]", ["x"]),
        ("data.path=[/data/a.jsonl, 'b c.txt']", ["/data/a.jsonl", "b c.txt"]),
        ("data.path='[x]'", "[x]"),
        ("data.path=null", None),
        ("data.path=1", "1"),
        ("data.path=true", "true"),
        ("data.path=~/text", "~/text"),
        ("data.path=é", "é"),
        ("data.path= x ", "x"),
        ("training.learning_rate=1e-5", 1e-5),
        ("training.seed=3", 3),
        ("training.compile=TRUE", True),
        ("training.threads=null", None),
        ("evaluation.rungs=[0.3,0.6]", [0.3, 0.6]),
        ("evaluation.rungs=[]", []),
        ("evaluation.tasks=[]", []),
        ("evaluation.rungs=[ 0.3 , 1e-1 ]", [0.3, 0.1]),
    ],
)
def test_values_are_read_by_the_option_they_are_for(text: str, value: object) -> None:
    assert parse_override(text) == (text.split("=")[0], value)


@pytest.mark.parametrize(
    ("overrides", "facts"),
    [
        (["sleep=epoch"], "sleep|'epoch'|'epochs'|as_epochs, default, epochs"),
        (["sleep="], "sleep|''|as_epochs, default"),
        (["sleep=null"], "sleep|got null|as_epochs, default"),
        (["sleep={folds:3}"], "sleep|'{folds:3}'"),
        (["slep=epochs"], "'slep'|'sleep'"),
        (["trainin.seed=3"], "'trainin.seed'|'training.seed'"),
        (["sleep.fold=3"], "'sleep.fold'|'sleep.folds'"),
        (["budget=3"], "budget|budget.passes, budget.words"),
        (["sleep@x=epochs"], "'sleep@x'"),
        (["+new.key=1"], "'+new.key=1'|new.key=1"),
        (["++sleep.folds=1"], "'++sleep.folds=1'|in sleep.folds=1"),
        (["~sleep"], "'~sleep'"),
        (["training.seed"], "key=value|'training.seed'|training.seed=value"),
        (["sleep"], "key=value|'sleep'"),
        ([""], "key=value|''"),
        (["=3"], "key=value|'=3'"),
        (["training.seed=1,2"], "training.seed|[0, 4294967295]|'1,2'|tune.py"),
        (["training.seed=range(1,3)"], "training.seed|tune.py"),
        (["training.seed=[1"], "training.seed|[0, 4294967295]|'[1'"),
        (["training.seed="], "training.seed|[0, 4294967295]|''"),
        (["training.seed='1'"], "training.seed|'1'"),
        (["training.compile=yes"], "training.compile|true or false|'yes'"),
        (["evaluation.rungs=0.3,0.6"], "evaluation.rungs|list|(0, 1)|'0.3,0.6'"),
        (["sleep.replay.strategy=utility"], "sleep.replay.strategy|'utility'|random, strict"),
        (["sleep.length.ratio=1", "sleep.length.passes=1"], "sleep.length.passes, sleep.length.ratio|passes=1"),
        (["sleep.length.passes=null"], "sleep.length.passes, sleep.length.ratio|none"),
        (["data.path='a"], "data.path|data=text|data.kind=toy"),
        (["data=text", "data.path='a' 'b'"], "data.path|text, a list of texts or null|'a' 'b'"),
        (["data=text"], "data=text|data.path="),
        (["data=text", "data.path=${oc.env:NO_SUCH_VARIABLE}"], "interpolation|NO_SUCH_VARIABLE"),
        (["data=text", "data.path=${"], "data.path|text, a list of texts or null|'${'"),
        (["training.seed=${data.path}"], "interpolation"),
        (["data=hf", "data.splits.train=part"], "'data.splits.train'|data.splits={train: ...}"),
    ],
)
def test_a_mistake_is_one_message(overrides: list[str], facts: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(overrides)
    assert not missing(caught.value, facts)
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        compose(["training.seed=x", "~sleep", "sleep.fold=3", "sleep=epoch"], base={"budget.passes": 0})
    facts = "5 mistakes|training.seed|'x'|'~sleep'|'sleep.folds'|'epochs'|budget.passes"
    assert not missing(caught.value, facts)


@pytest.mark.parametrize(
    ("base", "facts"),
    [
        ({"sleep": 3}, "sleep|got 3"),
        ({"sleep": {}}, "sleep|got {}"),
        ({"sleep.folds": "3"}, "sleep.folds|whole number|'3'"),
        ({"sleep.length.ratio": 1, "sleep.length.passes": 1}, "sleep.length.passes, sleep.length.ratio"),
    ],
)
def test_a_base_is_checked_as_strictly(base: dict[str, Any], facts: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose([], base=base)
    assert not missing(caught.value, facts)


def test_an_environment_variable_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT", "/data")
    assert compose(["data=text", "data.path=${oc.env:TEXT}/a"]).data.path == "/data/a"


@pytest.mark.parametrize("name", ["plain", "with space", "a=b, c", "it's", "é$x", "${x}", "a\\b", "a\\'b"])
def test_composes_from_any_folder_and_with_its_own_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / name
    (folder / "conf" / "sleep").mkdir(parents=True)
    (folder / "conf" / "budget").mkdir()
    (folder / "conf" / "sleep" / "mine.yaml").write_text("folds: 3\nlength: {ratio: 0.5}\n")
    (folder / "conf" / "budget" / "big.yaml").write_text("words: 1000\n")
    monkeypatch.chdir(folder)
    config = compose(["sleep=mine", "budget=big"])
    assert (config.sleep.folds, config.sleep.length.passes, config.sleep.length.ratio) == (3, None, 0.5)
    assert (config.budget.passes, config.budget.words) == (None, 1000)


def test_a_conf_of_another_project_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "db").mkdir(parents=True)
    (tmp_path / "conf" / "config.yaml").write_text("defaults: [db: mysql]\n")
    (tmp_path / "conf" / "db" / "mysql.yaml").write_text("user: x\n")
    expected = compose([])
    monkeypatch.chdir(tmp_path)
    assert compose([]) == expected


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        ("fold: 3\n", "mine.yaml:1: |'sleep.fold'|'sleep.folds'"),
        ("# What for.\nfolds: 3.5\n", "mine.yaml:2: |sleep.folds|whole number|3.5"),
        ("folds: [3\n", "mine.yaml:1: |flow sequence"),
        ("- folds\n", "mine.yaml:1: |mapping|['folds']"),
        ("folds: ${x.y}\n", "interpolation|x"),
        ("folds: ???\n", "sleep.folds|whole number"),
        ("defaults: [nowhere]\n", "conf/|nowhere"),
        ("# @package _global_\nsleep: {fold: 3}\n", "mine.yaml:2: |'sleep.fold'"),
        ("length: {ratio: 0, passes: 1}\n", "mine.yaml:1: |sleep.length.passes, sleep.length.ratio"),
        ("folds: 0\ncontext: kep\n", "2 mistakes|mine.yaml:1: |sleep.folds|mine.yaml:2: |'kep'|'keep'"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, facts: str) -> None:
    (tmp_path / "conf" / "sleep").mkdir(parents=True)
    (tmp_path / "conf" / "sleep" / "mine.yaml").write_text(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        compose(["sleep=mine"])
    assert not missing(caught.value, facts)


def test_a_file_may_build_on_another_or_set_options_of_other_sections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(
        "# @package _global_\nmodel: {layers: 3}\ntraining: {batch_size: 7}\n"
    )
    (tmp_path / "conf" / "model" / "smaller.yaml").write_text("defaults: [tiny]\nlayers: 1\n")
    monkeypatch.chdir(tmp_path)
    config = compose(["model=mine"])
    assert (config.model.layers, config.training.batch_size) == (3, 7)
    config = compose(["model=smaller"])
    assert (config.model.layers, config.model.hidden) == (1, 64)


KEYS = [*options(), *groups(), "sleep.fold", "nothing"]
PLAIN = ("0", "1", "0.5", "-1", "1e-5", "1e400", "nan", "true", "null", "", "toy", "text", "strict", "epochs", "[0.5]")
TRAPS = (
    "a=b",
    "[",
    "{a:1}",
    "'",
    '"x"',
    "${x}",
    "${oc.env:HOME}",
    "1,2",
    "choice(1,2)",
    "x y",
    "\\",
    "é",
    "\n",
    "\x00",
    "???",
)
VALUES = st.sampled_from(PLAIN + TRAPS)
OVERRIDE = st.one_of(
    st.tuples(st.sampled_from(KEYS), st.one_of(VALUES, st.text(max_size=8))).map("=".join),
    st.builds(
        lambda text, place, letter: text[: place % len(text)] + letter + text[place % len(text) + 1 :],
        st.sampled_from(
            ["sleep=epochs", "training.learning_rate=1e-5", "evaluation.rungs=[0.3,0.6]", "data.path='a b'"]
        ),
        st.integers(0, 30),
        st.text(max_size=2),
    ),
    st.text(max_size=20),
)
"""A key with any value, a valid override with a slip in it, or anything."""


@settings(max_examples=80)
@given(st.lists(OVERRIDE, max_size=4))
@example(["run.name=${sleep}"])
@example(["run.name=${run.name}"])
@example(["run.name=${oc.create:{a:1}}"])
@example(["training.seed=" + "9" * 5000])
@example(["evaluation.rungs=" + "[" * 500])
def test_no_override_gives_a_traceback(overrides: list[str]) -> None:
    """A configuration or a UserError; and a configuration survives the file it is written to."""
    try:
        config = compose(overrides)
    except UserError as error:
        assert str(error)
    else:
        assert from_dict(yaml.safe_load(to_yaml(config))) == config
        assert set(flatten(to_dict(config))) == set(options())
