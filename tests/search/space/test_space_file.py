"""Every mistake in a search space is one clear error that says where, what was expected and what was given."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import UserError
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Finalists,
    Int,
    LogUniform,
    Scheduler,
    Search,
    Stop,
    Uniform,
)
from sleep_tune.search.space.space_file import compose_base, load_space
from tests.search.space.broken_spaces import BROKEN, LINE, OVERRIDES, WHOLE, change

SPACES = Path(__file__).parents[3] / "search_spaces"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_whole_space(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, WHOLE))
    assert space.name == "study"
    assert space.base == {"data": "toy", "model": "tiny", "budget.passes": 10.0}
    assert [(parameter.key, parameter.domain) for parameter in space.parameters] == [
        ("sleep.folds", Int(5, 20)),
        ("sleep.replay.strategy", Choice(("strict", "weighted", "random"))),
        ("sleep.replay.decay", Uniform(0.0, 0.7)),
        ("training.learning_rate", LogUniform(1e-4, 1e-2)),
        ("sleep.length.passes", Choice((1.0, 2.0, 5.0))),
    ]
    assert space.parameters[2].when == {"sleep.replay.strategy": ("strict", "weighted")}
    assert space.search == Search(seed=0)
    assert space.scheduler == Scheduler(within="sleep.length.passes")
    assert space.stop == Stop(trials=8)
    assert space.baselines == {
        "epochs": Baseline(trials=4, parameters=("training.learning_rate",)),
        "as_epochs": Baseline(),
    }
    assert space.finalists == Finalists(count=2, seeds=3)
    assert space.where["parameters.sleep.folds"] == f"{tmp_path}/study.yaml:8"
    assert compose_base(space).model.layers == 2


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_spaces(path: Path, tmp_path: Path) -> None:
    own_text = [f"data.path={tmp_path}"] if "data: text" in path.read_text(encoding="utf-8") else []
    space = load_space(path, own_text)
    assert space.name == path.stem
    assert set(space.baselines) == {"epochs", "as_epochs"}


def test_parents_come_first(tmp_path: Path) -> None:
    lines = WHOLE.splitlines(keepends=True)
    lines[8], lines[9] = lines[9], lines[8]
    keys = [parameter.key for parameter in load_space(write(tmp_path, "".join(lines))).parameters]
    assert keys.index("sleep.replay.strategy") < keys.index("sleep.replay.decay")


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_broken_space_is_one_clear_error(mistake: str, tmp_path: Path) -> None:
    text, message = BROKEN[mistake]
    with pytest.raises(UserError, match=message) as raised:
        load_space(write(tmp_path, text))
    assert "\n" not in str(raised.value)


ALL = """\
nmae: study
base:
  data: tyo
  model.heads: 0
  training.warmpu: 0.1
  sleep.folds: 3
objective: {metric: eval/nnl, mode: min}
parameters:
  sleep.folds: {int: [5, 2]}
  sleep.replay.strategy: {choice: [strickt, weighted, randum]}
  sleep.replay.decay: {uniform: [0.0, 0.7], when: {sleep.replay.strategy: [strict]}}
  sleep.length.passes: {choices: [1, 2]}
  training.batch_size: {int: [8, 16], when: {sleep.nothing: [1]}}
  training.batch_size: {int: [8, 16]}
search: {algorithm: tpee, sed: 3, startup: !!float x}
scheduler: {first_rung: 2, reduction: 3, within: sleep.length.passes}
stop: {trails: 8}
baselines:
  epochs: {trials: 0, parameters: [training.learning_rate, sleep.folds]}
  as_epoch: {}
finalists: {count: -1, seeds: none}
resources: []
enqueue:
  - {sleep.folds: 99, sleep.fold: 3}
  - 7
warm_start: [results/a, 3, results/a]
"""
"""Many mistakes, several of which would call for others if the reading did not know better."""

TOLD = {
    1: ["unknown key of a search space 'nmae'; did you mean 'name'"],
    3: ["unknown data 'tyo'; did you mean 'toy'"],
    4: ["model.heads must be a whole number.*got 0"],
    5: ["unknown option 'training.warmpu'; did you mean 'training.warmup'"],
    7: ["unknown objective.metric 'eval/nnl'"],
    9: ["parameters.sleep.folds.int must be .*low below high"],
    10: ["unknown sleep.replay.strategy 'strickt'", "unknown sleep.replay.strategy 'randum'"],
    12: ["unknown key of parameters.sleep.length.passes 'choices'; did you mean 'choice'"],
    13: ["unknown parameter in when of training.batch_size 'sleep.nothing'"],
    14: ["the key 'training.batch_size' is given twice, first on line 13"],
    15: ["what is tagged !!float must be a number; got 'x'", "unknown search.algorithm 'tpee'", "'sed'.*'seed'"],
    16: ["scheduler.first_rung must be .*got 2"],
    17: ["unknown key of stop 'trails'; did you mean 'trials'"],
    19: ["trials must be .*got 0", "unknown parameter of .*'training.learning_rate'", "cannot search sleep.folds"],
    20: ["unknown baseline 'as_epoch'"],
    21: ["finalists.count must be .*got -1", "finalists.seeds must be .*got 'none'"],
    22: ["resources must be a mapping"],
    24: ["unknown parameter of a point in enqueue 'sleep.fold'"],
    25: ["enqueue.1 must be a mapping"],
    26: ["warm_start.1 must be the folder", "'results/a' is given twice"],
}
"""Line -> what is told of it."""


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        load_space(write(tmp_path, ALL), ["stop.hours=soon", "=3"])
    heading, *lines = str(raised.value).splitlines()
    expected = [(line, each) for line, several in TOLD.items() for each in several]
    assert heading == f"{tmp_path}/study.yaml has {len(expected) + 2} mistakes:"
    assert lines[-2:] == [
        "  an override must be key=value; got '=3'",
        "  stop.hours on the command line: stop.hours must be a number > 0 or null; got 'soon'",
    ]
    places = [int(line.partition("study.yaml:")[2].partition(":")[0]) for line in lines[:-2]]
    assert places == [line for line, _ in expected]
    for line, several in TOLD.items():
        told = "\n".join(text for text in lines if f"study.yaml:{line}: " in text)
        for each in several:
            assert re.search(each, told), (line, each)


def test_what_does_not_fit_together_in_the_base_is_told_with_the_lines_of_its_options(tmp_path: Path) -> None:
    text = change("  model: tiny", "  model.heads: 7\n  evaluation.stride: 300\n  evaluation.method: strided")
    with pytest.raises(UserError) as raised:
        load_space(write(tmp_path, text.replace("trials: 8", "trials: 0")))
    _, *lines = str(raised.value).splitlines()
    assert [re.sub(".*study.yaml:", "", line).partition(";")[0] for line in lines] == [
        "4: model.heads must divide model.hidden=64 (1, 2, 4, 8, 16, 32, 64)",
        "5: evaluation.stride must be at most data.max_length=32",
        "17: stop.trials must be a whole number in [1, 1000000] or null",
    ]


@settings(max_examples=60)
@given(at=st.integers(0, len(WHOLE)), length=st.integers(0, 12), text=st.text(max_size=6))
def test_any_damage_is_an_error_or_a_space(
    at: int, length: int, text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing but the user's errors ever comes out, and each names the file."""
    path = write(tmp_path_factory.mktemp("x"), (WHOLE[:at] + text + WHOLE[at + length :]).encode("utf-8", "replace"))
    try:
        load_space(path)
    except UserError as error:
        assert "study.yaml" in str(error) or str(error).startswith("parameters:")


@pytest.mark.parametrize("mistake", OVERRIDES)
def test_a_broken_override_is_one_clear_error(mistake: str, tmp_path: Path) -> None:
    text, message = OVERRIDES[mistake]
    with pytest.raises(UserError, match=message.replace("+", r"\+")):
        load_space(write(tmp_path, WHOLE), [text])


def test_overrides_of_the_space(tmp_path: Path) -> None:
    overrides = [
        "name=other",
        "stop.trials=4",
        "stop.hours=1e-1",
        "parameters.sleep.folds.choice=[1, 2]",
        "parameters.sleep.replay.decay.when.sleep.replay.strategy=[strict]",
        "parameters.sleep.replay.ratio={uniform: [0.1, 0.2]}",
        "baselines={epochs: {}}",
        "resources.cpus_per_worker=2",
    ]
    space = load_space(write(tmp_path, WHOLE), overrides)
    domains = {parameter.key: parameter.domain for parameter in space.parameters}
    assert space.name == "other"
    assert (space.stop.trials, space.stop.hours) == (4, 0.1)
    assert domains["sleep.folds"] == Choice((1, 2))
    assert domains["sleep.replay.ratio"] == Uniform(0.1, 0.2)
    assert next(p.when for p in space.parameters if p.key == "sleep.replay.decay") == {
        "sleep.replay.strategy": ("strict",)
    }
    assert space.baselines == {"epochs": Baseline()}
    assert space.resources.cpus_per_worker == 2
    assert space.where["stop.trials"] == "stop.trials on the command line"


def test_overrides_of_the_base(tmp_path: Path) -> None:
    """What one excludes goes, and a group chosen anew starts its section afresh."""
    text = change("  data: toy", "  data: toy\n  data.sentences: 400")
    space = load_space(
        write(tmp_path, text), ["data=text", "data.path=/tmp/a=b", "budget.words=5000", "base.model=small"]
    )
    assert space.base == {"data": "text", "data.path": "/tmp/a=b", "budget.words": 5000, "model": "small"}


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials run in other folders."""
    monkeypatch.chdir(tmp_path)
    space = load_space(write(tmp_path, WHOLE), ["data=text", "data.path=here"])
    assert compose_base(space).data.path == str(tmp_path / "here")


def test_a_path_that_leads_nowhere_is_left_to_what_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such user, or a link to itself."""
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    for name in ("~nobody-of-this-name", "loop"):
        space = load_space(write(tmp_path, WHOLE), ["data=text", f"data.path={name}"])
        assert compose_base(space).data.path == str(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    with pytest.raises(UserError, match=r"stdy.yaml: there is no such file; did you mean '.*/study.yaml'"):
        load_space(tmp_path / "stdy.yaml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        load_space(tmp_path)


def test_the_name_is_the_file_s_by_default(tmp_path: Path) -> None:
    assert load_space(write(tmp_path, WHOLE.replace("name: study\n", ""))).name == "study"


def test_only_true_and_false_are_booleans(tmp_path: Path) -> None:
    text = change(LINE, "  training.compile: {choice: [true, false]}")
    assert load_space(write(tmp_path, text)).parameters[0].domain == Choice((True, False))
    with pytest.raises(UserError, match=r"study.yaml:8: training.compile must be true or false; got 'yes'"):
        load_space(write(tmp_path, text.replace("[true, false]", "[yes, no]")))


def test_what_a_search_knows_before_it_asks(tmp_path: Path) -> None:
    """Points keep the order of the list; their parameters are in the space's, typed as their options are."""
    text = WHOLE.replace("workers: 1,", "workers: 1, disk_gb: 2,") + (
        "enqueue:\n"
        "  - {sleep.length.passes: 2, sleep.folds: 5}\n"
        "  - {sleep.replay.decay: 0, sleep.replay.strategy: strict}\n"
        "warm_start: [results/a, ../b]\n"
    )
    space = load_space(write(tmp_path, text))
    assert [list(point.items()) for point in space.enqueue] == [
        [("sleep.folds", 5), ("sleep.length.passes", 2.0)],
        [("sleep.replay.strategy", "strict"), ("sleep.replay.decay", 0.0)],
    ]
    assert isinstance(space.enqueue[0]["sleep.length.passes"], float)
    assert space.warm_start == ("results/a", "../b")
    assert space.resources.disk_gb == 2.0
    space = load_space(write(tmp_path, text), ["warm_start=[results/c]", "enqueue=[{sleep.folds: 7}]"])
    assert space.warm_start == ("results/c",)
    assert space.enqueue == ({"sleep.folds": 7},)
