"""What a sleeping arm's difference to the reference is made of: exposure, selection and order.

With E the reference, which does not sleep; X a sleeping arm; R its twin, which replays at random and is otherwise
equal; and M(A) the control matched to an arm A, which reads every sample as often as A did, in one random order:

    exposure  = M(R) - E       reading some samples more often than others, whichever they are
    selection = M(X) - M(R)    which samples are read more often
    order     = X - M(X)       when they are read

The three add up to X - E. Where a control is missing, the effects on its two sides are one. The arms are found by their
settings and by the runs that they are matched to, never by their names. Effects are paired over the seeds that all of
these arms have, crossed with test items where all of them kept their answers. Holm's correction is over two families of
effects: those of all arms at the primary endpoint, and those at all other endpoints.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sleep_tune.experiment.run_folder import default_options
from sleep_tune.results.arms import BASELINE, CONTROL, Arm, Contrast, Effect, Gain
from sleep_tune.results.comparable_losses import are_comparable
from sleep_tune.results.contrasts import holm_family, make_contrast
from sleep_tune.results.run_facts import UNRELATED
from sleep_tune.results.seed_plan import SeedPlan

__all__ = ["EXPOSURE", "ORDER", "PHASES", "RANDOM", "SELECTION", "STRATEGY", "WHOLE", "Controls", "are_equal"]
__all__ += ["asleep_settings", "can_be_reference", "cuts_rows", "explain_gains", "find_controls", "is_interleaved"]
__all__ += ["lacks_exposures", "other_settings", "replays_at_random", "share_a_twin", "sleeping_arms"]

EXPOSURE, SELECTION, ORDER = "exposure", "selection", "order"
"""The parts of a difference, in the order in which they add up."""

PHASES = "phases"
"""The arm minus its twin that mixes the same replay into reading: no part of the sum."""

WHOLE = "whole"

LENGTH, PASSES, BUDGET = "sleep.length.ratio", "sleep.length.passes", "budget.passes"
STRATEGY, INTERLEAVE = "sleep.replay.strategy", "sleep.interleave"
RANDOM = "random"

CONTEXT = "sleep.context"

ASLEEP = {"sleep.learning_rate": 1.0, "sleep.masking": None, "sleep.shrink.factor": 1.0}
"""Option that acts asleep alone -> its value where sleep trains as reading does."""

BY_SCORE = tuple(
    f"sleep.replay.{key}"
    for key in ("alpha", "decay", "floor", "signal", "reference", "refresh", "normalise", "uniform")
)
"""Options of priorities, which random replay does not use."""


@dataclass(frozen=True, slots=True)
class Controls:
    """The arms that explain a sleeping arm; None for each that the study does not have."""

    own: Arm | None
    """Matched to the arm itself."""
    twin: Arm | None
    """The arm that replays at random and is otherwise equal; the arm itself if it replays at random."""
    of_twin: Arm | None
    """Matched to the twin."""
    interleaved: Arm | None
    """The arm that mixes the same replay into reading and is otherwise equal."""


def find_controls(arm: Arm, arms: Sequence[Arm]) -> Controls:
    """Return the controls of a sleeping arm among the arms of its experiment."""
    own = _matched_to(arm, arms)
    others = [other for other in arms if other.parent is None and not other.joined and other is not arm]
    mixed = (other for other in others if is_interleaved(other) and are_equal(arm, other, INTERLEAVE))
    interleaved = None if is_interleaved(arm) else _most_seeds(mixed)
    if replays_at_random(arm):
        return Controls(own, arm, own, interleaved)
    twins = [other for other in others if replays_at_random(other) and share_a_twin(arm, other)]
    of_twin = _most_seeds(made for twin in twins if (made := _matched_to(twin, arms)) is not None)
    twin = _most_seeds(twin for twin in twins if of_twin is None or of_twin.parent == twin.name)
    return Controls(own, twin, of_twin, interleaved)


def _matched_to(parent: Arm, arms: Iterable[Arm]) -> Arm | None:
    return _most_seeds(arm for arm in arms if arm.parent == parent.name and not arm.joined)


def _most_seeds(arms: Iterable[Arm]) -> Arm | None:
    """Return the arm with the most completed seeds, the first of equals; None without any."""
    return max(arms, key=lambda arm: len(arm.seeds), default=None)


def sleeping_arms(arms: Iterable[Arm], baseline: str) -> list[Arm]:
    """Return the arms of the experiment itself, without controls and the baseline, that replay anything.

    Finalists come first.
    """
    own = [arm for arm in arms if not arm.joined and arm.name != baseline and _is_sleeping(arm)]
    return [arm for kind in ("finalist", "arm", "baseline") for arm in own if arm.kind == kind]


def _is_sleeping(arm: Arm) -> bool:
    """Return whether an arm replays anything, by its settings; an arm without any setting is known by its name."""
    ratio, passes = _option(arm, LENGTH), _option(arm, PASSES)
    if ratio is not None:
        return bool(ratio != 0)
    if passes is not None:
        return bool(passes != _option(arm, BUDGET))  # the whole budget is reading
    return arm.name not in (BASELINE, CONTROL)


def can_be_reference(arm: Arm) -> bool:
    """Return whether differences to an arm have these parts: it does not sleep, and is no matched control."""
    return arm.parent is None and not _is_sleeping(arm)


def replays_at_random(arm: Arm) -> bool:
    """Return whether an arm draws what it replays uniformly at random."""
    return bool(_option(arm, STRATEGY) == RANDOM)


def is_interleaved(arm: Arm) -> bool:
    """Return whether an arm mixes its replay into reading instead of sleeping."""
    return bool(_option(arm, INTERLEAVE))


def share_a_twin(arm: Arm, other: Arm) -> bool:
    """Return whether two arms differ in nothing but strategy and priorities: at random, they would replay alike."""
    return are_equal(arm, other, STRATEGY, *BY_SCORE)


def lacks_exposures(arm: Arm) -> bool:
    """Return whether an earlier version trained the arm, so that no control can be matched to it."""
    return any(run.config for run in arm.facts) and not any(run.has_exposures for run in arm.facts)


def are_equal(arm: Arm, other: Arm, *ignored: str) -> bool:
    """Return whether two arms differ in no option but these."""
    return not set(_differing(arm, other)) - set(ignored)


def other_settings(arm: Arm, reference: Arm) -> tuple[str, ...]:
    """Return the options, apart from those of sleep, in which two arms differ."""
    return tuple(key for key in _differing(arm, reference) if not key.startswith("sleep."))


def _differing(arm: Arm, other: Arm) -> list[str]:
    """Return the options in which two arms differ, by dotted key.

    All options are compared where runs of both kept their configurations, else those that were set. The seed and
    options that do not change the result of a run are left out. An option that the configuration of an older run lacks
    has its default.
    """
    known = all(any(run.config for run in one.facts) for one in (arm, other))
    ours, theirs = (_options(one) if known else one.parameters for one in (arm, other))
    defaults = default_options() if known else {}
    return [
        key
        for key in dict.fromkeys((*ours, *theirs))
        if not key.startswith(UNRELATED) and ours.get(key, defaults.get(key)) != theirs.get(key, defaults.get(key))
    ]


def asleep_settings(arm: Arm) -> tuple[str, ...]:
    """Return the options by which an arm trains differently asleep than awake: its matched control never sleeps."""
    return tuple(key for key, default in ASLEEP.items() if _option(arm, key) not in (None, default))


def cuts_rows(arm: Arm) -> bool:
    """Return whether an arm cuts the rows that it replays anew; its matched control does so all the time."""
    return _option(arm, CONTEXT) not in (None, "keep")


def _options(arm: Arm) -> Mapping[str, Any]:
    return next((run.config for run in arm.facts if run.config), arm.parameters)


def _option(arm: Arm, key: str) -> Any:
    return _options(arm).get(key)


def explain_gains(
    arms: Sequence[Arm],
    baseline: str,
    endpoints: Sequence[str],
    lower: Collection[str] = (),
    plan: SeedPlan | None = None,
) -> tuple[Gain, ...]:
    """Return what the difference of each sleeping arm is made of, at each endpoint; arms without a control have none.

    Args:
        arms: of one table.
        baseline: name of the reference; where it sleeps itself, is a control or is missing, nothing is explained.
        endpoints: the primary one first.
        lower: endpoints at which less is better.
        plan: of the study's seeds; None where their number was fixed.
    """
    reference = next((arm for arm in arms if arm.name == baseline), None)
    if reference is None or not can_be_reference(reference):
        return ()
    gains = []
    for arm in sleeping_arms(arms, baseline):
        controls = find_controls(arm, arms)
        for endpoint in endpoints:
            gain = _explain(arm, controls, reference, endpoint, better=-1 if endpoint in lower else 1, plan=plan)
            gains += [] if gain is None else [gain]
    families = [[gain for gain in gains if (gain.endpoint == endpoints[0]) is primary] for primary in (True, False)]
    return _corrected(gains, families)


def _explain(
    arm: Arm, controls: Controls, reference: Arm, endpoint: str, *, better: int, plan: SeedPlan | None
) -> Gain | None:
    """Return the uncorrected gain at one endpoint, or None without a control that shares a seed with both arms."""
    between = {EXPOSURE: controls.of_twin, SELECTION: controls.own}
    if replays_at_random(arm):
        between = {EXPOSURE: controls.own}
    if not are_comparable(arm, reference, endpoint):
        return None
    seeds = _values(arm, endpoint).keys() & _values(reference, endpoint).keys()
    kept: dict[str, Arm] = {}
    for part, control in reversed(between.items()):
        common = seeds & _values(control, endpoint).keys()
        if control is not None and common and are_comparable(control, reference, endpoint):
            kept[part], seeds = control, common
    if not kept:
        return None
    steps, waiting, start = list[tuple[tuple[str, ...], Arm, Arm]](), list[str](), reference
    for part in (*between, ORDER):
        waiting.append(part)
        end = arm if part == ORDER else kept.get(part)
        if end is not None:
            steps.append((tuple(waiting), end, start))
            waiting, start = [], end
    steps.append(((WHOLE,), arm, reference))
    made = _contrasts([(end, start) for _, end, start in steps], endpoint, better, seeds, plan)
    *effects, whole = (
        Effect(parts=parts, arm=end.name, minus=start.name, contrast=contrast)
        for (parts, end, start), contrast in zip(steps, made, strict=True)
    )
    return Gain(
        arm=arm.name,
        endpoint=endpoint,
        seeds=tuple(sorted(seeds)),
        whole=whole,
        effects=tuple(effects),
        further=tuple(_phases(arm, controls.interleaved, endpoint, better, plan)),
    )


def _values(arm: Arm | None, endpoint: str) -> Mapping[int, float]:
    return {} if arm is None else arm.values.get(endpoint, {})


def _contrasts(
    pairs: Sequence[tuple[Arm, Arm]], endpoint: str, better: int, seeds: Collection[int], plan: SeedPlan | None
) -> list[Contrast]:
    """Return the differences of pairs of arms, all with test items or all without, so that they add up."""
    involved = [arm for pair in pairs for arm in pair]

    def make(pairs: Iterable[tuple[Arm, Arm]]) -> list[Contrast]:
        found = (
            make_contrast(end, start, endpoint, better=better, seeds=seeds, plan=plan, involved=involved)
            for end, start in pairs
        )
        return [contrast for contrast in found if contrast is not None]

    made = make(pairs)
    if any(contrast.items is None for contrast in made):
        made = make((replace(end, answers={}), replace(start, answers={})) for end, start in pairs)
    return made


def _phases(arm: Arm, interleaved: Arm | None, endpoint: str, better: int, plan: SeedPlan | None) -> Iterator[Effect]:
    """Yield the arm minus its twin that mixes the same replay into reading, over the seeds that both have."""
    if interleaved is None or not are_comparable(arm, interleaved, endpoint):
        return
    contrast = make_contrast(arm, interleaved, endpoint, better=better, plan=plan)
    if contrast is not None:
        yield Effect(parts=(PHASES,), arm=arm.name, minus=interleaved.name, contrast=contrast)


def _corrected(gains: Sequence[Gain], families: Iterable[Sequence[Gain]]) -> tuple[Gain, ...]:
    """Return the gains with Holm's correction over each family; an effect that two arms share is one test."""
    p_holm: dict[tuple[Any, ...], float] = {}
    sizes: dict[str, int] = {}
    for family in families:
        found = holm_family({_key(gain, effect): effect.contrast.difference.p for gain, effect in _effects(family)})
        p_holm |= found
        sizes |= dict.fromkeys((gain.endpoint for gain in family), len(found))

    def correct(gain: Gain, effects: Iterable[Effect]) -> tuple[Effect, ...]:
        known = [(effect, p_holm.get(_key(gain, effect))) for effect in effects]
        return tuple(replace(effect, contrast=replace(effect.contrast, p_holm=p)) for effect, p in known)

    return tuple(
        replace(
            gain,
            effects=correct(gain, gain.effects),
            further=correct(gain, gain.further),
            tests=sizes[gain.endpoint],
        )
        for gain in gains
    )


def _effects(gains: Iterable[Gain]) -> Iterator[tuple[Gain, Effect]]:
    return ((gain, effect) for gain in gains for effect in (*gain.effects, *gain.further))


def _key(gain: Gain, effect: Effect) -> tuple[Any, ...]:
    """Return what identifies the test of an effect."""
    return gain.endpoint, effect.arm, effect.minus, effect.contrast.difference
