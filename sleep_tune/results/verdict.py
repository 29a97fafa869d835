"""One honest sentence: which arms the primary endpoint tells apart from epochs, or that it cannot.

Written from the numbers alone; a difference is claimed only where its corrected p allows. Seeds that diverged are said
beside it, with how many seeds a claim would need.
"""

from collections.abc import Callable, Iterator, Sequence

from sleep_tune.results.arms import BASELINE, CONTROL, Arm, Comparison, Contrast
from sleep_tune.results.columns import MOST_NAMED, column, names_text
from sleep_tune.results.matched_resource import same_resource_text
from sleep_tune.results.statistics import fewest_seeds

__all__ = ["LEVEL", "difference_text", "improves", "is_claim", "write_verdict"]

LEVEL = 0.05
"""A corrected p below this is a claim."""

SLEEP = "sleep"

MOST_CLAIMS = 5
"""Of more arms than a sentence names, so many have their numbers in it: those with the smallest p."""


def write_verdict(comparison: Comparison) -> str:
    """The sentence; further ones where seeds diverged."""
    return _answer(comparison) + "".join(_diverged(comparison))


def _answer(comparison: Comparison) -> str:
    primary = comparison.experiment.primary
    what = column(primary).heading
    name = comparison.baseline
    baseline = comparison.reference
    if baseline is None or not baseline.seeds:
        return f"No verdict{_yet(baseline)}: no run of the baseline {name} has been completed."
    if baseline.kind == "elsewhere" and not comparison.compared:
        return f"No verdict: there is no arm to compare with {name}; name a further model or experiment."
    if not any(arm.seeds for arm in comparison.compared):
        return f"No verdict{_yet(*comparison.compared)}: no run of a finalist has been completed."
    compared = [arm for arm in comparison.compared if primary in arm.contrasts]
    if not compared:
        return f"No verdict: no seed has {what} for both {name} and an arm to compare with it."
    if all(arm.contrasts[primary].p_holm is None for arm in compared):
        alone = all(len(arm.seeds) == 1 for arm in compared)
        return (
            f"One seed {'an arm' if alone else 'in common'} supports no claim, for how far seeds alone scatter is not "
            f"known: the largest difference"
            f"{same_resource_text(comparison, compared)} in {what} is {_largest(compared, comparison)}."
        )
    claimed = [arm for arm in compared if is_claim(arm, primary)]
    if not claimed:
        return (
            f"The table cannot tell {_subject(comparison)} from {name}{same_resource_text(comparison, compared)}: no "
            f"difference in {what} is beyond what seeds alone do; the largest is {_largest(compared, comparison)}."
            f"{_equal(compared, comparison)}{_doubt(comparison)}{_look(comparison)}"
        )
    return _claims(claimed, comparison) + _doubt(comparison) + _look(comparison)


def _yet(*arms: Arm | None) -> str:
    """' yet', unless all that these arms were asked for has failed."""
    every = [arm for arm in arms if arm is not None]
    return "" if every and all(arm.failures and not arm.unfinished for arm in every) else " yet"


def is_claim(arm: Arm, endpoint: str) -> bool:
    """Whether the arm's difference to the baseline holds after correction."""
    contrast = arm.contrasts.get(endpoint)
    return contrast is not None and contrast.p_holm is not None and contrast.p_holm < LEVEL


def improves(arm: Arm, endpoint: str, mode: str) -> bool:
    """Whether the arm's mean is on the better side of the baseline's."""
    mean = arm.contrasts[endpoint].difference.mean
    return mean < 0 if mode == "min" else mean > 0


def difference_text(arm: Arm, endpoint: str) -> str:
    """`-0.051 [-0.082, -0.020]`: the difference as it is shown, with its interval; of one seed, the items' error.

    Where a seed diverged there is no interval: one over the others, which p does not speak of alone, may leave out 0
    beside a p of 1.
    """
    contrast, write = arm.contrasts[endpoint], column(endpoint).write
    difference = contrast.difference
    mean = _signed(write, difference.mean)
    if contrast.diverged:
        return mean
    if difference.low is None or difference.high is None:
        return mean if difference.error is None else f"{mean} (SE {write(difference.error)})"
    return f"{mean} [{_signed(write, difference.low)}, {_signed(write, difference.high)}]"


def _signed(write: Callable[[float], str], number: float) -> str:
    """The number with its sign, a zero without."""
    text = write(abs(number))
    return text if float(text.replace(",", "")) == 0 else f"{'-' if number < 0 else '+'}{text}"


def _largest(arms: Sequence[Arm], comparison: Comparison) -> str:
    """The arm whose difference is largest, with its numbers."""
    primary = comparison.experiment.primary
    arm = max(arms, key=lambda arm: abs(arm.contrasts[primary].difference.mean))
    return f"{arm.name}'s, {_numbers(arm, primary)}"


def _numbers(arm: Arm, endpoint: str) -> str:
    """Difference, unit, p and seeds of one arm."""
    contrast = arm.contrasts[endpoint]
    p = "" if contrast.p_holm is None else f", Holm p = {contrast.p_holm:.2g}"
    count = contrast.difference.count
    survivors = f"{count} of " if contrast.diverged else ""
    seeds = f"{survivors}{contrast.seeds} seed{'' if contrast.seeds == 1 else 's'}"
    return f"{difference_text(arm, endpoint)} {column(endpoint).unit}".rstrip() + f"{p}, {seeds}"


def _diverged(comparison: Comparison) -> Iterator[str]:
    """Which arms diverged at how many seeds, and what that leaves to claim."""
    primary, reference = comparison.experiment.primary, comparison.reference
    tests = sum(primary in arm.contrasts and arm.contrasts[primary].p_holm is not None for arm in comparison.arms)
    if reference is not None and reference.diverged:
        counted = ": p counts these seeds against it, and means and intervals are over the others"
        yield f" {reference.name} diverged at {_how_often(reference)}{counted if reference.seeds else ''}."
    alike: dict[tuple[str, str], list[str]] = {}
    for arm in comparison.compared:
        if arm.diverged:
            alike.setdefault((_how_often(arm), _left_to_claim(arm.contrasts.get(primary), tests)), []).append(arm.name)
    for (often, left), names in alike.items():
        yield f" {names_text(names)}{' each' if len(names) > 1 else ''} diverged at {often}{left}."


def _how_often(arm: Arm) -> str:
    """`2 of 5 seeds`."""
    return f"{len(arm.diverged)} of {len(arm.seeds) + len(arm.diverged)} seeds"


def _left_to_claim(contrast: Contrast | None, tests: int) -> str:
    """What an arm that diverged, of as many tests, may still claim."""
    if contrast is None or not contrast.lost:
        return ""
    alone, corrected = (fewest_seeds(contrast.lost, LEVEL / count) for count in (1, max(1, tests)))
    if contrast.seeds >= corrected:
        return ": p counts a diverged seed as the worst, and the mean is over the others"
    after = f" ({corrected} after Holm over {tests} tests)" if tests > 1 else ""
    return (
        f": a diverged seed has the worst rank, so that no gain can be claimed below {alone} seeds{after}, whatever "
        "the mean over the others"
    )


def _claims(claimed: Sequence[Arm], comparison: Comparison) -> str:
    """What the corrected p values allow to say."""
    primary, mode = comparison.experiment.primary, comparison.experiment.mode
    better = [arm for arm in claimed if improves(arm, primary, mode)]
    worse = [arm for arm in claimed if not improves(arm, primary, mode)]
    parts = []
    for arms, word in ((better, "better"), (worse, "worse")):
        arms.sort(key=lambda arm: arm.contrasts[primary].p_holm or 0.0)
        first = arms if len(arms) <= MOST_NAMED else arms[:MOST_CLAIMS]
        parts += [f"{arm.name} is {word} ({_numbers(arm, primary)})" for arm in first]
        parts += [f"{len(arms) - len(first)} more arms are {word}"] if len(first) < len(arms) else []
    untold = [arm.name for arm in comparison.compared if primary in arm.contrasts and arm not in claimed]
    parts += [f"no significant difference: {names_text(untold)}"] if untold else []
    name = comparison.baseline
    if _subject(comparison) == SLEEP:
        loses = f"Sleep is not shown to beat {name}" if untold else f"Sleep loses to {name}"
        answer = f"Sleep beats {name}" if better else loses
    else:
        answer = f"{name} is {'' if better else 'not shown to be ' if untold else 'not '}beaten"
    return f"{answer}{same_resource_text(comparison, claimed)} in {column(primary).heading}: {'; '.join(parts)}."


def _subject(comparison: Comparison) -> str:
    """Who is told from the baseline: sleep, where finalists of a search are compared with a run without it."""
    reference = comparison.reference
    of_search = all(arm.kind == "finalist" for arm in comparison.compared)
    return SLEEP if of_search and reference is not None and reference.kind == "baseline" else "the others"


def _equal(arms: Sequence[Arm], comparison: Comparison) -> str:
    """That no difference is a finding, where the smallest one of interest was named before the run."""
    primary, smallest = comparison.experiment.primary, comparison.experiment.smallest
    if smallest is None:
        return ""
    bound = f"{column(primary).write(smallest)} {column(primary).unit}".strip()
    p_by_arm = {arm.name: arm.contrasts[primary].p_equal for arm in arms}
    equal = [name for name, p in p_by_arm.items() if p is not None and p < LEVEL]
    if not equal:
        return f" Nor can it say that they are equal to within {bound}."
    return f" Equal to within {bound}, the smallest difference of interest: {names_text(equal)}."


def _doubt(comparison: Comparison) -> str:
    """A control that is told apart, though it should not be."""
    primary = comparison.experiment.primary
    control = next((arm for arm in comparison.arms if arm.name == CONTROL), None)
    if control is None or comparison.baseline != BASELINE or not is_claim(control, primary):
        return ""
    numbers = f"{control.name}: {_numbers(control, primary)}"
    return f" Beware: the control differs from {comparison.baseline} too, and should not ({numbers})."


def _look(comparison: Comparison) -> str:
    """That the study grew after a table had been made of it."""
    looks = len(comparison.looks)
    return f" This is look {looks} at a study that grew, for which no p accounts." if looks > 1 else ""
