"""The verdict of a comparison: which arms differ significantly from the baseline at the primary endpoint.

A difference is claimed only where it is significant after Holm correction. Further sentences name seeds that diverged
and say how many seeds a significant improvement would then need.
"""

from collections.abc import Callable, Iterator, Sequence

from sleep_tune.errors import listed
from sleep_tune.results.arms import BASELINE, CONTROL, Arm, Comparison, Contrast, mode_of
from sleep_tune.results.columns import MOST_NAMED, column
from sleep_tune.results.comparable_losses import no_loss_verdict
from sleep_tune.results.look_text import complete_looks, look_text
from sleep_tune.results.matched_resource import same_resource_text
from sleep_tune.statistics.fixed_sample import fewest_seeds

__all__ = ["contrast_text", "difference_text", "improves", "is_claim", "is_control", "write_verdict"]

SLEEP = "sleep"

MOST_CLAIMS = 5
"""Arms listed with their numbers, smallest p first, where there are more than `MOST_NAMED`."""


def write_verdict(comparison: Comparison) -> str:
    """Return the verdict in one to a few sentences."""
    return _answer(comparison) + "".join(_diverged(comparison))


def _answer(comparison: Comparison) -> str:
    primary = comparison.experiment.primary
    what = comparison.column(primary).heading
    name = comparison.baseline
    baseline = comparison.reference
    if baseline is None and _is_not_stated(name, comparison):
        return (
            f"No verdict: the study has no {name} to compare with. To add it, give the search space baselines: "
            f"{{{name}: {{}}}} and run the same command again."
        )
    if baseline is None or not baseline.seeds:
        return f"No verdict{_yet(baseline)}: no run of the baseline {name} has been completed."
    if baseline.kind == "elsewhere" and not comparison.compared:
        return f"No verdict: there is no arm to compare with {name}; add another model or experiment."
    if not any(arm.seeds for arm in comparison.compared):
        return f"No verdict{_yet(*comparison.compared)}: no run of {_other(comparison)} has been completed."
    compared = [arm for arm in comparison.compared if primary in arm.contrasts]
    if not compared:
        return no_loss_verdict(comparison) or f"No verdict: no seed has a {what} for both {name} and another arm."
    if all(arm.contrasts[primary].p_holm is None for arm in compared):
        alone = all(len(arm.seeds) == 1 for arm in compared)
        return (
            f"One seed {'per arm' if alone else 'in common'} supports no claim, because the variation between seeds is "
            f"unknown. The largest difference in {what}{same_resource_text(comparison, compared)} is "
            f"{_largest(compared, comparison)}."
        )
    claimed = [arm for arm in compared if is_claim(arm, primary)]
    if not claimed and complete_looks(comparison) == 0 and comparison.plan is not None:
        return (
            f"No verdict yet: no arm has all {comparison.plan.schedule.looks[0]} seeds of the first look. The largest "
            f"difference in {what}{same_resource_text(comparison, compared)} so far is "
            f"{_largest(compared, comparison)}."
        )
    if not claimed:
        return (
            f"No significant difference between {_subject(comparison)} and {name} in {what}"
            f"{same_resource_text(comparison, compared)}; the largest is {_largest(compared, comparison)}."
            f"{_equal(compared, comparison)}{_doubt(comparison)}{look_text(comparison)}"
        )
    rest = [arm for arm in compared if arm not in claimed]
    by_look = comparison.plan is not None and any(arm.contrasts[primary].is_equivalent for arm in rest)
    equal = _equal(rest, comparison) if by_look else ""
    return _claims(claimed, comparison) + equal + _doubt(comparison) + look_text(comparison)


def _is_not_stated(name: str, comparison: Comparison) -> bool:
    """Return whether a study that searches states no such baseline or arm."""
    experiment = comparison.experiment
    return bool(experiment.parameters) and name == BASELINE and name not in (*experiment.tuned, *experiment.arms)


def _yet(*arms: Arm | None) -> str:
    """Return ' yet', unless these arms have failed runs and none that is still to end."""
    every = [arm for arm in arms if arm is not None]
    return "" if every and all(arm.failures and not arm.unfinished for arm in every) else " yet"


def _other(comparison: Comparison) -> str:
    """Return what is to be compared with the baseline."""
    return "another arm" if comparison.experiment.arms else "a finalist"


def is_claim(arm: Arm, endpoint: str) -> bool:
    """Return whether the arm's difference to the baseline is significant after Holm correction."""
    contrast = arm.contrasts.get(endpoint)
    return contrast is not None and contrast.is_significant


def is_control(arm: Arm, baseline: Arm) -> bool:
    """Return whether an arm has the settings of the baseline, so that the two differ only in data order."""
    return arm.parameters == baseline.parameters


def improves(arm: Arm, endpoint: str, mode: str) -> bool:
    """Return whether the arm's mean is on the better side of the baseline's."""
    mean = arm.contrasts[endpoint].difference.mean
    return mean < 0 if mode == "min" else mean > 0


def difference_text(arm: Arm, endpoint: str) -> str:
    """Return the difference and its interval as text, such as `-0.051 [-0.082, -0.020]`.

    From one seed it has the standard error over groups of items instead. Where a seed diverged it has no interval: an
    interval over the other seeds could exclude 0 while p, which counts all seeds, is 1.
    """
    return contrast_text(arm.contrasts[endpoint], endpoint)


def contrast_text(contrast: Contrast, endpoint: str) -> str:
    """Return a difference at an endpoint and its interval as text; see `difference_text`."""
    write, difference = column(endpoint).write, contrast.difference
    mean = _signed(write, difference.mean)
    if contrast.diverged:
        return mean
    if difference.low is None or difference.high is None:
        return mean if difference.error is None else f"{mean} (SE {write(difference.error)})"
    return f"{mean} [{_signed(write, difference.low)}, {_signed(write, difference.high)}]"


def _signed(write: Callable[[float], str], number: float) -> str:
    """Return the number with its sign; zero has none."""
    text = write(abs(number))
    return text if float(text.replace(",", "")) == 0 else f"{'-' if number < 0 else '+'}{text}"


def _largest(arms: Sequence[Arm], comparison: Comparison) -> str:
    """Return the arm with the largest difference, and its numbers."""
    primary = comparison.experiment.primary
    arm = max(arms, key=lambda arm: abs(arm.contrasts[primary].difference.mean))
    return f"{arm.name} ({_numbers(arm, primary)})"


def _numbers(arm: Arm, endpoint: str) -> str:
    """Return the difference, unit, p and number of seeds of one arm."""
    contrast = arm.contrasts[endpoint]
    p = "" if contrast.p_holm is None else f", Holm p = {contrast.p_holm:.2g}"
    count = contrast.difference.count
    survivors = f"{count} of " if contrast.diverged else ""
    seeds = f"{survivors}{contrast.seeds} seed{'' if contrast.seeds == 1 else 's'}"
    return f"{difference_text(arm, endpoint)} {column(endpoint).unit}".rstrip() + f"{p}, {seeds}"


def _diverged(comparison: Comparison) -> Iterator[str]:
    """Say which arms diverged at how many seeds, and what can still be claimed."""
    primary, reference = comparison.experiment.primary, comparison.reference
    tests = sum(primary in arm.contrasts and arm.contrasts[primary].p_holm is not None for arm in comparison.arms)
    if reference is not None and reference.diverged:
        counted = ": p counts these seeds against it; means and intervals are over the others"
        yield f" {reference.name} diverged at {_how_often(reference)}{counted if reference.seeds else ''}."
    alike: dict[tuple[str, str], list[str]] = {}
    for arm in comparison.compared:
        if arm.diverged:
            alike.setdefault((_how_often(arm), _left_to_claim(arm.contrasts.get(primary), tests)), []).append(arm.name)
    for (often, left), names in alike.items():
        yield f" {listed(names, MOST_NAMED)}{' each' if len(names) > 1 else ''} diverged at {often}{left}."


def _how_often(arm: Arm) -> str:
    """Return the share of diverged seeds, such as `2 of 5 seeds`."""
    return f"{len(arm.diverged)} of {len(arm.seeds) + len(arm.diverged)} seeds"


def _left_to_claim(contrast: Contrast | None, tests: int) -> str:
    """Say what can still be claimed of an arm that diverged, as one of `tests` tests."""
    if contrast is None or not contrast.lost:
        return ""
    alone, corrected = (fewest_seeds(contrast.lost, contrast.level / count) for count in (1, max(1, tests)))
    if contrast.seeds >= corrected:
        return ": p ranks diverged seeds worst; the mean is over the others"
    after = f" ({corrected} after Holm correction over {tests} tests)" if tests > 1 else ""
    return (
        f": each diverged seed is ranked worst, so no improvement can be significant with fewer than {alone} "
        f"seeds{after}, whatever the mean over the others"
    )


def _claims(claimed: Sequence[Arm], comparison: Comparison) -> str:
    """Say which arms are significantly better or worse, and which are not."""
    primary = comparison.experiment.primary
    mode = mode_of(primary, comparison.experiment)
    better = [arm for arm in claimed if improves(arm, primary, mode)]
    worse = [arm for arm in claimed if not improves(arm, primary, mode)]
    parts = []
    for arms, word in ((better, "better"), (worse, "worse")):
        arms.sort(key=lambda arm: arm.contrasts[primary].p_holm or 0.0)
        first = arms if len(arms) <= MOST_NAMED else arms[:MOST_CLAIMS]
        parts += [f"{arm.name} is {word} ({_numbers(arm, primary)})" for arm in first]
        parts += [f"{len(arms) - len(first)} more arms are {word}"] if len(first) < len(arms) else []
    undecided = [arm.name for arm in comparison.compared if primary in arm.contrasts and arm not in claimed]
    parts += [f"no significant difference: {listed(undecided, MOST_NAMED)}"] if undecided else []
    name = comparison.baseline
    if _subject(comparison) == SLEEP:
        loses = f"Sleep is not shown to beat {name}" if undecided else f"Sleep is worse than {name}"
        answer = f"Sleep beats {name}" if better else loses
    else:
        none = f"No arm {'is shown to beat' if undecided else 'beats'} {name}"
        answer = f"{name} is beaten" if better else none
    what = comparison.column(primary).heading
    return f"{answer}{same_resource_text(comparison, claimed)} in {what}: {'; '.join(parts)}."


def _subject(comparison: Comparison) -> str:
    """Return 'sleep' where finalists of a search are compared with a baseline, else 'the other arms'."""
    reference = comparison.reference
    of_search = all(arm.kind == "finalist" for arm in comparison.compared)
    return SLEEP if of_search and reference is not None and reference.kind == "baseline" else "the other arms"


def _equal(arms: Sequence[Arm], comparison: Comparison) -> str:
    """Say which arms are equivalent to the baseline, where the study names a smallest difference of interest."""
    primary, smallest = comparison.experiment.primary, comparison.experiment.smallest
    if smallest is None:
        return ""
    bound = f"{column(primary).write(smallest)} {column(primary).unit}".strip()
    equal = [arm.name for arm in arms if arm.contrasts[primary].is_equivalent]
    if not equal:
        return f" Equivalence within {bound}, the smallest difference of interest, is not shown for any of them."
    return f" Equivalent within {bound}, the smallest difference of interest: {listed(equal, MOST_NAMED)}."


def _doubt(comparison: Comparison) -> str:
    """Warn where the A/A control differs significantly from the baseline."""
    primary = comparison.experiment.primary
    reference = comparison.reference
    control = next((arm for arm in comparison.arms if arm.name == CONTROL), None)
    if reference is None or control is None or comparison.baseline != BASELINE:
        return ""
    if not (is_control(control, reference) and is_claim(control, primary)):
        return ""
    return (
        f" Warning: the A/A control {control.name} differs significantly from {comparison.baseline} too, which is a "
        f"false positive or an error of the setup ({_numbers(control, primary)})."
    )
