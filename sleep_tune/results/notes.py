"""Notes below a comparison: what was matched, tuned and repeated, warnings, and what is missing."""

from collections.abc import Iterator, Mapping, Sequence

from sleep_tune.babylm.protocols import FIRST_OPTION, PROTOCOLS
from sleep_tune.errors import listed
from sleep_tune.metric_names import split_variant
from sleep_tune.results.arms import BASELINE, CONTROL, Arm, Comparison
from sleep_tune.results.columns import MOST_NAMED, column, is_macro, short_names, years_of
from sleep_tune.results.comparable_losses import loss_notes
from sleep_tune.results.look_text import level_text, look_notes
from sleep_tune.results.matched_resource import resource_notes
from sleep_tune.results.run_facts import fact_notes, model_notes
from sleep_tune.results.sequential_contrasts import level_of_look
from sleep_tune.results.sheet import SURVIVORS
from sleep_tune.results.verdict import is_claim, is_control
from sleep_tune.statistics.fixed_sample import POWER, detectable_difference, paired_difference

__all__ = ["ENOUGH_SEEDS", "is_power_note", "is_warning", "write_notes"]

ENOUGH_SEEDS = 5
"""With fewer seeds a t interval is so wide (2.8 standard errors at 5, 4.3 at 3, 12.7 at 2) that only large effects are
significant."""

ELSEWHERE = {
    "elsewhere": "trained elsewhere; it is unknown whether budget, warm-up, masking and seeds match.",
    "published": "published figures, for orientation only: they share no seeds, and no difference is tested.",
}
"""Kind of an arm -> the note on arms of that kind."""

MOST_NOTES = 20
"""Notes of one kind that are written, such as one for each arm; the others are only counted."""

TIES = "test/pairs_ties"

FLIPPED_SEEDS = 6
"""With fewer seeds the test by sign flips can never be significant."""

MANY_TIES = 0.05
"""A share of items with equally scored options above this is worth a warning."""

POWER_NOTE = "Statistical power"
WARNINGS = ("Warning", "Not matched", "Not comparable", "Missing", "Diverged")
"""How such notes begin."""


def is_warning(note: str) -> bool:
    """Return whether a note warns of something that may explain a difference or is missing from the table."""
    return note.startswith(WARNINGS)


def is_power_note(note: str) -> bool:
    """Return whether a note says which difference could have been detected."""
    return note.startswith(POWER_NOTE)


def write_notes(comparison: Comparison) -> Iterator[str]:
    """Yield the notes, the most important first."""
    for notes in (
        resource_notes(comparison),
        loss_notes(comparison),
        model_notes([run for arm in comparison.arms if not arm.joined for run in arm.facts]),
        _tuned(comparison),
        _control(comparison),
        _matched(comparison.arms),
        _seeds(comparison),
        look_notes(comparison),
        _diverged(comparison.arms),
        _constant(comparison),
        _skewed(comparison),
        _protocol(comparison),
        comparison.averaged,
        _unpaired(comparison),
        _reach(comparison),
        _ties(comparison),
        fact_notes({arm.name: arm.facts for arm in comparison.arms}, comparison.baseline, _settings(comparison)),
        _elsewhere(comparison),
        _joined(comparison),
        _missing(comparison.arms),
    ):
        several = tuple(notes)
        yield from several[:MOST_NOTES]
        if len(several) > MOST_NOTES:
            yield f"{len(several) - MOST_NOTES:,} more notes of this kind are not shown."
    yield from _statistics(comparison)


def _tuned(comparison: Comparison) -> Iterator[str]:
    """Say which arms were tuned, by which search."""
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
            f"Tuned: the finalists, by a search of {count} trial{'' if count == 1 else 's'} ({ended}) over {names} for "
            f"the {direction} {experiment.objective} on dev{chosen}. The runs of the search are not in this table."
        )
    stated = [arm.name for arm in own if arm.name in experiment.arms]
    removed = [arm.name for arm in own if arm.name not in stated and (arm.kind == "arm" or arm.parent is not None)]
    controls = [arm.name for arm in own if arm.kind in ("baseline", "control") or arm.name == BASELINE]
    baselines = [name for name in controls if name not in (*stated, *removed)]
    plain = [name for name in baselines if not experiment.tuned.get(name) and name not in experiment.like]
    if plain:
        yield f"Not tuned: {' and '.join(plain)}, with the base settings of the study."
    if stated:
        yield f"Arms with settings that the study states (arms), not tuned here: {listed(stated, MOST_NAMED)}."
    if removed:
        yield f"Arms that the study does not state any more, and has trained: {listed(removed, MOST_NAMED)}."
    least = experiment.tuned.get(comparison.baseline)
    if finalists and least is not None and least < count:
        yield (
            f"Warning: {comparison.baseline} was tuned with {least} trials and the finalists with {count}, which may "
            f"explain part of a difference. To tune {comparison.baseline}, set baselines: {{{comparison.baseline}: "
            "{trials: n, parameters: [...]}}."
        )
    yield from comparison.chosen_by
    for name in baselines:
        if experiment.tuned.get(name):
            yield f"Tuned: {name}, by a search of its own with {experiment.tuned[name]} trials."
        elif name in experiment.like:
            yield f"Tuned: {name}, which has the settings that were found for {experiment.like[name]}."


def _control(comparison: Comparison) -> Iterator[str]:
    """Explain the A/A control, or warn that it is none because one of the two arms was tuned."""
    name, reference = comparison.baseline, comparison.reference
    control = next((arm for arm in comparison.arms if arm.name == CONTROL), None)
    if name != BASELINE or reference is None or control is None:
        return
    if is_control(control, reference):
        yield f"{CONTROL} is an A/A control: it differs from {name} only in data order, so any difference is noise."
    else:
        yield f"Warning: {CONTROL} is no A/A control here, because {name} has other settings: not only noise differs."


def _matched(arms: Sequence[Arm]) -> Iterator[str]:
    """Explain matched controls."""
    pairs = [f"{arm.name} (of {arm.parent})" for arm in arms if arm.parent is not None and not arm.joined]
    if pairs:
        yield (
            f"Matched controls: {listed(pairs, MOST_NAMED)}. Each reads every sample as often as the arm that it is "
            "matched to, all in one random order without sleep. They explain differences, and none is tested here."
        )


def _seeds(comparison: Comparison) -> Iterator[str]:
    """Say how many seeds each arm has, and whether they are enough."""
    counts = [len(arm.seeds) for arm in comparison.arms if arm.seeds]
    if not counts:
        return
    least, most = min(counts), max(counts)
    number = f"{least}" if least == most else f"{least} to {most}"
    noun = "seed" if most == 1 else "seeds"
    shared = ", the same for every arm" if _share(comparison.arms) and most > 1 else ""
    on_test = split_variant(comparison.experiment.primary)[1].startswith("test/")
    chosen = "; nothing was selected on test" if on_test else ""
    yield f"{number} {noun} per arm{shared}{chosen}."
    if least < ENOUGH_SEEDS:
        only = f"only {least} seed{'' if least == 1 else 's'} in an arm"
        yield f"Warning: {only}; plan at least {ENOUGH_SEEDS}, and 20 for a published claim."


def _diverged(arms: Sequence[Arm]) -> Iterator[str]:
    """Name the runs that diverged, and explain how they count."""
    for arm in arms:
        for seeds, reason in _by_reason(arm, sorted(arm.diverged)):
            yield f"Diverged: {arm.name}, {seeds}: {reason}."
    if any(made.diverged for arm in arms for made in arm.contrasts.values()):
        yield (
            f"{SURVIVORS} Mean over the seeds at which neither arm diverged, without an interval. p is the larger of "
            "two p-values: that of the test over these seeds alone, and that of a signed-rank test in which diverged "
            "runs rank worst. If an arm that diverged is also worse at these seeds, p is the first of the two."
        )


def _constant(comparison: Comparison) -> Iterator[str]:
    """Warn of differences that are the same at every seed and are therefore not tested."""
    where = [
        f"{arm.name} in {comparison.column(endpoint).heading}"
        for endpoint in comparison.endpoints
        for arm in comparison.arms
        if endpoint in arm.contrasts and arm.contrasts[endpoint].difference.is_untested
    ]
    if where:
        yield (
            f"Warning: {listed(where, MOST_NAMED)}: the difference to {comparison.baseline} is the same at every seed, "
            "as if one run had been scored several times. The variation between seeds is unknown, so the difference is "
            "not tested: p is 1."
        )


def _skewed(comparison: Comparison) -> Iterator[str]:
    """Warn of differences at the primary endpoint of which Student's t and sign flips do not say the same."""
    primary, reference = comparison.endpoints[0], comparison.reference
    where = []
    for arm in comparison.arms:
        made = arm.contrasts.get(primary)
        if reference is None or made is None or made.p_flip is None or made.difference.count < FLIPPED_SEEDS:
            continue
        shared = sorted(arm.values[primary].keys() & reference.values[primary].keys())
        ours, theirs = ([one.values[primary][seed] for seed in shared] for one in (arm, reference))
        p = paired_difference(ours, theirs).p
        if p is not None and (p < made.level) is not (made.p_flip < made.level):
            where.append(f"{arm.name} (t: p = {p:.2g}; sign flips: p = {made.p_flip:.2g})")
    if where:
        yield (
            f"Warning: the differences of {listed(where, MOST_NAMED)} may be skewed, because two tests of them "
            f"disagree before correction. Student's t, on which p and intervals rest, makes more false claims if "
            "differences are skewed; sign flips do not assume a normal distribution."
        )


def _unpaired(comparison: Comparison) -> Iterator[str]:
    """Name arms without a value at the primary endpoint, or with other seeds than the baseline."""
    primary, reference = comparison.endpoints[0], comparison.reference
    what = comparison.column(primary).heading
    theirs = reference.values.get(primary, {}) if reference is not None else {}
    if is_macro(split_variant(primary)[1]) and not any(primary in arm.values for arm in comparison.arms):
        return  # a note of `averaged` says why
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
                f"Warning: {arm.name} shares only {shared} of its {len(ours)} seeds with {comparison.baseline}; the "
                "others are not used for differences."
            )
        else:
            yield f"Not compared: {arm.name} shares no seed with {comparison.baseline} in {what}."


def _reach(comparison: Comparison) -> Iterator[str]:
    """Say which true difference could have been detected at the primary endpoint, where none is significant."""
    primary = comparison.endpoints[0]
    tested = [arm for arm in comparison.arms if primary in arm.contrasts and arm.contrasts[primary].p_holm is not None]
    compared = [arm for arm in tested if arm in comparison.compared]
    if any(is_claim(arm, primary) for arm in compared):
        return
    found = [
        detectable_difference(made.difference, level)
        for made in (arm.contrasts[primary] for arm in compared)
        if not made.diverged and (level := level_of_look(made, comparison.plan, len(tested))) is not None
    ]
    reach = sorted(least for least in found if least is not None)
    if not reach:
        return
    written = list(dict.fromkeys(column(primary).write(least) for least in (reach[0], reach[-1])))
    counts = sorted({arm.contrasts[primary].difference.count for arm in compared})
    seeds = f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    amount = f"{' to '.join(written)} {column(primary).unit}".strip()
    yield (
        f"{POWER_NOTE}: with {seeds} there is {POWER:.0%} power to detect a true difference in "
        f"{comparison.column(primary).heading} of {amount}, and less power to detect a smaller one."
    )


def _protocol(comparison: Comparison) -> Iterator[str]:
    """Say by which year's protocol BabyLM's tasks are scored; a note of `averaged` does where there are several."""
    years = years_of(comparison.metrics)
    if len(years) == 1:
        yield f"BabyLM's scores are by the protocol of {years[0]}."


def _share(arms: Sequence[Arm]) -> bool:
    """Return whether every arm that has completed runs has completed the same seeds."""
    return len({frozenset(arm.seeds) for arm in arms if arm.seeds}) == 1


def _ties(comparison: Comparison) -> Iterator[str]:
    """Warn of models that score many options equally, and say how such ties count by the protocol of each."""
    correct, shared = list[str](), list[str]()
    for arm in comparison.arms:
        shares = {
            key.removeprefix("ties/"): value.mean / 100
            for key, value in arm.estimates.items()
            if key.startswith("ties/")
        }
        rules = {PROTOCOLS[run.year].ties for run in arm.facts if run.year in PROTOCOLS}
        tied = [f"{arm.name} in {share:.0%} of {task}" for task, share in shares.items() if share > MANY_TIES]
        (correct if rules <= {FIRST_OPTION} else shared).extend(tied)
        pairs = arm.estimates[TIES].mean if TIES in arm.estimates else 0.0
        correct += [f"{arm.name} in {pairs:.0%} of pairs"] if pairs > MANY_TIES else []
    if correct:
        yield (
            "Warning: options with equal scores count as correct, so a model that gives all options the same score is "
            f"always correct. Equal scores: {listed(correct, MOST_NAMED)}."
        )
    if shared:
        yield (
            "Warning: where k options share the best score and the right one is among them, the item counts as 1/k, "
            f"so many equal scores bring a model close to chance. Equal scores: {listed(shared, MOST_NAMED)}."
        )


def _settings(comparison: Comparison) -> dict[str, Mapping[str, object]]:
    """Return the settings that a search chose for each arm, by dotted key."""
    return {arm.name: arm.parameters for arm in comparison.arms}


def _elsewhere(comparison: Comparison) -> Iterator[str]:
    """Name arms that this study did not train."""
    for kind, text in ELSEWHERE.items():
        names = [arm.name for arm in comparison.arms if arm.kind == kind]
        if names:
            yield f"{listed(names, MOST_NAMED)}: {text}"


def _joined(comparison: Comparison) -> Iterator[str]:
    """Name arms of other experiments."""
    names = [arm.name for arm in comparison.arms if arm.joined]
    if names:
        yield (
            f"From another experiment: {listed(names, MOST_NAMED)}; its own table says what was tuned, and on which "
            "corpus. Runs with the same seed number are paired."
        )


def _missing(arms: Sequence[Arm]) -> Iterator[str]:
    """Name runs that failed or have not finished."""
    for arm in arms:
        lost = [seed for seed in arm.failures if seed not in arm.diverged]
        for seeds, reason in _by_reason(arm, lost):
            yield f"Missing: {arm.name}, {seeds}, failed: {reason}."
        if arm.unfinished:
            seeds = ", ".join(str(seed) for seed in arm.unfinished)
            yield f"Not finished: {arm.name}, seed {seeds}."


def _by_reason(arm: Arm, seeds: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield (`seed 3, 7`, first line of the reason) for each reason of a failure."""
    by_reason: dict[str, list[str]] = {}
    for seed in seeds:
        lines = arm.failures.get(seed, "").strip().splitlines() or ["no reason given"]
        by_reason.setdefault(lines[0].rstrip("."), []).append(str(seed))
    yield from ((f"seed {', '.join(numbers)}", reason) for reason, numbers in by_reason.items())


def _statistics(comparison: Comparison) -> Iterator[str]:
    """Explain intervals and p-values, where there are any."""
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
    families = [f"{len(tested[primary])} at {comparison.column(primary).heading}"] if tested[primary] else []
    number = sum(len(tested[key]) for key in others)
    families += [f"{number} at all other endpoints"] if number else []
    yield (
        "[low, high]: 95% confidence interval (Student's t over seeds), limited to the range of the measure. "
        f"Differences to {comparison.baseline} are paired over shared seeds; p is Holm-corrected over a family of "
        f"tests ({' and '.join(families)}).{level_text(comparison)}"
    )
    crossed = {key: made[0] for key, made in tested.items() if made and made[0].items is not None}
    if crossed:
        counts = "; ".join(
            f"{comparison.column(key).heading}: {made.items:,} items in {made.groups} group{'s'[: made.groups != 1]}"
            for key, made in crossed.items()
        )
        yield (
            f"Differences treat both seeds and test items as random samples ({counts}), so that they hold for new "
            "seeds and for new items of these groups. The p-value is never smaller than that of a test on seeds alone."
        )
