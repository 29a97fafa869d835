"""Controls that a study lacks to tell what its differences are made of, and the lines of a space that add them."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from sleep_tune.experiment.search_state import BEST
from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.gain import (
    RANDOM,
    STRATEGY,
    Controls,
    are_equal,
    can_be_reference,
    find_controls,
    is_interleaved,
    lacks_exposures,
    replays_at_random,
    share_a_twin,
    sleeping_arms,
)

__all__ = ["MissingControls", "find_missing"]


@dataclass(frozen=True, slots=True)
class MissingControls:
    """Controls that a study would need to tell what its differences are made of."""

    reasons: tuple[str, ...]
    """For each arm, the controls that it lacks."""
    arms: Mapping[str, Mapping[str, str]]
    """Arms of a search space that add what is missing."""

    @property
    def lines(self) -> str:
        """These arms as a section of a search space, one a line; empty without any."""
        if not self.arms:
            return ""
        return "arms:\n" + "".join(f"  {name}: {_flow(arm)}" for name, arm in self.arms.items())

    @property
    def line(self) -> str:
        """This section on one line."""
        return _flow({"arms": self.arms}).strip()


def find_missing(comparison: Comparison) -> MissingControls:
    """Return the controls that are missing at the primary endpoint, and the lines of a space that add them.

    Of the finalists only the first is looked at, because a space can name the best trial alone. Where arms that the
    study states have no run yet, there are no lines: these arms may be what is missing.
    """
    reference = comparison.reference
    if reference is None:
        return MissingControls((), {})
    if not can_be_reference(reference):
        is_what = "sleeps itself" if reference.parent is None else f"is a control (of {reference.parent})"
        why = (
            f"The reference {reference.name} {is_what}, so that a difference to it does not have these parts; name an "
            "arm without sleep as comparison.reference."
        )
        return MissingControls((why,), {})
    sleeping = sleeping_arms(comparison.arms, comparison.baseline)
    finalists = [arm for arm in sleeping if arm.kind == "finalist"]
    arms = [*finalists[:1], *(arm for arm in sleeping if arm.kind != "finalist" and not is_interleaved(arm))]
    arms = [arm for arm in arms if not _is_trained_again(arm, arms)]
    names = {arm.name: BEST if arm.kind == "finalist" else arm.name for arm in arms}
    added: dict[str, dict[str, str]] = {}
    reasons = []
    for arm in arms:
        found = find_controls(arm, comparison.arms)
        lacking = list(_unusable(arm, found, reference, comparison.endpoints[0]))
        if found.own is None:
            if lacks_exposures(arm):
                lacking.append(f"no control can be matched to {arm.name}, because an earlier version trained it")
                again = f"{names[arm.name]}_again"
                added[again] = {"like": names[arm.name]}
                names[arm.name] = again
            else:
                lacking.append(f"no control is matched to {arm.name}")
            added[f"{names[arm.name]}_matched"] = {"matched": names[arm.name]}
        if found.of_twin is None and not replays_at_random(arm):
            lacking.append(
                "there is no arm that replays at random and is otherwise equal, with a control matched to it"
                if found.twin is None
                else f"no control is matched to {found.twin.name}"
            )
            added |= _twin_lines(arm, found.twin, arms, names)
        if lacking:
            reasons.append(f"{arm.name}: {' and '.join(lacking)}.")
    waiting = [name for name in comparison.experiment.arms if all(arm.name != name for arm in comparison.arms)]
    if reasons and waiting:
        return MissingControls((*reasons, f"Arms of the study without a run yet: {', '.join(waiting)}."), {})
    return MissingControls(tuple(reasons), added)


def _is_trained_again(arm: Arm, arms: Sequence[Arm]) -> bool:
    """Return whether an arm without exposures is another one's equal that has them."""
    return lacks_exposures(arm) and any(not lacks_exposures(other) and are_equal(arm, other) for other in arms)


def _unusable(arm: Arm, found: Controls, reference: Arm, endpoint: str) -> Iterator[str]:
    """Name the controls that have no result yet at a seed of the arm and the reference."""
    shared = arm.values.get(endpoint, {}).keys() & reference.values.get(endpoint, {}).keys()
    controls = {control.name: control for control in (found.own, found.of_twin) if control is not None}
    for control in controls.values():
        if not shared & control.values.get(endpoint, {}).keys():
            yield f"{control.name} has no result at a seed that {arm.name} and {reference.name} share"


def _twin_lines(arm: Arm, twin: Arm | None, arms: Sequence[Arm], names: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the arms of a space that add a control matched to an arm's twin, and the twin where there is none.

    Arms that differ in strategy and priorities only have one twin: it is named for the first of them.
    """
    if twin is not None:
        return {f"{twin.name}_matched": {"matched": names.get(twin.name, twin.name)}}
    first = next(names[other.name] for other in arms if share_a_twin(arm, other))
    made = f"{first}_random"
    return {made: {"like": first, STRATEGY: RANDOM}, f"{made}_matched": {"matched": made}}


def _flow(value: Mapping[str, Any]) -> str:
    """Return a mapping as YAML on one line."""
    plain = json.loads(json.dumps(value))
    return yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=math.inf)
