"""A space that is written down as YAML reads as the same space."""

from functools import partial
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.domains import num_values, value_of_index
from sleep_tune.search.space.search_space import (
    Arm,
    Baseline,
    Choice,
    Claim,
    Finalists,
    Int,
    LogUniform,
    Objective,
    Parameter,
    Resources,
    Scheduler,
    Search,
    Space,
    Stop,
    Uniform,
    active,
)
from sleep_tune.search.space.space_file import load_space
from sleep_tune.search.space.space_json import finalists_from_json, to_json

LOOKS = st.sets(st.integers(2, 99), min_size=1).map(lambda numbers: tuple(sorted(numbers)))
REALS = st.floats(0.01, 0.99).map(lambda number: float(f"{number:.6g}"))


def ranges(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    ends = st.lists(st.floats(low, high), min_size=2, max_size=2, unique=True)
    return ends.map(lambda pair: (min(pair), max(pair)))


STRATEGY = Parameter("sleep.replay.strategy", Choice(("strict", "weighted", "random")))
PARAMETERS = st.tuples(
    st.just(STRATEGY),
    ranges(0, 0.9).map(lambda ends: Parameter("sleep.replay.decay", Uniform(*ends), {STRATEGY.key: ("strict",)})),
    ranges(1e-6, 1).map(lambda ends: Parameter("training.learning_rate", LogUniform(*ends))),
    st.tuples(st.integers(1, 9), st.integers(10, 500), st.booleans()).map(
        lambda drawn: Parameter("sleep.folds", Int(drawn[0], drawn[1], log=drawn[2]))
    ),
    st.lists(st.integers(8, 64), min_size=1, max_size=4, unique=True).map(
        lambda values: Parameter("training.batch_size", Choice(tuple(values)))
    ),
    st.lists(st.sampled_from([1.0, 1.5, 2.0, 5.0]), min_size=1, unique=True).map(
        lambda values: Parameter("sleep.length.passes", Choice(tuple(values)))
    ),
    st.just(Parameter("training.compile", Choice((True, False)))),
    st.tuples(st.integers(1, 9), st.integers(1, 30)).map(
        lambda drawn: Parameter("training.weight_decay", Uniform(0.0, drawn[0] * drawn[1] / 100, drawn[1] / 100))
    ),
    st.tuples(st.integers(2, 9), st.integers(1, 28)).map(
        lambda drawn: Parameter("model.layers", Int(3, 3 + drawn[0] * drawn[1], drawn[0]))
    ),
).flatmap(lambda known: st.sets(st.integers(2, len(known) - 1), min_size=1).map(lambda chosen: _some(known, chosen)))
"""Some of every kind; a conditional parameter comes with the one that its `when` names."""


ARMS = {
    "strict": Arm(settings={"sleep": "strict", "training.learning_rate": 0.01}),
    "control": Arm(matched="strict"),
    "again-2": Arm(like="best", settings={"sleep.folds": 7}),
    "like_the_baseline": Arm(like="as_epochs"),
}


def _some(known: tuple[Parameter, ...], chosen: set[int]) -> tuple[Parameter, ...]:
    return (*known[: 2 * (len(chosen) % 2)], *(known[index] for index in sorted(chosen)))


def values(parameter: Parameter) -> st.SearchStrategy[Value]:
    match parameter.domain:
        case Choice(offered):
            return st.sampled_from(offered)
        case Uniform(low, high, None) | LogUniform(low, high):
            return st.floats(low, high)
    return st.integers(0, (num_values(parameter.domain) or 0) - 1).map(partial(value_of_index, parameter.domain))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    parameters = draw(PARAMETERS)
    points = []
    for _ in range(draw(st.integers(0, 2))):
        point: dict[str, Value] = {}
        for parameter in parameters:
            if active(parameter, point):
                point[parameter.key] = draw(values(parameter))
        points.append(point)
    workers = draw(st.integers(1, 9))
    gpus: st.SearchStrategy[float | str] = st.sampled_from(["auto", 0.0, 2.0 if workers > 1 else 0.5])
    cpus: st.SearchStrategy[int | str] = st.sampled_from(["auto", 4])
    tuned = [parameter.key for parameter in parameters if parameter.key.startswith("training")]
    baselines = {"as_epochs": Baseline()}
    is_tuned = draw(st.booleans())
    if tuned and is_tuned:
        baselines["epochs"] = Baseline(trials=draw(st.integers(1, 9)), parameters=tuple(tuned))
        baselines["as_epochs"] = draw(st.sampled_from([Baseline(), Baseline(like="epochs")]))
    choices = [parameter.key for parameter in parameters if isinstance(parameter.domain, Choice)]
    return Space(
        name=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)),
        base={"data": "toy", "model": "tiny", "budget.passes": draw(st.floats(5, 20)), "data.sentences": 400},
        objective=draw(st.sampled_from([Objective(), Objective(metric="eval/pairs_accuracy", mode="max")])),
        parameters=parameters,
        search=Search(algorithm=draw(st.sampled_from(["tpe", "random"])), seed=draw(st.integers(0, 2**40))),
        scheduler=Scheduler(
            name=draw(st.sampled_from(["asha", "none"])),
            first_rung=draw(st.floats(0.01, 0.2)),
            within=draw(st.sampled_from([None, *choices])),
        ),
        stop=Stop(trials=draw(st.integers(1, 99)), hours=draw(st.none() | st.floats(1e-3, 1e6))),
        baselines=baselines,
        arms=draw(st.sampled_from([{}, ARMS])),
        finalists=Finalists(count=draw(st.integers(0, 9)), seeds=draw(st.integers(1, 9) | LOOKS)),
        resources=Resources(
            workers=workers,
            gpus_per_worker=draw(gpus),
            cpus_per_worker=draw(cpus),
            disk_gb=draw(st.none() | REALS),
        ),
        comparison=draw(
            st.sampled_from(
                [
                    Claim(reference="as_epochs"),
                    Claim(primary="test/nll", smallest=0.01, matched="flops", reserve=0.0, reference="as_epochs"),
                ]
            )
        ),
        enqueue=tuple(points),
        warm_start=tuple(draw(st.lists(st.from_regex(r"[a-z]+/[ -~]+", fullmatch=True), max_size=2, unique=True))),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(space=spaces(), flow=st.sampled_from([None, True, False]))
def test_a_space_that_is_written_down_reads_as_itself(
    space: Space, flow: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("x") / "study.yaml"
    path.write_text(yaml.safe_dump(to_json(space), sort_keys=False, default_flow_style=flow), encoding="utf-8")
    assert load_space(path) == space
    assert finalists_from_json(to_json(space)["finalists"]) == space.finalists
