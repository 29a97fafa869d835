"""What a reader must know before believing the table: what was matched, tuned, repeated, and what is missing.

Sentences from the numbers of a comparison; computes no statistic and draws nothing.
"""

from collections.abc import Iterator, Sequence

from sleep_tune.results.arms import BASELINE, CONTROL, Arm, Comparison
from sleep_tune.results.columns import column, names_text, short_names
from sleep_tune.results.looks import look_notes
from sleep_tune.results.matched_resource import resource_notes
from sleep_tune.results.run_facts import fact_notes
from sleep_tune.results.sheet import SURVIVORS
from sleep_tune.results.statistics import POWER, detectable_difference
from sleep_tune.results.verdict import LEVEL, is_claim

__all__ = ["ENOUGH_SEEDS", "write_notes"]

ENOUGH_SEEDS = 5
"""Below this a t interval is so wide (2.8 standard errors at 5, 4.3 at 3, 12.7 at 2) that only large effects show."""

ELSEWHERE = {
    "elsewhere": "trained elsewhere; whether budget, warm-up, masks and seeds match is not known here.",
    "published": "published figures, for orientation only: no seeds are shared, and no difference is tested.",
}
"""Kind of an arm -> what must be said of it."""

MOST_NOTES = 20
"""Notes of one kind, such as one for each arm; more are counted."""

TIES = "test/pairs_ties"

MANY_TIES = 0.05
"""A larger share of items with equal scores is said."""


def write_notes(comparison: Comparison) -> Iterator[str]:
    """The notes, in the order in which they matter."""
    for notes in (
        resource_notes(comparison),
        _tuned(comparison),
        _control(comparison),
        _seeds(comparison),
        look_notes(comparison.looks),
        _diverged(comparison.arms),
        _constant(comparison),
        comparison.averaged,
        _unpaired(comparison),
        _reach(comparison),
        _ties(comparison),
        fact_notes({arm.name: arm.facts for arm in comparison.arms}, comparison.baseline),
        _elsewhere(comparison),
        _joined(comparison),
        _missing(comparison.arms),
    ):
        several = tuple(notes)
        yield from several[:MOST_NOTES]
        if len(several) > MOST_NOTES:
            yield f"{len(several) - MOST_NOTES:,} more notes like the last are left out."
    yield from _statistics(comparison)


def _tuned(comparison: Comparison) -> Iterator[str]:
    """What was tuned for whom; what the search came to."""
    experiment, trials = comparison.experiment, comparison.trials
    count = sum(trials.values())
    ended = ", ".join(f"{number} {state}" for state, number in sorted(trials.items()))
    own = [arm for arm in comparison.arms if not arm.joined]
    finalists = [arm.name for arm in own if arm.kind == "finalist"]
    if count:
        names = ", ".join(short_names(experiment.parameters).values()) or "its parameters"
        best = "one is the finalist" if len(finalists) == 1 else f"{len(finalists)} are the finalists"
        chosen = f"; its best {best}" if finalists else ""
        direction = "lowest" if experiment.mode == "min" else "highest"
        yield (
            f"Tuned for the finalists: a search of {count} trial{'' if count == 1 else 's'} ({ended}) over {names} "
            f"for the {direction} {experiment.objective} on dev{chosen}. Its own runs are not in the table."
        )
    baselines = [arm.name for arm in own if arm.kind in ("baseline", "control")]
    plain = [name for name in baselines if not experiment.tuned.get(name)]
    if plain:
        yield f"Not tuned: {' and '.join(plain)} ran with the study's base settings."
    least = experiment.tuned.get(comparison.baseline)
    if finalists and least is not None and least < count:
        yield (
            f"Beware: {comparison.baseline} had {least} trials of tuning and the finalists {count}; part of a "
            f"difference may be that (baselines: {{{comparison.baseline}: {{trials: n, parameters: [...]}}}} tunes it)."
        )
    yield from comparison.chosen_by
    for name in baselines:
        if experiment.tuned.get(name):
            yield f"Tuned for {name}: a search of its own, {experiment.tuned[name]} trials."


def _control(comparison: Comparison) -> Iterator[str]:
    """What the A/A control is for."""
    name = comparison.baseline
    if name == BASELINE and comparison.reference is not None and any(arm.name == CONTROL for arm in comparison.arms):
        yield f"{CONTROL} obeys the law of {name} in other orders: its distance from {name} shows the noise."


def _seeds(comparison: Comparison) -> Iterator[str]:
    """How many seeds speak, and whether they are enough."""
    counts = [len(arm.seeds) for arm in comparison.arms if arm.seeds]
    if not counts:
        return
    least, most = min(counts), max(counts)
    number = f"{least}" if least == most else f"{least} to {most}"
    noun = "seed" if most == 1 else "seeds"
    advice = "" if least >= ENOUGH_SEEDS else f" That is few: plan at least {ENOUGH_SEEDS}, 20 for a claim in print."
    shared = ", the same ones for every arm" if _share(comparison.arms) and most > 1 else ""
    chosen = "; nothing was chosen on test" if comparison.experiment.primary.startswith("test/") else ""
    yield f"{number} {noun} an arm{shared}{chosen}.{advice}"


def _diverged(arms: Sequence[Arm]) -> Iterator[str]:
    """Runs that diverged, which count against their arms."""
    for arm in arms:
        for seeds, reason in _by_reason(arm, sorted(arm.diverged)):
            yield f"Diverged: {arm.name}, {seeds}: {reason}."
    if any(made.diverged for arm in arms for made in arm.contrasts.values()):
        yield (
            f"{SURVIVORS} Over the seeds that both arms survived, without an interval, since others diverged. p is the "
            "larger of two: over these seeds, and of a signed-rank test in which diverged runs rank last. Where an arm "
            "that diverged is worse at these seeds, too, p is the first."
        )


def _constant(comparison: Comparison) -> Iterator[str]:
    """Differences that are the same at every seed, of which nothing was tested."""
    where = [
        f"{arm.name} in {column(endpoint).heading}"
        for endpoint in comparison.endpoints
        for arm in comparison.arms
        if endpoint in arm.contrasts and arm.contrasts[endpoint].difference.is_untested
    ]
    if where:
        yield (
            f"Beware: {names_text(where)}: the difference to {comparison.baseline} is the same at every seed, as of "
            "one run that was scored again. How far seeds scatter is not known, and nothing was tested: p is 1."
        )


def _unpaired(comparison: Comparison) -> Iterator[str]:
    """Whose values at the primary endpoint are missing, or at other seeds than the baseline's."""
    primary, reference = comparison.endpoints[0], comparison.reference
    what = column(primary).heading
    theirs = reference.values.get(primary, {}) if reference is not None else {}
    if primary == "babylm/macro" and not any(primary in arm.values for arm in comparison.arms):
        return  # `averaged` says why there is none
    for arm in comparison.arms:
        ours = arm.values.get(primary, {})
        lacking = [str(seed) for seed in arm.seeds if seed not in ours]
        if lacking and not ours and (arm.joined or arm.kind == "elsewhere"):
            yield f"Not compared: {arm.name} was not measured in {what}."
        elif lacking:
            yield f"Missing: {arm.name}, seed {', '.join(lacking)}, ended without a finite {what}."
        shared = len(ours.keys() & theirs.keys())
        if arm is reference or not (ours and theirs) or shared == len(ours):
            continue
        if shared:
            yield (
                f"Beware: {arm.name} shares {shared} of its {len(ours)} seeds with {comparison.baseline}; the others "
                "count for no difference."
            )
        else:
            yield f"Not compared: {arm.name} shares no seed with {comparison.baseline} in {what}."


def _reach(comparison: Comparison) -> Iterator[str]:
    """What the seeds could have told at the primary endpoint, where they told nothing."""
    primary = comparison.endpoints[0]
    tested = [arm for arm in comparison.arms if primary in arm.contrasts and arm.contrasts[primary].p_holm is not None]
    compared = [arm for arm in tested if arm in comparison.compared]
    if any(is_claim(arm, primary) for arm in compared):
        return
    found = [
        detectable_difference(arm.contrasts[primary].difference, LEVEL / len(tested))
        for arm in compared
        if not arm.contrasts[primary].diverged
    ]
    reach = sorted(least for least in found if least is not None)
    if not reach:
        return
    written = list(dict.fromkeys(column(primary).write(least) for least in (reach[0], reach[-1])))
    counts = sorted({arm.contrasts[primary].difference.count for arm in compared})
    seeds = f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    amount = f"{' to '.join(written)} {column(primary).unit}".strip()
    yield (
        f"Within reach of {seeds}: a true difference in {column(primary).heading} of {amount} would be told in "
        f"{POWER:.0%} of such tables; a smaller one is missed more often."
    )


def _share(arms: Sequence[Arm]) -> bool:
    """Whether every arm that has completed runs has completed the same seeds."""
    return len({frozenset(arm.seeds) for arm in arms if arm.seeds}) == 1


def _ties(comparison: Comparison) -> Iterator[str]:
    """Scores that may be a constant's: a tie counts as right, as in BabyLM's pipeline."""
    told = []
    for arm in comparison.arms:
        shares = {
            key.removeprefix("ties/"): value.mean / 100
            for key, value in arm.estimates.items()
            if key.startswith("ties/")
        }
        shares |= {"pairs": arm.estimates[TIES].mean} if TIES in arm.estimates else {}
        told += [f"{arm.name} in {share:.0%} of {task}" for task, share in shares.items() if share > MANY_TIES]
    if told:
        yield f"Beware: equal scores count as right, and a constant is right everywhere; ties: {names_text(told)}."


def _elsewhere(comparison: Comparison) -> Iterator[str]:
    """Rows that this study did not train."""
    for kind, told in ELSEWHERE.items():
        names = [arm.name for arm in comparison.arms if arm.kind == kind]
        if names:
            yield f"{names_text(names)}: {told}"


def _joined(comparison: Comparison) -> Iterator[str]:
    """Arms of other experiments."""
    names = [arm.name for arm in comparison.arms if arm.joined]
    if names:
        yield (
            f"Of another experiment: {names_text(names)}; what its search tuned, and on which corpus, is in its own "
            "table. Seeds of one number are paired."
        )


def _missing(arms: Sequence[Arm]) -> Iterator[str]:
    """Runs that the table lacks."""
    for arm in arms:
        lost = [seed for seed in arm.failures if seed not in arm.diverged]
        for seeds, reason in _by_reason(arm, lost):
            yield f"Missing: {arm.name}, {seeds}, failed: {reason}."
        if arm.unfinished:
            seeds = ", ".join(str(seed) for seed in arm.unfinished)
            yield f"Not finished: {arm.name}, seed {seeds}."


def _by_reason(arm: Arm, seeds: Sequence[int]) -> Iterator[tuple[str, str]]:
    """(`seed 3, 7`, the first line of why they failed), for each reason."""
    told: dict[str, list[str]] = {}
    for seed in seeds:
        lines = arm.failures.get(seed, "").strip().splitlines() or ["no reason given"]
        told.setdefault(lines[0].rstrip("."), []).append(str(seed))
    yield from ((f"seed {', '.join(numbers)}", reason) for reason, numbers in told.items())


def _statistics(comparison: Comparison) -> Iterator[str]:
    """How intervals and p were made, where there are any."""
    tested = {
        key: [
            arm.contrasts[key]
            for arm in comparison.arms
            if key in arm.contrasts and arm.contrasts[key].p_holm is not None
        ]
        for key in comparison.endpoints
    }
    if not any(tested.values()):
        return
    primary, *others = comparison.endpoints
    families = [f"{len(tested[primary])} at {column(primary).heading}"] if tested[primary] else []
    number = sum(len(tested[key]) for key in others)
    families += [f"{number} at all other endpoints"] if number else []
    yield (
        f"[low, high]: 95% Student t over seeds, cut to what a measure can be; differences to {comparison.baseline}: "
        f"paired over shared seeds, p after Holm over a family of tests ({' and '.join(families)})."
    )
    crossed = {key: made[0] for key, made in tested.items() if made and made[0].items is not None}
    if crossed:
        told = "; ".join(
            f"{column(key).heading}: {made.items:,} items in {made.groups}" for key, made in crossed.items()
        )
        yield (
            "Differences count seeds and items both as drawn from more (two-way, items within their groups; "
            f"{told}): they hold for new seeds and new items of these groups."
        )
