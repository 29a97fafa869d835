"""Planned looks and growth of a study in words, for the verdict and the notes."""

from collections.abc import Iterator

from sleep_tune.errors import listed
from sleep_tune.results.arms import Comparison, Contrast
from sleep_tune.results.columns import MOST_NAMED
from sleep_tune.results.seed_plan import SeedPlan
from sleep_tune.results.study_growth import describe_growth
from sleep_tune.statistics.schedule import LEVEL

__all__ = ["REASONS", "complete_looks", "level_text", "look_notes", "look_text"]

REASONS = {
    "significant": "significant",
    "equivalent": "equivalent",
    "futile": "futile: more seeds would hardly decide it",
}
"""Why an arm got no more seeds -> the reason in words."""

WIDTH = 160
"""Greatest length in characters of the name of an arm with its reason."""


def complete_looks(comparison: Comparison) -> int | None:
    """Return the number of planned looks that are complete for some arm that the verdict is about.

    None where no look is planned.
    """
    primary = comparison.endpoints[0]
    found = [arm.contrasts[primary].looks for arm in comparison.compared if primary in arm.contrasts]
    return max((looks for looks in found if looks is not None), default=None)


def look_text(comparison: Comparison) -> str:
    """Return the sentences of the verdict on looks and growth, each after a space; '' where there is nothing to say."""
    return "".join(f" {sentence}" for sentence in _sentences(comparison))


def _sentences(comparison: Comparison) -> Iterator[str]:
    plan, complete = comparison.plan, complete_looks(comparison)
    if plan is not None and complete:
        looks = plan.schedule.looks
        if len(looks) > 1:
            all_decided = all(arm.decided is not None for arm in comparison.compared)
            left = ", the last, since all arms are decided" if all_decided else ""
            if complete < len(looks) and not all_decided:
                left = "; the search has ended" if plan.ended else f"; the next is at {looks[complete]} seeds"
            yield f"This is look {complete} of {len(looks)}, at {looks[complete - 1]} seeds{left}."
        if plan.added:
            grown = f"from the planned {plan.seeds} to {len(plan.order)} seeds"
            yield f"The study grew {grown}; p allows for that{_most(plan)}."
    if describe_growth(comparison.growth):
        yield f"The study grew after it had ended ({describe_growth(comparison.growth)}); p is not corrected for that."


def look_notes(comparison: Comparison) -> Iterator[str]:
    """Explain the planned looks, name the arms that are decided, and warn of growth that p does not allow for."""
    plan, primary = comparison.plan, comparison.endpoints[0]
    if plan is not None and len(plan.schedule.looks) > 1:
        *first, last = plan.schedule.looks
        yield (
            f"The evidence is judged at {', '.join(map(str, first))} and {last} seeds. An arm that is decided gets no "
            "more seeds. p-values and intervals of differences hold at all of these looks together, and also in a "
            "table that is made between two looks."
        )
    decided = [
        f"{arm.name} at {arm.decided.seeds} seeds ({_reason(arm.decided.reason, arm.contrasts.get(primary))})"
        for arm in comparison.arms
        if arm.decided is not None and arm.parent is None
    ]
    if decided:
        yield f"Decided: {listed(decided, MOST_NAMED, width=WIDTH)}."
    if plan is not None and plan.added:
        yield (
            f"The study grew from the planned {plan.seeds} to {len(plan.order)} seeds. p-values of differences hold "
            f"for any number of added seeds{_most(plan)}."
        )
    grown = describe_growth(comparison.growth)
    if grown:
        yield (
            f"Warning: the study grew after it had ended ({grown}). p-values are not corrected for the tables that "
            "were made before."
        )


def _reason(reason: str, made: Contrast | None) -> str:
    """Return why an arm got no more seeds, and what of that has changed since, with other arms in the correction."""
    if made is not None and reason == "futile" and made.is_significant:
        return "futile then, significant by now"
    stands = made is not None and {"significant": made.is_significant, "equivalent": made.is_equivalent}.get(
        reason, True
    )
    return REASONS[reason] if stands else f"{reason} then, not any more"


def _most(plan: SeedPlan) -> str:
    """Say how often a study of an earlier version that has grown may claim falsely; '' of other studies."""
    schedule = plan.schedule
    if not schedule.overspent:
        return ""
    most = schedule.level + schedule.growth_level
    return f", but its first table used the whole level: false claims have a chance of up to {most:.1%}"


def level_text(comparison: Comparison) -> str:
    """Return a sentence after a space on how p and intervals are to be read where looks are planned; '' elsewhere."""
    if comparison.plan is None:
        return ""
    schedule = comparison.plan.schedule
    confidence = 1 - schedule.level - schedule.growth_level
    text = (
        " Intervals of differences are repeated confidence intervals: together they hold at "
        f"{100 * confidence:.3g}%, at every look and for added seeds."
    )
    if schedule.level != LEVEL:
        text += (
            f" A corrected p below {schedule.level:.3g} is significant; the rest of {LEVEL:.2g} is kept for seeds that "
            "are added after the planned ones (comparison.reserve)."
        )
    return text
