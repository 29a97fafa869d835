"""What a difference is made of: the effects add up, an independent reference agrees, and nothing is found by name."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.results.arms import Arm, Gain
from sleep_tune.results.comparison import compare
from sleep_tune.results.gain import ASLEEP, BY_SCORE, STRATEGY, explain_gains, find_controls
from sleep_tune.results.missing_controls import find_missing
from sleep_tune.results.run_facts import RunFacts
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Arm as SpaceArm
from sleep_tune.search.space.search_space import Baseline, Finalists, Stop
from sleep_tune.statistics.fixed_sample import estimate_mean, holm
from tests.results.conftest import SyntheticLog
from tests.results.worlds import World
from tests.search.studies import open_search, plain

NLL, PAIRS, BLIMP = "test/nll", "test/pairs_accuracy", "babylm/blimp_fast"
SLEEP: dict[str, Any] = {"sleep.folds": 5, "sleep.length.passes": 1.0, "sleep.replay.strategy": "weighted"}
TWIN = SLEEP | {"sleep.replay.strategy": "random"}
EPOCHS: dict[str, Any] = {"sleep.folds": 1, "sleep.length.ratio": 0}
SEEDS = (11, 12, 13, 14, 15)


def arm(
    name: str,
    values: Mapping[int, float],
    parameters: Mapping[str, Any] = SLEEP,
    *,
    kind: str = "arm",
    parent: str | None = None,
    endpoint: str = NLL,
    **more: Any,
) -> Arm:
    return Arm(
        name=name,
        kind="control" if parent else kind,
        parent=parent,
        parameters=parameters,
        seeds=tuple(values),
        values={endpoint: values},
        estimates={endpoint: estimate_mean(list(values.values()))},
        **more,
    )


def study(tables: Sequence[Mapping[int, float]], *, endpoint: str = NLL) -> list[Arm]:
    """The reference, the sleeping arm, its random twin, and both matched controls, under names that say nothing."""
    e, x, r, own, of_twin = tables
    return [
        arm("a", e, EPOCHS, kind="baseline", endpoint=endpoint),
        arm("b", x, endpoint=endpoint),
        arm("c", r, TWIN, endpoint=endpoint),
        arm("d", own, parent="b", endpoint=endpoint),
        arm("e", of_twin, TWIN, parent="c", endpoint=endpoint),
    ]


def draw(rng: np.random.Generator, effects: Sequence[float], seeds: Sequence[int] = SEEDS) -> list[dict[int, float]]:
    of_seed = rng.normal(3.0, 0.5, len(seeds))
    rows = (of_seed + effect + rng.normal(0, 0.1, len(seeds)) for effect in effects)
    return [dict(zip(seeds, map(float, row), strict=True)) for row in rows]


def gain_of(gains: Sequence[Gain], name: str, endpoint: str = NLL) -> Gain:
    (found,) = (gain for gain in gains if (gain.arm, gain.endpoint) == (name, endpoint))
    return found


def test_the_three_effects_are_those_of_an_independent_reference() -> None:
    """SciPy's paired t on each step of the chain, and Holm by hand over the distinct tests of both sleeping arms."""
    tables = draw(np.random.default_rng(0), (0.0, -0.3, -0.2, -0.2, -0.1))
    gains = explain_gains(study(tables), "a", (NLL,), (NLL,))
    e, x, r, own, of_twin = (np.array([table[seed] for seed in SEEDS]) for table in tables)
    chain = {("exposure",): (of_twin, e), ("selection",): (own, of_twin), ("order",): (x, own)}
    gain = gain_of(gains, "b")
    assert [(effect.arm, effect.minus) for effect in gain.effects] == [("e", "a"), ("d", "e"), ("b", "d")]
    for effect, (parts, (upper, lower)) in zip(gain.effects, chain.items(), strict=True):
        found = scipy.stats.ttest_rel(upper, lower)
        interval = found.confidence_interval(0.95)
        made = effect.contrast.difference
        assert effect.parts == parts
        assert (made.mean, made.low, made.high, made.p) == pytest.approx(
            ((upper - lower).mean(), interval.low, interval.high, found.pvalue)
        )
    pairs = [*chain.values(), (r, of_twin)]  # the twin's exposure is the same test
    expected = holm([float(scipy.stats.ttest_rel(*pair).pvalue) for pair in pairs])
    assert [effect.contrast.p_holm for effect in gain.effects] == pytest.approx(expected[:3])
    assert gain_of(gains, "c").effects[1].contrast.p_holm == pytest.approx(expected[3])
    assert gain.tests == 4


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from(range(6)), min_size=1), min_size=5, max_size=5),
    st.lists(st.booleans(), min_size=2, max_size=2),
    st.integers(0, 1000),
)
def test_the_effects_add_up_to_the_whole_whatever_seeds_are_shared_and_controls_are_there(
    seeds: list[set[int]], there: list[bool], draws: int
) -> None:
    rng = np.random.default_rng(draws)
    tables = [{seed: float(rng.normal(3.0, 1.0)) for seed in sorted(own)} for own in seeds]
    arms = study(tables)
    arms = [*arms[:3], *itertools.compress(arms[3:], there)]
    for gain in explain_gains(arms, "a", (NLL,), (NLL,)):
        values = {one.name: one.values[NLL] for one in arms}
        assert sum(effect.contrast.difference.mean for effect in gain.effects) == pytest.approx(
            gain.whole.contrast.difference.mean, abs=1e-12
        )
        assert gain.whole.contrast.difference.mean == pytest.approx(
            np.mean([values[gain.arm][seed] - values["a"][seed] for seed in gain.seeds])
        )
        parts = [part for effect in gain.effects for part in effect.parts]
        assert parts == (["exposure", "selection", "order"] if gain.arm == "b" else ["exposure", "order"])
        steps = [("a", "a"), *((effect.minus, effect.arm) for effect in gain.effects)]
        assert all(before[1] == after[0] for before, after in itertools.pairwise(steps))
        for effect in gain.effects:
            assert effect.contrast.difference.count == len(gain.seeds) > 0
            assert set(gain.seeds) <= values[effect.arm].keys() & values[effect.minus].keys()


def test_intervals_cover_the_true_effects_about_as_often_as_they_say() -> None:
    """Under normal noise, over 600 studies of 5 seeds: 1,800 intervals, three standard errors allowed."""
    rng, true = np.random.default_rng(5), {"exposure": -0.1, "selection": 0.05, "order": 0.0}
    covered, claims, number = dict.fromkeys(true, 0), 0, 600
    for _ in range(number):
        gains = explain_gains(study(draw(rng, (0.0, -0.05, 0.0, -0.05, -0.1))), "a", (NLL,), (NLL,))
        for effect in gain_of(gains, "b").effects:
            made = effect.contrast.difference
            (part,) = effect.parts
            assert made.low is not None
            assert made.high is not None
            covered[part] += made.low <= true[part] <= made.high
            claims += part == "order" and (effect.contrast.p_holm or 0) < 0.05
    error = 3 * np.sqrt(0.05 * 0.95 / number)
    assert all(abs(count / number - 0.95) < error for count in covered.values()), covered
    assert claims / number < 0.05


def test_items_are_crossed_with_seeds_where_every_arm_kept_its_answers_and_in_no_effect_otherwise() -> None:
    world = World(groups=6, items=8)
    rows, _ = world.table(np.random.default_rng(2), 5, (0.0, 0.3, 0.2, 0.2, 0.1))
    index = pd.MultiIndex.from_arrays([world.group_I, range(len(world.group_I))], names=["uid", "id"])
    scores = [{seed: pd.Series(row, index=index) for seed, row in zip(SEEDS, own, strict=True)} for own in rows]
    tables = [{seed: float(row.groupby(level=0).mean().mean()) for seed, row in own.items()} for own in scores]
    plain = study(tables, endpoint=BLIMP)
    kept = [
        arm(one.name, table, one.parameters, kind=one.kind, parent=one.parent, endpoint=BLIMP, answers={BLIMP: answers})
        for one, table, answers in zip(plain, tables, scores, strict=True)
    ]
    crossed = gain_of(explain_gains(kept, "a", (BLIMP,)), "b", BLIMP)
    assert {effect.contrast.items for effect in (*crossed.effects,)} == {48} == {crossed.whole.contrast.items}
    mixed = gain_of(explain_gains([*kept[:4], plain[4]], "a", (BLIMP,)), "b", BLIMP)
    assert {effect.contrast.items for effect in mixed.effects} == {None} == {mixed.whole.contrast.items}
    for gain in (crossed, mixed):
        total = sum(effect.contrast.difference.mean for effect in gain.effects)
        assert total == pytest.approx(gain.whole.contrast.difference.mean, abs=1e-9)
    for with_items, without in zip(crossed.effects, mixed.effects, strict=True):
        wide, narrow = with_items.contrast.difference, without.contrast.difference
        assert wide.mean == pytest.approx(narrow.mean)
        assert (wide.high or 0) - (wide.low or 0) >= ((narrow.high or 0) - (narrow.low or 0)) * (1 - 1e-9)


def test_a_missing_control_leaves_the_effects_on_its_two_sides_together() -> None:
    arms = study(draw(np.random.default_rng(1), (0.0, -0.3, -0.2, -0.2, -0.1)))

    def parts(*there: Arm) -> list[tuple[str, ...]]:
        return [effect.parts for effect in gain_of(explain_gains(there, "a", (NLL,), (NLL,)), "b").effects]

    assert parts(*arms[:4]) == [("exposure", "selection"), ("order",)]
    assert parts(*arms[:3], arms[4]) == [("exposure",), ("selection", "order")]
    assert explain_gains(arms[:3], "a", (NLL,), (NLL,)) == ()


def test_a_control_of_other_seeds_counts_as_missing() -> None:
    tables = draw(np.random.default_rng(1), (0.0, -0.3, -0.2, -0.2, -0.1))
    tables[3] = {seed + 100: value for seed, value in tables[3].items()}
    gain = gain_of(explain_gains(study(tables), "a", (NLL,), (NLL,)), "b")
    assert [effect.parts for effect in gain.effects] == [("exposure",), ("selection", "order")]


def test_a_reference_that_sleeps_explains_nothing() -> None:
    arms = study(draw(np.random.default_rng(1), (0.0, -0.3, -0.2, -0.2, -0.1)))
    assert explain_gains(arms, "c", (NLL,), (NLL,)) == ()
    assert explain_gains(arms, "nobody", (NLL,), (NLL,)) == ()


def test_nor_does_a_control_as_the_reference() -> None:
    """It has the settings of its parent, but it does not sleep."""
    arms = study(draw(np.random.default_rng(1), (0.0, -0.3, -0.2, -0.2, -0.1)))
    assert explain_gains(arms, "d", (NLL,), (NLL,)) == ()


@pytest.mark.parametrize(("budget", "explains"), [(10.0, True), (11.0, False)])
def test_an_arm_whose_passes_are_its_budget_does_not_sleep(budget: float, explains: bool) -> None:
    reads = {"sleep.length.ratio": None, "sleep.length.passes": 10, "budget.passes": budget}
    arms = study(draw(np.random.default_rng(1), (0.0, -0.3, -0.2, -0.2, -0.1)))
    arms[0] = replace(arms[0], parameters=reads)
    assert bool(explain_gains(arms, "a", (NLL,), (NLL,))) is explains


def config(strategy: str, **more: Any) -> tuple[RunFacts, ...]:
    """The whole configuration of a run, as config.yaml holds it."""
    options = {"sleep.length.passes": 1.0, "sleep.length.ratio": None, "sleep.replay.strategy": strategy}
    return (RunFacts(config=options | {"training.seed": 1, "run.dir": strategy} | more),)


def test_a_twin_is_found_by_the_configuration_of_its_runs_whatever_was_set_by_a_group() -> None:
    """Options of priorities may differ, because random replay has none; any other difference is another arm."""
    values = dict.fromkeys(SEEDS, 1.0)
    x = arm("x", values, {}, facts=config("strict", **{"sleep.replay.decay": 0.3}))
    twin = arm("y", values, {}, facts=config("random", **{"training.seed": 2}))
    other = arm("z", values, {}, facts=config("random", **{"sleep.replay.ratio": 0.9}))
    tuned = arm("w", values, {}, facts=config("random", **{"training.learning_rate": 0.9}))
    own = arm("m", values, {}, parent="y", facts=config("random"))
    found = find_controls(x, [x, other, tuned, twin, own])
    assert (found.own, found.twin, found.of_twin) == (None, twin, own)
    assert find_controls(twin, [x, other, tuned, twin, own]).own is own


def test_an_option_that_an_older_run_lacks_has_its_default() -> None:
    values = dict.fromkeys(SEEDS, 1.0)
    older = arm("x", values, {}, facts=config("strict"))
    new = {"sleep.interleave": False, "sleep.learning_rate": 1.0, "sleep.replay.uniform": 0.0}
    twin = arm("y", values, {}, facts=config("random", **new))
    shrinks = arm("z", values, {}, facts=config("random", **new | {"sleep.learning_rate": 2.0}))
    assert find_controls(older, [older, shrinks, twin]).twin is twin


def test_a_twin_without_a_completed_run_is_found_by_what_was_set() -> None:
    x = arm("x", dict.fromkeys(SEEDS, 1.0), SLEEP, facts=config("weighted", **{"sleep.folds": 5}))
    waiting = Arm(name="y", kind="arm", parameters=TWIN, unfinished=SEEDS)
    assert find_controls(x, [x, waiting]).twin is waiting


def test_of_several_controls_the_one_with_the_most_seeds_explains() -> None:
    e, x, r, own, of_twin = study(draw(np.random.default_rng(1), (0.0, -0.3, -0.2, -0.2, -0.1)))
    failed = Arm(name="f", kind="control", parent="b", failures=dict.fromkeys(SEEDS, "lost"))
    twin = Arm(name="g", kind="arm", parameters=TWIN)
    of_other = Arm(name="h", kind="control", parent="g", failures=dict.fromkeys(SEEDS, "lost"))
    found = find_controls(x, [e, twin, x, failed, of_other, r, own, of_twin])
    assert (found.own, found.twin, found.of_twin) == (own, r, of_twin)


def test_every_option_of_replay_is_one_that_random_replay_uses_or_does_not() -> None:
    """A new one has its place in the recipe of a twin, or none; what acts asleep alone has today's defaults."""
    used = {STRATEGY, *(f"sleep.replay.{name}" for name in ("ratio", "scope", "max_exposures"))}
    assert {*BY_SCORE} | used == {key for key in options() if key.startswith("sleep.replay.")}
    assert {key: options()[key].default for key in ASLEEP} == ASLEEP


def test_the_arm_is_compared_with_its_twin_that_mixes_replay_into_reading() -> None:
    rng = np.random.default_rng(3)
    arms = study(draw(rng, (0.0, -0.3, -0.2, -0.2, -0.1)))
    (values,) = draw(rng, (-0.2,), SEEDS[:4])
    mixed = arm("f", values, SLEEP | {"sleep.interleave": True})
    gain = gain_of(explain_gains([*arms, mixed], "a", (NLL,), (NLL,)), "b")
    (further,) = gain.further
    assert (further.parts, further.arm, further.minus) == (("phases",), "b", "f")
    assert further.contrast.difference.count == 4
    assert len(gain.seeds) == 5
    assert gain.tests == 5  # with the twin's order


def write(log: SyntheticLog, seeds: Sequence[int] = SEEDS, **space: Any) -> None:
    """A whole experiment with its controls, whose effects on the loss are -0.1, -0.2 and -0.3."""
    log.open(**space)
    rng = np.random.default_rng(4)
    for seed in seeds:
        level = float(rng.normal(3, 0.1))
        for name, effect, parameters, parent in (
            ("plain", 0.0, EPOCHS, None),
            ("sharp", -0.6, SLEEP, None),
            ("chance", -0.4, TWIN, None),
            ("sharp_same", -0.3, SLEEP, "sharp"),
            ("chance_same", -0.1, TWIN, "chance"),
        ):
            nll = level + effect + float(rng.normal(0, 0.01))
            matched = {} if parent is None else {"matched": parent}
            log.run(name, seed, nll, 0.9 - nll / 10, role="arm", parameters=parameters, **matched)


def test_an_experiment_is_explained_from_its_log_at_every_endpoint(log: SyntheticLog) -> None:
    write(log, comparison={"reference": "plain"})
    comparison = compare(log.folder)
    assert [(one.name, one.kind, one.parent) for one in comparison.arms] == [
        ("plain", "baseline", None),
        ("sharp", "arm", None),
        ("chance", "arm", None),
        ("sharp_same", "control", "sharp"),
        ("chance_same", "control", "chance"),
    ]
    loss, pairs = (gain_of(comparison.gains, "sharp", endpoint) for endpoint in (NLL, PAIRS))
    assert [effect.contrast.difference.mean for effect in loss.effects] == pytest.approx([-0.1, -0.2, -0.3], abs=0.03)
    assert [effect.contrast.difference.mean for effect in pairs.effects] == pytest.approx([0.01, 0.02, 0.03], abs=0.003)


def test_controls_are_in_no_family_of_tests_and_in_no_verdict(log: SyntheticLog) -> None:
    write(log, comparison={"reference": "plain"})
    comparison = compare(log.folder)
    tested = {one.name for one in comparison.arms if NLL in one.contrasts and one.contrasts[NLL].p_holm is not None}
    assert tested == {one.name for one in comparison.compared} == {"sharp", "chance"}
    assert "_same" not in comparison.verdict
    assert {one.name for one in compare(log.folder, baseline="chance_same").compared} == {
        "plain", "sharp", "chance", "sharp_same",
    }  # fmt: skip


def test_a_control_that_is_matched_to_another_arm_now_has_only_its_new_runs(log: SyntheticLog) -> None:
    write(log, comparison={"reference": "plain"})
    for seed in SEEDS[:3]:
        log.ask(f"v2-s{seed}", role="arm", arm="sharp_same", seed=seed, parameters=SLEEP, matched=f"chance-s{seed}")
        log.complete(f"v2-s{seed}", {"eval/nll": 1.0, NLL: 1.0})
    found = {one.name: one for one in compare(log.folder).arms}
    assert found["sharp_same"].parent == "chance"
    assert found["sharp_same"].values[NLL] == dict.fromkeys(SEEDS[:3], 1.0)


EFFECTS = {"exposure": -0.1, "selection": 0.05, "order": -0.3}


def curve(config: RunConfig, seed: int, share: float) -> float:
    """A loss with these effects, as the controls of a real search would show them."""
    sleep = config.sleep
    loss = 4.0 - share + seed % 97 / 100
    if sleep.length.ratio == 0:
        return loss
    loss += EFFECTS["exposure"] + (EFFECTS["selection"] if sleep.replay.strategy != "random" else 0.0)
    return loss + (EFFECTS["order"] if sleep.matched is None else 0.0) + seed % 89 / 1e5 * sleep.folds


def test_a_search_with_controls_is_explained(tmp_path: Path) -> None:
    """Runs of the search itself, with a worker that trains nothing; the finalist is called best in the space."""
    space = plain(
        stop=Stop(trials=2),
        baselines={"epochs": Baseline()},
        arms={
            "chance": SpaceArm(like="best", settings={"sleep.replay.strategy": "random"}),
            "same": SpaceArm(matched="best"),
            "chance_same": SpaceArm(matched="chance"),
            "fixed": SpaceArm(settings={"sleep": "strict", "sleep.folds": 7}),
        },
        finalists=Finalists(count=1, seeds=3),
    )
    director = open_search(tmp_path / "x", space)
    run_inline(director, FakeWorker(curve=curve))
    director.close()
    comparison = compare(tmp_path / "x")
    (best,) = (one.name for one in comparison.arms if one.kind == "finalist")
    assert {one.name: (one.kind, one.parent) for one in comparison.arms} == {
        "epochs": ("baseline", None),
        "chance": ("arm", None),
        "fixed": ("arm", None),
        best: ("finalist", None),
        "same": ("control", best),
        "chance_same": ("control", "chance"),
    }
    gain = gain_of(comparison.gains, best)
    assert {one.parts[0]: one.contrast.difference.mean for one in gain.effects} == pytest.approx(EFFECTS, abs=0.02)
    assert [(one.arm, one.minus) for one in gain.effects] == [
        ("chance_same", "epochs"), ("same", "chance_same"), (best, "same"),
    ]  # fmt: skip
    found = find_missing(comparison)
    assert yaml.safe_load(found.lines)["arms"] == {
        "fixed_matched": {"matched": "fixed"},
        "fixed_random": {"like": "fixed", "sleep.replay.strategy": "random"},
        "fixed_random_matched": {"matched": "fixed_random"},
    }
