"""Arms: what each sets over the base, and every mistake in one with its line and the nearest valid choice."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sleep_tune.config.groups import group_settings, groups
from sleep_tune.config.load import compose
from sleep_tune.config.tree import to_dict
from sleep_tune.errors import ConfigError
from sleep_tune.search.space.arm_settings import arm_settings, found_first, own_settings
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import Arm, Baseline, Space
from sleep_tune.search.space.space_file import load_space
from sleep_tune.search.space.space_json import to_json
from sleep_tune.search.space.trial_configs import baseline_settings, with_settings
from tests.messages import missing
from tests.own_code import own_code

WHOLE = """\
base: {data: toy, model: tiny, model.dropout: 0, budget.passes: 10, sleep.folds: 20}
parameters: {training.learning_rate: {choice: [1e-3, 1e-2]}}
stop: {trials: 2}
baselines: {epochs: {trials: 2, parameters: [training.learning_rate]}}
arms:
  strict: {sleep: strict, sleep.length.passes: 5}
  folds: {like: strict, sleep.folds: 10}
  tuned: {like: epochs}
  control: {matched: folds}
  winner: {like: best, sleep.replay.strategy: random}
  plain: {}
"""


MIDDLE = """\
def middle(priorities, scores, n, rng):
    return list(range(n))
"""


def load(folder: Path, text: str = WHOLE, *overrides: str) -> Space:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load_space(path, overrides)


def test_each_arm_has_the_settings_of_the_one_that_it_is_like_and_its_own(tmp_path: Path) -> None:
    space = load(tmp_path)
    found = {"best": {"training.learning_rate": 1e-2}, "epochs": {"training.learning_rate": 1e-3}}
    epochs = dict(baseline_settings("epochs"))
    strict = {"sleep.replay.strategy": "strict", "sleep.length.passes": 5.0}
    assert {name: arm_settings(space, name, found) for name in space.arms} == {
        "strict": strict,
        "folds": strict | {"sleep.folds": 10},
        "tuned": epochs | {"training.learning_rate": 1e-3},
        "control": strict | {"sleep.folds": 10},
        "winner": {"training.learning_rate": 1e-2, "sleep.replay.strategy": "random"},
        "plain": {},
    }
    assert {name: found_first(space, name) for name in space.arms} == {
        "strict": None,
        "folds": None,
        "tuned": "epochs",
        "control": None,
        "winner": "best",
        "plain": None,
    }
    assert arm_settings(space, "winner", {}) is arm_settings(space, "tuned", {"best": {}}) is None


def test_an_arm_is_written_down_as_it_was_read(tmp_path: Path) -> None:
    assert to_json(load(tmp_path))["arms"] == yaml.safe_load(WHOLE)["arms"]


@pytest.mark.parametrize(
    ("group", "choices"),
    [
        ("model", ["tiny", "small", "llama_small"]),
        ("sleep", ["as_epochs", "epochs", "strict"]),
        ("training", ["gpu", "default"]),
    ],
)
def test_a_choice_is_that_of_a_run_whatever_the_base_chose(group: str, choices: list[str]) -> None:
    """The options of the base that another choice of the group had set are those of the schema again."""
    for before in choices:
        for after in choices:
            own = own_settings({group: before, "model.dropout": 0.0}, Arm(settings={group: after}))
            base = to_dict(compose([f"{group}={before}", "model.dropout=0"]))
            expected = with_settings(to_dict(compose([f"{group}={after}", "model.dropout=0"])), {})
            assert with_settings(base, own) == with_settings(expected, group_settings(group, groups()[group][after]))


def test_a_choice_wins_over_the_options_of_the_base_as_a_baseline_does() -> None:
    base = {"sleep.length.passes": 5, "sleep.folds": 20, "sleep.replay.ratio": 0.2}
    assert own_settings(base, Arm(settings={"sleep": "epochs"})) == dict(baseline_settings("epochs"))


def test_options_that_exclude_each_other_are_never_both_set() -> None:
    space = Space(
        name="x",
        baselines={"epochs": Baseline()},
        arms={
            "a": Arm(settings={"sleep": "epochs", "sleep.length.passes": 2.0}),
            "b": Arm(like="a", settings={"sleep.length.repeats": 3.0}),
            "c": Arm(like="epochs", settings={"sleep.length.passes": 2.0}),
        },
    )
    lengths = [
        {key: value for key, value in (arm_settings(space, name) or {}).items() if key.startswith("sleep.length")}
        for name in space.arms
    ]
    assert lengths == [{"sleep.length.passes": 2.0}, {"sleep.length.repeats": 3.0}, {"sleep.length.passes": 2.0}]


def changed(before: str, after: str) -> str:
    assert before in WHOLE
    return WHOLE.replace(before, after)


BROKEN = {
    "a misspelt option": (changed("sleep.folds: 10", "sleep.fold: 10"), ":7: |'sleep.fold'|'sleep.folds'"),
    "an option without its section": (changed("sleep.folds: 10", "folds: 10"), ":7: |'folds'|'sleep.folds'"),
    "a value out of range": (changed("sleep.folds: 10", "sleep.folds: 0"), ":7: |sleep.folds|got 0"),
    "a misspelt group": (changed("sleep: strict", "slep: strict"), ":6: |'slep'|'sleep'"),
    "a misspelt choice": (changed("sleep: strict", "sleep: strickt"), ":6: |'strickt'|'strict'"),
    "no choice": (changed("sleep: strict", "sleep: null"), ":6: |arms.strict.sleep|strict|got null"),
    "a misspelt like": (changed("like: strict", "lik: strict"), ":7: |'lik'|'like'"),
    "like none": (changed("like: strict", "like: strickt"), ":7: |arms.folds.like|'strickt'|'strict'"),
    "like a number": (changed("like: strict", "like: 3"), ":7: |arms.folds.like|best|got 3"),
    "like itself": (changed("like: strict", "like: folds"), ":7: |'folds'|strict"),
    "like a control": (changed("like: epochs", "like: control"), ":8: |arms.tuned.like|folds|'control'"),
    "matched to none": (changed("matched: folds", "matched: fold"), ":9: |arms.control.matched|'fold'|'folds'"),
    "matched, and more": (changed("matched: folds", "matched: folds, sleep.folds: 3"), ":9: |arms.control|sleep.folds"),
    "a circle": (changed("sleep: strict, ", "like: folds, "), ":6: |strict -> folds -> strict"),
    "best without a search": (changed("{trials: 2}\n", "{trials: 0}\n"), ":10: |arms.winner|stop.trials=0"),
    "best without its runs": (
        changed("  plain: {}", "  twin: {matched: best}\nfinalists: {count: 0}"),
        ":11: |arms.twin|finalists.count|got 0",
    ),
    "two of one kind": (changed("passes: 5", "passes: 5, sleep.length.ratio: 1"), ":6: |sleep.length.ratio"),
    "two that do not fit": (changed("sleep.folds: 10", "model.heads: 7"), ":7: |arms.folds|model.heads"),
    "the budget": (changed("sleep.folds: 10", "budget.passes: 3"), ":7: |budget.passes|same for every run"),
    "the seed": (changed("sleep.folds: 10", "training.seed: 3"), ":7: |training.seed|fresh seeds"),
    "the corpus": (changed("plain: {}", "plain: {data: toy}"), ":11: |data|same for every run"),
    "the folder of a run": (changed("plain: {}", "plain: {run.dir: x}"), ":11: |run.dir"),
    "a tracker": (changed("plain: {}", "plain: {tracking: wandb}"), ":11: |tracking"),
    "a list": (changed("plain: {}", "plain: [1]"), ":11: |arms.plain|mapping"),
    "no mapping": ("parameters: {sleep.folds: {choice: [1, 2]}}\narms: [a]\n", ":2: |arms|mapping"),
    "a name with a dot": (changed("plain: {}", "pl.ain: {}"), ":11: |'pl.ain'|letters"),
    "the name of a trial": (changed("plain: {}", "t0001: {}"), ":11: |'t0001'"),
    "the name of a run": (changed("plain: {}", "epochs-s5: {}"), ":11: |'epochs-s5'"),
    "the name of a version": (changed("plain: {}", "strict-v2: {}"), ":11: |'strict-v2'"),
    "the name of a trial in capitals": (changed("plain: {}", "T0001: {}"), ":11: |'T0001'"),
    "best in capitals": (changed("plain: {}", "Best: {}"), ":11: |'Best'"),
    "a name that is too long": (changed("plain: {}", f"{'a' * 61}: {{}}"), ":11: |60"),
    "a name that begins with a hyphen": (changed("plain: {}", "-plain: {}"), ":11: |'-plain'|begin"),
    "best as a name": (changed("plain: {}", "best: {}"), ":11: |'best'"),
    "a baseline's name": (changed("plain: {}", "epochs: {}"), ":11: |'epochs'"),
    "a name in other letters": (changed("plain: {}", "Strict: {}"), ":11: |'Strict'|'strict'"),
    "no such reference": (changed("arms:\n", "comparison: {reference: epoch}\narms:\n"), ":5: |'epoch'|'epochs'"),
    "no reference": ("base: {}\nstop: {trials: 0}\narms: {strict: {}}\n", ":1: |comparison.reference|epochs|strict"),
    "nothing to train": ("stop: {trials: 0}\n", ":1: |stop.trials=0"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_mistake_names_its_line_and_the_nearest_valid_choice(mistake: str, tmp_path: Path) -> None:
    text, facts = BROKEN[mistake]
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert not missing(raised.value, facts)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("override", "arm"),
    [
        ("arms.folds.sleep.folds=20", {"like": "strict", "sleep.folds": 20}),
        ("arms.folds.like=plain", {"like": "plain", "sleep.folds": 10}),
        ("arms.folds.sleep=weighted", {"like": "strict", "sleep": "weighted"}),
        ("arms.folds={matched: strict}", {"matched": "strict"}),
        ("arms.strict.sleep.length.ratio=1", {"sleep": "strict", "sleep.length.ratio": 1.0}),
        ("arms.new={like: best}", {"like": "best"}),
    ],
)
def test_an_override_changes_an_arm(override: str, arm: dict[str, Any], tmp_path: Path) -> None:
    text = WHOLE.replace("  control: {matched: folds}\n", "")
    assert to_json(load(tmp_path, text, override))["arms"][override.split(".")[1].split("=")[0]] == arm


@pytest.mark.parametrize(
    ("override", "facts"),
    [
        ("arms.strickt.sleep.folds=3", "arms.strickt.sleep.folds on the command line|'strickt'|'strict'"),
        ("arms.strict.sleep.fold=3", "arms.strict.sleep.fold on the command line|'sleep.folds'"),
        ("arms.strict.sleep.folds=0", "arms.strict.sleep.folds on the command line|got 0"),
        ("arms.folds.like=strickt", "arms.folds.like on the command line|'strickt'|'strict'"),
        ("comparison.reference=plan", "comparison.reference on the command line|'plan'|'plain'"),
    ],
)
def test_a_mistake_on_the_command_line(override: str, facts: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, WHOLE, override)
    assert not missing(raised.value, facts)


def test_a_study_of_arms_needs_no_parameters(tmp_path: Path) -> None:
    text = "stop: {trials: 0}\ncomparison: {reference: a}\narms: {a: {sleep: epochs}, b: {}}\n"
    space = load(tmp_path, text)
    assert (space.parameters, list(space.arms), space.comparison.reference) == ((), ["a", "b"], "a")


def test_functions_that_arms_name_are_among_the_sources(tmp_path: Path) -> None:
    with own_code(tmp_path, {"my_lab.py": MIDDLE}):
        text = WHOLE.replace("plain: {}", "plain: {sleep.replay.strategy: 'my_lab:middle'}")
        sources = compose_base(load(tmp_path, text)).run.sources
        assert [source.split()[0] for source in sources] == ["my_lab:middle"]
        with pytest.raises(ConfigError) as raised:
            load(tmp_path, text.replace("my_lab:middle", "my_lab:midle"))
        assert not missing(raised.value, ":11: |sleep.replay.strategy|midle|middle")
