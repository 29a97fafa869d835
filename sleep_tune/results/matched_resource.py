"""Whether arms had the same of what a fair comparison holds equal: words seen, compute, or hours of a device.

What is held equal is named by the study (`comparison.matched`), or for one table (`compare.py --matched`). An arm is
off where its mean is too far from the baseline's. Computes shares and words them; knows no differences.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.columns import column, names_text

__all__ = ["RESOURCES", "Resource", "ResourceMatch", "match_resource", "resource_notes", "same_resource_text"]

BATCHES = 2
"""Runs that differ by no more than so many of their updates are matched, however small the budget."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What can be held equal."""

    columns: tuple[str, ...]
    """Where it is found; of several, the one that the baseline has."""
    noun: str
    same: str
    """What follows 'at the same'."""
    took: str
    """A run ... so much of it."""
    tolerance: float
    """Larger differences than this share of the baseline's are no longer called the same."""
    others: tuple[str, ...]
    """Costs that may differ then, and are told beside."""


RESOURCES: dict[str, Resource] = {
    "words": Resource(("words_seen",), "words seen", "words", "saw", 0.01, ("updates", "flops")),
    "flops": Resource(("flops",), "compute (FLOPs)", "compute", "took", 0.02, ("words_seen", "updates")),
    "device_hours": Resource(
        ("gpu_hours", "cpu_hours"), "hours of a device", "hours of a device", "took", 0.1, ("words_seen", "flops")
    ),
}
"""Name -> what it holds equal. A run ends within a batch of its words; the clock of a machine scatters by a tenth."""


@dataclass(frozen=True, slots=True)
class ResourceMatch:
    """How nearly the arms of a comparison had the same."""

    measure: Resource
    key: str
    """The column compared."""
    reference: float | None
    """The baseline's mean; None where no run of it is on record."""
    off: Mapping[str, float]
    """Arm -> its mean, where that is too far from the reference."""
    unknown: tuple[str, ...]
    """Arms with completed runs that do not say."""
    low: float
    high: float
    """The least and the most of all runs."""


def match_resource(comparison: Comparison) -> ResourceMatch:
    """How nearly the arms had what `comparison.matched` holds equal."""
    measure = RESOURCES[comparison.matched]
    arms = [arm for arm in comparison.arms if arm.seeds]
    baseline = [arm for arm in arms if arm.name == comparison.baseline]
    known = (key for arm in (*baseline, *arms) for key in measure.columns if arm.values.get(key))
    key = next(known, measure.columns[0])
    values = {arm.name: list(arm.values.get(key, {}).values()) for arm in arms}
    own = next((values[arm.name] for arm in baseline if values[arm.name]), None)
    every = [value for found in values.values() for value in found]
    off: dict[str, float] = {}
    if own:
        mean = fmean(own)
        allowed = max(measure.tolerance * mean, BATCHES * _of_an_update(arms, key))
        means = {name: fmean(found) for name, found in values.items() if found}
        off = {name: value for name, value in means.items() if abs(value - mean) > allowed}
    unknown = tuple(name for name, found in values.items() if not found)
    low, high = min(every, default=0.0), max(every, default=0.0)
    return ResourceMatch(measure, key, fmean(own) if own else None, off, unknown, low, high)


def same_resource_text(comparison: Comparison, arms: Sequence[Arm]) -> str:
    """What a sentence about `arms` may say of it: ' at the same words', or that it was not so, or is not known."""
    found = match_resource(comparison)
    named = [comparison.baseline, *(arm.name for arm in arms)]
    off = [f"{name} {found.measure.took} {_apart(found, name)}" for name in named if name in found.off]
    if off:
        return f" (not at the same {found.measure.same}: {names_text(off)})"
    if found.reference is None or any(name in found.unknown for name in named):
        return f" (whether at the same {found.measure.same} is not known)"
    return f" at the same {found.measure.same}"


def resource_notes(comparison: Comparison) -> Iterator[str]:
    """On what the arms were matched, and how nearly; which are off, and of which it is not known."""
    found = match_resource(comparison)
    if not found.high:
        return
    asked = comparison.experiment.matched
    instead = "" if asked == comparison.matched else f" (asked of this table; the study names {RESOURCES[asked].noun})"
    noun, took = f"{found.measure.noun}{instead}", found.measure.took
    if found.off and found.reference is not None:
        apart = [f"{name} {took} {_amount(found, value)}, {_apart(found, name)}" for name, value in found.off.items()]
        told = names_text(apart, "; ")
        yield (
            f"Not matched on {noun}: {told} than {comparison.baseline} ({_number(found, found.reference)}); "
            "part of a difference may be that."
        )
    else:
        spread = (found.high - found.low) / found.high
        amount = _amount(found, found.high)
        if spread:
            amount = f"{_number(found, found.low)} to {amount} ({spread:.{3 if spread < 0.01 else 1}%} apart)"
        costs = " and ".join(
            f"{column(key).heading} within {_spread(comparison.arms, key):.2%}" for key in found.measure.others
        )
        yield f"Matched on {noun}: every run {took} {amount}; {costs}."
    silent = [arm.name for arm in comparison.arms if arm.name in found.unknown and arm.kind != "elsewhere"]
    if silent:
        yield f"Beware: {names_text(silent, ' and ')} do not say their {found.measure.noun}."


def _amount(found: ResourceMatch, value: float) -> str:
    """`999,700 words`, `2.00e13 FLOPs`, `0.01 CPU-hours`."""
    return f"{_number(found, value)} {column(found.key).heading.removesuffix(' seen')}"


def _number(found: ResourceMatch, value: float) -> str:
    return column(found.key).write(value)


def _apart(found: ResourceMatch, name: str) -> str:
    """`30.0% fewer`, or more, of the arm that is off."""
    assert found.reference is not None
    share = found.off[name] / found.reference - 1
    less = "fewer" if found.key == "words_seen" else "less"
    return f"{abs(share):.1%} {less if share < 0 else 'more'}"


def _of_an_update(arms: Sequence[Arm], key: str) -> float:
    """What one update costs: a run ends before the batch that would exceed its budget."""
    costs = [value for arm in arms for value in arm.values.get(key, {}).values()]
    updates = [value for arm in arms for value in arm.values.get("updates", {}).values()]
    return max(costs, default=0.0) / max([1.0, *updates]) if updates else 0.0


def _spread(arms: Sequence[Arm], key: str) -> float:
    """Largest difference of a cost between any two runs, as a share of the largest."""
    values = [value for arm in arms for value in arm.values.get(key, {}).values()]
    return (max(values) - min(values)) / max(values) if values and max(values) > 0 else 0.0
