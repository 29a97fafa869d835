"""Every mistake in a search space is one clear error that says where, what was expected and what was given."""

from pathlib import Path

import pytest

from sleep_tune.errors import ConfigError, UserError
from sleep_tune.installation import SPACES
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Domain,
    Finalists,
    Int,
    LogUniform,
    Scheduler,
    Search,
    Stop,
    Uniform,
)
from sleep_tune.search.space.space_file import load_space
from sleep_tune.search.space.space_path import find_space
from tests.messages import missing, raises_naming
from tests.search.space.broken_spaces import BROKEN, LINE, OVERRIDES, WHOLE, change


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


def test_parents_come_first(tmp_path: Path) -> None:
    lines = WHOLE.splitlines(keepends=True)
    lines[8], lines[9] = lines[9], lines[8]
    keys = [parameter.key for parameter in load_space(write(tmp_path, "".join(lines))).parameters]
    assert keys.index("sleep.replay.strategy") < keys.index("sleep.replay.decay")


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_broken_space_is_one_clear_error(mistake: str, tmp_path: Path) -> None:
    text, facts = BROKEN[mistake]
    with pytest.raises(UserError) as raised:
        load_space(write(tmp_path, text))
    assert not missing(raised.value, facts)
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
"""Many mistakes; some would cause others, which must not be reported."""

FACTS = {
    1: ["'nmae'|'name'"],
    3: ["data|'tyo'|'toy'"],
    4: ["model.heads|whole number|got 0"],
    5: ["'training.warmpu'|'training.warmup'"],
    7: ["objective.metric|'eval/nnl'"],
    9: ["parameters.sleep.folds.int|low|high"],
    10: ["sleep.replay.strategy|'strickt'", "sleep.replay.strategy|'randum'"],
    12: ["parameters.sleep.length.passes|'choices'|'choice'"],
    13: ["training.batch_size|'sleep.nothing'"],
    14: ["'training.batch_size'|line 13"],
    15: ["!!float|'x'", "search.algorithm|'tpee'", "'sed'|'seed'"],
    16: ["scheduler.first_rung|got 2"],
    17: ["stop|'trails'|'trials'"],
    19: ["trials|got 0", "'training.learning_rate'", "sleep.folds"],
    20: ["'as_epoch'"],
    21: ["finalists.count|got -1", "finalists.seeds|got 'none'"],
    22: ["resources|mapping"],
    24: ["'sleep.fold'"],
    25: ["enqueue.1|mapping"],
    26: ["warm_start.1|got 3", "'results/a'|twice"],
}
"""Line -> what each message about it holds."""


def test_all_mistakes_are_reported_together_in_the_order_of_the_lines(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        load_space(write(tmp_path, ALL), ["stop.hours=soon", "=3"])
    heading, *lines = str(raised.value).splitlines()
    expected = [(line, facts) for line, several in FACTS.items() for facts in several]
    assert heading == f"{tmp_path}/study.yaml has {len(expected) + 2} mistakes:"
    assert not missing(lines[-2], "'=3'")
    assert not missing(lines[-1], "stop.hours on the command line|> 0 or null|'soon'")
    places = [int(line.partition("study.yaml:")[2].partition(":")[0]) for line in lines[:-2]]
    assert places == [line for line, _ in expected]
    for line, facts in expected:
        assert any(f"study.yaml:{line}: " in text and not missing(text, facts) for text in lines), (line, facts)


def test_options_of_the_base_that_do_not_fit_together_are_reported_with_their_lines(tmp_path: Path) -> None:
    text = change("  model: tiny", "  model.heads: 7\n  evaluation.stride: 300\n  evaluation.method: strided")
    with pytest.raises(UserError) as raised:
        load_space(write(tmp_path, text.replace("trials: 8", "trials: -1")))
    _, *lines = str(raised.value).splitlines()
    facts = ["study.yaml:4: |model.heads|64", "study.yaml:5: |evaluation.stride|32", "study.yaml:17: |stop.trials|-1"]
    assert len(lines) == len(facts)
    assert not [missing(*pair) for pair in zip(lines, facts, strict=True) if missing(*pair)]


@pytest.mark.parametrize("mistake", OVERRIDES)
def test_a_broken_override_is_one_clear_error(mistake: str, tmp_path: Path) -> None:
    text, facts = OVERRIDES[mistake]
    with pytest.raises(UserError) as raised:
        load_space(write(tmp_path, WHOLE), [text])
    assert not missing(raised.value, facts)


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


@pytest.mark.parametrize("given", ["3", "{looks: [4, 6]}"])
def test_seeds_are_a_number_or_looks_in_the_file_and_on_the_command_line(given: str, tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE.replace("seeds: 3", f"seeds: {given}"))
    assert load_space(path).finalists.looks == ((3,) if given == "3" else (4, 6))
    for override, looks in {
        "finalists.seeds=7": (7,),
        "finalists.seeds={looks: [5, 8, 12]}": (5, 8, 12),
        "finalists.seeds.looks=[5, 8]": (5, 8),
    }.items():
        finalists = load_space(path, [override]).finalists
        assert (finalists.looks, finalists.most_seeds, finalists.count) == (looks, looks[-1], 2)


def test_a_step_on_the_command_line(tmp_path: Path) -> None:
    """It stays where only the ends change, and goes with its domain."""
    path = write(tmp_path, WHOLE.replace("{int: [5, 20]}", "{int: [5, 20], step: 5}"))

    def folds(*overrides: str) -> Domain:
        key = "parameters.sleep.folds"
        return load_space(path, [f"{key}.{text}" for text in overrides]).parameters[0].domain

    assert folds() == Int(5, 20, 5)
    assert folds("int=[5, 30]") == Int(5, 30, 5)
    assert folds("step=3") == Int(5, 20, 3)
    assert folds("choice=[1, 2]") == Choice((1, 2))
    assert folds("choice=[1, 2]", "int=[1, 9]", "log=true") == Int(1, 9, log=True)


def test_null_on_the_command_line_removes_an_arm_a_baseline_or_a_parameter(tmp_path: Path) -> None:
    text = WHOLE + "arms: {strict: {sleep: strict}, folds: {sleep.folds: 7}}\n"
    removed = ["arms.strict=null", "baselines.as_epochs=null", "parameters.sleep.folds=null"]
    space = load_space(write(tmp_path, text), removed)
    assert list(space.arms) == ["folds"] and list(space.baselines) == ["epochs"]
    assert "sleep.folds" not in {parameter.key for parameter in space.parameters}
    added = load_space(write(tmp_path, text), ["arms.more={sleep: random}", "arms.more=null", "arms.strict=null"])
    assert list(added.arms) == ["folds"]
    for override, close in (("arms.strit=null", "strict"), ("baselines.epoch=null", "epochs")):
        with raises_naming(ConfigError, override.partition("=")[0], f"'{close}'"):
            load_space(write(tmp_path, text), [override])


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
    space = load_space(write(tmp_path, WHOLE), ["data=text", "data.path=[here, a/b.jsonl]"])
    assert compose_base(space).data.path == (str(tmp_path / "here"), str(tmp_path / "a" / "b.jsonl"))
    (tmp_path / "cached").mkdir()
    (tmp_path / "cached" / "3f2a").touch()
    (tmp_path / "train.jsonl").symlink_to("cached/3f2a")  # as the Hub's client keeps files
    space = load_space(write(tmp_path, WHOLE), ["data=text", "data.path=train.jsonl"])
    assert compose_base(space).data.path == str(tmp_path / "train.jsonl")
    (tmp_path / "saved").mkdir()
    for name, absolute in (("saved", str(tmp_path / "saved")), ("lab/open", "lab/open")):
        space = load_space(write(tmp_path, WHOLE), ["data=hf", f"data.dataset={name}"])
        assert compose_base(space).data.dataset == absolute


def test_a_path_that_leads_nowhere_is_left_to_what_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such user, or a link to itself."""
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    for name in ("~nobody-of-this-name", "loop"):
        space = load_space(write(tmp_path, WHOLE), ["data=text", f"data.path={name}"])
        assert compose_base(space).data.path == str(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    with pytest.raises(UserError) as raised:
        load_space(tmp_path / "stdy.yaml")
    assert not missing(raised.value, f"stdy.yaml|'{tmp_path}/study.yaml'")
    with pytest.raises(UserError) as raised:
        load_space(tmp_path)
    assert not missing(raised.value, f"{tmp_path}|directory")


@pytest.mark.parametrize("given", ["replay", "replay.yaml", "search_spaces/replay", "search_spaces/replay.yaml"])
def test_a_space_of_the_package_is_found_by_its_name_unless_there_is_a_file(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_space(Path(given)) == SPACES / "replay.yaml"
    Path(given).parent.mkdir(exist_ok=True)
    Path(given).with_suffix(".yaml").write_text("")
    assert find_space(Path(given)) == Path(given).with_suffix(".yaml")


def test_the_nearest_space_of_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        find_space(Path("replai.yaml"))
    assert not missing(raised.value, "replai.yaml|'replay'")
    with pytest.raises(UserError) as raised:
        find_space(Path("mine"))
    assert not missing(raised.value, "mine|causal, controls, demo")


def test_the_name_is_the_file_s_by_default(tmp_path: Path) -> None:
    assert load_space(write(tmp_path, WHOLE.replace("name: study\n", ""))).name == "study"


def test_only_true_and_false_are_booleans(tmp_path: Path) -> None:
    text = change(LINE, "  training.compile: {choice: [true, false]}")
    assert load_space(write(tmp_path, text)).parameters[0].domain == Choice((True, False))
    with pytest.raises(UserError) as raised:
        load_space(write(tmp_path, text.replace("[true, false]", "[yes, no]")))
    assert not missing(raised.value, "study.yaml:8: |training.compile|true or false|'yes'|'no'")


def test_enqueue_and_warm_start(tmp_path: Path) -> None:
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


GRID = change("algorithm: tpe", "algorithm: grid").replace("{uniform: [0.0, 0.7]", "{choice: [0.0, 0.7]")


def test_a_grid_needs_no_limit(tmp_path: Path) -> None:
    """Without a section it has none; both ranges of one that has ranges are mistakes."""
    listed = GRID.replace("{log_uniform: [1e-4, 1e-2]}", "{choice: [1e-3, 1e-2]}")
    assert load_space(write(tmp_path, listed)).stop == Stop(trials=8)
    for stop in ("stop: {hours: null}\n", ""):
        assert load_space(write(tmp_path, listed.replace("stop: {trials: 8, hours: null}\n", stop))).stop == Stop()
    with pytest.raises(UserError) as caught:
        load_space(write(tmp_path, GRID.replace("{choice: [0.0, 0.7]", "{uniform: [0.0, 0.7]")))
    assert not missing(caught.value, "sleep.replay.decay|training.learning_rate|[0.0001, ..., 0.01]")
