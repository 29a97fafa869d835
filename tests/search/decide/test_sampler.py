"""The sampler proposes the same settings for the same history and number, within the space."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.decide.algorithms import SAMPLERS
from sleep_tune.search.decide.sampler import Sampler
from sleep_tune.search.space.domains import contains
from sleep_tune.search.space.search_space import Choice, Int, LogUniform, Parameter, Uniform

PARAMETERS = (
    Parameter("strategy", Choice(("strict", "weighted", "random"))),
    Parameter("decay", Uniform(0.0, 0.7), {"strategy": ("strict", "weighted")}),
    Parameter("rate", LogUniform(1e-5, 1e-1)),
    Parameter("folds", Int(2, 40)),
    Parameter("layers", Int(2, 12, 5)),
    Parameter("width", Int(16, 512, log=True)),
    Parameter("ratio", Uniform(0.0, 0.9, 0.3)),
    Parameter("nested", Choice((True, None, 1.5)), {"strategy": ("random",)}),
)


def make(algorithm: str = "tpe", seed: int = 0, mode: str = "min") -> Sampler:
    return Sampler(PARAMETERS, algorithm=algorithm, mode=mode, seed=seed, startup=4)


def loss(settings: dict[str, Value]) -> float:
    assert isinstance(settings["rate"], float)
    assert isinstance(settings["folds"], int)
    return abs(math.log10(settings["rate"]) + 3) + settings["folds"] / 40


def teach(sampler: Sampler, told: list[tuple[dict[str, Value], str]]) -> None:
    for number, (chosen, fate) in enumerate(told):
        sampler.add(str(number), chosen)
        match fate:
            case "completed":
                sampler.tell_completed(str(number), loss(chosen))
            case "stopped":
                sampler.tell_stopped(str(number), {100: loss(chosen), 300: loss(chosen)})
            case "impossible":
                sampler.tell_impossible(str(number))
            case "nothing":
                sampler.tell_nothing(str(number))


QUICK = sorted(SAMPLERS.keys() - {"gp"})  # a proposal of gp takes about a second: see test_algorithms.py
FATES = st.lists(st.sampled_from(["completed", "stopped", "impossible", "nothing", "running"]), max_size=14)


@settings(max_examples=20)
@given(FATES, st.sampled_from(QUICK), st.integers(0, 5))
def test_the_same_history_and_number_propose_the_same(fates: list[str], algorithm: str, seed: int) -> None:
    check_the_same(fates, algorithm, seed)


def test_the_same_history_and_number_propose_the_same_with_gp() -> None:
    check_the_same(["completed", "stopped", "impossible", "completed", "completed", "nothing", "running"], "gp", 0)


def check_the_same(fates: list[str], algorithm: str, seed: int) -> None:
    """Live, each proposal was made by this sampler; the other one only hears of them, as after a kill."""
    live = make(algorithm, seed)
    told = []
    for number, fate in enumerate(fates):
        chosen = live.ask(number)
        live.add(str(number), chosen)
        told.append((chosen, fate))
        if fate == "completed":
            live.tell_completed(str(number), loss(chosen))
        elif fate == "stopped":
            live.tell_stopped(str(number), {100: loss(chosen), 300: loss(chosen)})
        elif fate == "impossible":
            live.tell_impossible(str(number))
        elif fate == "nothing":
            live.tell_nothing(str(number))
    again = make(algorithm, seed)
    teach(again, told)
    number = len(fates)
    assert live.ask(number) == again.ask(number) == again.ask(number)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(QUICK))
def test_proposals_lie_in_the_space(number: int, algorithm: str) -> None:
    chosen = make(algorithm).ask(number)
    assert chosen["strategy"] in ("strict", "weighted", "random")
    assert ("decay" in chosen) == (chosen["strategy"] != "random")
    assert ("nested" in chosen) == (chosen["strategy"] == "random")
    for parameter in PARAMETERS:
        if parameter.key in chosen:
            assert contains(parameter.domain, chosen[parameter.key])
    kinds = {key: type(chosen[key]) for key in ("rate", "folds", "layers", "width", "ratio")}
    assert kinds == {"rate": float, "folds": int, "layers": int, "width": int, "ratio": float}


def test_a_log_scale_gives_every_magnitude_the_same_chance() -> None:
    """On a plain scale from 1e-5 to 1e-1, one draw in ten would be below 1e-2."""
    sampler = make("random")
    rates = [sampler.ask(number)["rate"] for number in range(200)]
    assert sum(isinstance(rate, float) and rate < 1e-3 for rate in rates) / 200 == pytest.approx(0.5, abs=0.15)


def test_asks_and_seeds_differ() -> None:
    sampler = make()
    assert sampler.ask(0) != sampler.ask(1)
    assert make(seed=1).ask(0) != make(seed=2).ask(0)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_tpe_learns(mode: str) -> None:
    """After 30 trials it proposes settings better than random ones, on average; whichever way is better."""
    sampler = make(mode=mode)
    for number in range(30):
        chosen = sampler.ask(number)
        sampler.add(str(number), chosen)
        sampler.tell_completed(str(number), loss(chosen))
    learnt = sum(loss(sampler.ask(number)) for number in range(30, 50)) / 20
    random = sum(loss(sampler.ask(number, explore=True)) for number in range(30, 50)) / 20
    assert (learnt < random - 0.3) if mode == "min" else (learnt > random + 0.3)


def test_impossible_settings_are_avoided() -> None:
    """As failed trials they would be ignored and sampled again, until they fill the search."""
    parameters = (Parameter("rate", Uniform(0.0, 1.0)),)

    def share_of_impossible(tell: str) -> float:
        sampler = Sampler(parameters, algorithm="tpe", mode="min", seed=0, startup=4)
        asked: list[float] = []
        for number in range(40):
            chosen: dict[str, Any] = sampler.ask(number)
            asked.append(chosen["rate"])
            sampler.add(str(number), chosen)
            if chosen["rate"] > 0.5:
                getattr(sampler, tell)(str(number))
            else:
                sampler.tell_completed(str(number), 1 - chosen["rate"])
        return sum(rate > 0.5 for rate in asked[10:]) / 30

    assert share_of_impossible("tell_impossible") < share_of_impossible("tell_nothing")


def test_a_stop_at_a_nan_is_impossible() -> None:
    sampler = make()
    sampler.add("t", sampler.ask(0))
    sampler.tell_stopped("t", {100: 1.0, 300: math.nan})
    told = sampler.copy("t")
    assert told.state == TrialState.PRUNED
    assert list(told.intermediate_values) == [0]


def test_ended_trials_are_copied_whole() -> None:
    sampler = make()
    sampler.add("t", chosen := sampler.ask(0))
    sampler.tell_stopped("t", {100: 1.0, 300: 0.5})
    copied = sampler.copy("t")
    assert copied.state == TrialState.PRUNED
    assert copied.params == chosen
    assert copied.intermediate_values == {100: 1.0, 300: 0.5}
    assert copied.value == 0.5


@settings(max_examples=20)
@given(st.integers(0, 50), FATES, st.sampled_from(QUICK))
def test_what_is_given_is_kept_and_the_rest_proposed(number: int, fates: list[str], algorithm: str) -> None:
    sampler = make(algorithm)
    teach(sampler, [(sampler.ask(n, explore=True), fate) for n, fate in enumerate(fates)])
    chosen = sampler.ask(number, fixed={"strategy": "strict", "folds": 40})
    assert (chosen["strategy"], chosen["folds"]) == ("strict", 40)
    assert chosen.keys() == {parameter.key for parameter in PARAMETERS} - {"nested"}
