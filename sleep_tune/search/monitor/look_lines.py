"""Texts on the looks of a search: which look is next, which arms are decided and why, and which get more seeds."""

from collections.abc import Iterator

from sleep_tune.experiment.look_evidence import ArmEvidence
from sleep_tune.experiment.search_state import SearchState
from sleep_tune.search.decide.look_schedule import LookSchedule, current_schedule
from sleep_tune.search.decide.search_view import SearchView

__all__ = ["describe_look", "describe_looks"]


def describe_looks(watched: SearchView) -> str | None:
    """Return what has been decided and what goes on; None for a search without looks, and before its first runs."""
    planned, state = watched.space.finalists.looks, watched.state
    if len(planned) == 1 or not state.versions:
        return None
    schedule = current_schedule(watched.space, state)
    return " · ".join(_parts(schedule, state, len(planned)))


def _parts(schedule: LookSchedule, state: SearchState, planned: int) -> Iterator[str]:
    if schedule.number is None:
        yield f"looks over at {_seeds(schedule.seeds)}"
    else:
        yield f"next look: {schedule.number} of {planned}, at {_seeds(schedule.seeds)}"
    last = state.looks[-1] if state.looks else None
    if last is not None and last.reason is not None:
        yield f"no arm can be decided: {last.reason}"
    for arm, (seeds, evidence) in schedule.decided.items():
        yield f"{arm} {_decision(evidence)} at {_seeds(seeds)}"
    compared = ", ".join(schedule.undecided)
    if state.looks and compared:
        yield f"undecided: {compared}"


def describe_look(state: SearchState, place: int, planned: int) -> str:
    """Return one line on a look: which arms it decided, and which get more seeds.

    Args:
        state: of the search.
        place: of the look among those that have been taken, from 0.
        planned: number of looks in the plan.
    """
    look = state.looks[place]
    head = f"look {look.number} of {planned}, at {_seeds(look.seeds)}"
    if look.reason is not None:
        is_new = place == 0 or state.looks[place - 1].reason != look.reason
        return f"{head}: no arm can be decided: {look.reason}" if is_new else f"{head}: no arm can be decided"
    found = {arm: evidence for arm, evidence in look.arms.items() if evidence is not None}
    decided = [f"{arm} {_decision(evidence)}" for arm, evidence in found.items() if evidence.decided is not None]
    others = [arm for arm, evidence in found.items() if evidence.decided is None]
    goes_on = "undecided" if look.number >= planned else "more seeds for"
    parts = [", ".join(decided), f"{goes_on} {', '.join(others)}" if others else ""]
    return f"{head}: {'; '.join(part for part in parts if part) or 'no arm is compared'}"


def _decision(evidence: ArmEvidence) -> str:
    """Return `significant (p 0.004)`; without p where it is unknown."""
    p = evidence.p
    figure = "" if p is None else " (p < 0.001)" if p < 0.001 else f" (p {p:.3f})"
    return f"{evidence.decided}{figure if evidence.decided == 'significant' else ''}"


def _seeds(number: int) -> str:
    return f"{number} seed{'s' * (number != 1)}"
