"""The resource that all arms of a fair comparison must share: words seen, compute or device hours.

The study names it (`comparison.matched`); `compare.py --matched` chooses another for one table. An arm is off where its
mean differs too much from the baseline's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from sleep_tune.errors import listed
from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.columns import MOST_NAMED, column

__all__ = ["RESOURCES", "Resource", "ResourceMatch", "match_resource", "resource_notes", "same_resource_text"]

BATCHES = 2
"""Runs that differ by at most this many updates are matched, however small the budget."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that arms can share."""

    columns: tuple[str, ...]
    """Columns that hold it; of several, the one that the baseline has."""
    noun: str
    same: str
    """Completes 'at the same'."""
    took: str
    """Verb: a run saw, or took, an amount of it."""
    tolerance: float
    """Largest difference that still counts as the same, as a share of the baseline's amount."""
    others: tuple[str, ...]
    """Costs that may differ then; the note shows them."""


RESOURCES: dict[str, Resource] = {
    "words": Resource(("words_seen",), "words seen", "number of words", "saw", 0.01, ("updates", "flops")),
    "flops": Resource(("flops",), "compute (FLOPs)", "compute", "took", 0.02, ("words_seen", "updates")),
    "device_hours": Resource(
        ("gpu_hours", "cpu_hours"), "device hours", "number of device hours", "took", 0.1, ("words_seen", "flops")
    ),
}
"""Name -> resource. A run ends within one batch of its budget of words; times on one machine vary by a tenth."""


@dataclass(frozen=True, slots=True)
class ResourceMatch:
    """How closely the arms of a comparison match in a resource."""

    resource: Resource
    key: str
    """The column compared."""
    reference: float | None
    """The baseline's mean; None where it has no completed run."""
    off: Mapping[str, float]
    """Arm -> its mean, where that is too far from the reference."""
    unknown: tuple[str, ...]
    """Arms with completed runs that did not record it."""
    low: float
    high: float
    """The least and the most of all runs."""


def match_resource(comparison: Comparison) -> ResourceMatch:
    """Return how closely the arms match in the resource `comparison.matched`."""
    resource = RESOURCES[comparison.matched]
    arms = [arm for arm in comparison.arms if arm.seeds]
    baseline = [arm for arm in arms if arm.name == comparison.baseline]
    known = (key for arm in (*baseline, *arms) for key in resource.columns if arm.values.get(key))
    key = next(known, resource.columns[0])
    values = {arm.name: list(arm.values.get(key, {}).values()) for arm in arms}
    own = next((values[arm.name] for arm in baseline if values[arm.name]), None)
    every = [value for found in values.values() for value in found]
    off: dict[str, float] = {}
    if own:
        mean = fmean(own)
        allowed = max(resource.tolerance * mean, BATCHES * _of_an_update(arms, key))
        means = {name: fmean(found) for name, found in values.items() if found}
        off = {name: value for name, value in means.items() if abs(value - mean) > allowed}
    unknown = tuple(name for name, found in values.items() if not found)
    low, high = min(every, default=0.0), max(every, default=0.0)
    return ResourceMatch(resource, key, fmean(own) if own else None, off, unknown, low, high)


def same_resource_text(comparison: Comparison, arms: Sequence[Arm]) -> str:
    """Return ' at the same number of words' for a sentence about `arms`, or that they differ, or that it is unknown."""
    found = match_resource(comparison)
    named = [comparison.baseline, *(arm.name for arm in arms)]
    off = [f"{name} {found.resource.took} {_apart(found, name)}" for name in named if name in found.off]
    if off:
        return f" (not at the same {found.resource.same}: {listed(off, MOST_NAMED)})"
    if found.reference is None or any(name in found.unknown for name in named):
        return f" (it is unknown whether at the same {found.resource.same})"
    return f" at the same {found.resource.same}"


def resource_notes(comparison: Comparison) -> Iterator[str]:
    """Say in which resource the arms match and how closely; name arms that are off, or did not record it."""
    found = match_resource(comparison)
    if not found.high:
        return
    asked = comparison.experiment.matched
    noun, took = found.resource.noun, found.resource.took
    if asked != comparison.matched:
        noun += f" (chosen for this table; the study matches {RESOURCES[asked].noun})"
    if found.off and found.reference is not None:
        apart = [f"{name} {took} {_amount(found, value)}, {_apart(found, name)}" for name, value in found.off.items()]
        yield (
            f"Not matched on {noun}: {listed(apart, MOST_NAMED, width=200, between='; ')} than {comparison.baseline} "
            f"({_number(found, found.reference)}), which may explain part of a difference."
        )
    else:
        spread = (found.high - found.low) / found.high
        amount = _amount(found, found.high)
        if spread:
            amount = f"{_number(found, found.low)} to {amount} ({spread:.{3 if spread < 0.01 else 1}%} apart)"
        costs = " and ".join(
            f"{column(key).heading} within {_spread(comparison.arms, key):.2%}" for key in found.resource.others
        )
        yield f"Matched on {noun}: every run {took} {amount}; {costs}."
    silent = [arm.name for arm in comparison.arms if arm.name in found.unknown and arm.kind != "elsewhere"]
    if silent:
        yield f"Warning: {found.resource.noun} not recorded for {listed(silent, MOST_NAMED)}."


def _amount(found: ResourceMatch, value: float) -> str:
    """Return an amount with its unit: `999,700 words`, `2.00e13 FLOPs`, `0.01 CPU-hours`."""
    return f"{_number(found, value)} {column(found.key).heading.removesuffix(' seen')}"


def _number(found: ResourceMatch, value: float) -> str:
    return column(found.key).write(value)


def _apart(found: ResourceMatch, name: str) -> str:
    """Return how far an arm is off, such as `30.0% fewer`."""
    assert found.reference is not None
    share = found.off[name] / found.reference - 1
    less = "fewer" if found.key == "words_seen" else "less"
    return f"{abs(share):.1%} {less if share < 0 else 'more'}"


def _of_an_update(arms: Sequence[Arm], key: str) -> float:
    """Return what one update costs: a run ends before the batch that would exceed its budget."""
    costs = [value for arm in arms for value in arm.values.get(key, {}).values()]
    updates = [value for arm in arms for value in arm.values.get("updates", {}).values()]
    return max(costs, default=0.0) / max([1.0, *updates]) if updates else 0.0


def _spread(arms: Sequence[Arm], key: str) -> float:
    """Return the largest difference of a cost between two runs, as a share of the largest cost."""
    values = [value for arm in arms for value in arm.values.get(key, {}).values()]
    return (max(values) - min(values)) / max(values) if values and max(values) > 0 else 0.0
