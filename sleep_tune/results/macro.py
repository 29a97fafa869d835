"""The macro average over the scores that all arms and seeds share, and notes on scores that some lack.

Averages over different tasks are different measures: two equal models differ as soon as one was scored on one more
task. The average is therefore computed here, from the scores of the table, and never taken from a run or a report.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sleep_tune.babylm.averages import macro_average
from sleep_tune.babylm.score_names import ACCURACY, BABYLM, MACRO_METRIC, UNSPECIFIED, counted_scores, task_of
from sleep_tune.metric_names import of_variant, split_variant
from sleep_tune.results.arms import Arm
from sleep_tune.results.columns import column, estimate_metric

__all__ = ["FEWEST", "average_shared_scores", "score_notes"]

FEWEST = 2
"""Fewest scores that are averaged; the average of one is that score again."""


def average_shared_scores(arms: Sequence[Arm], primary: str) -> tuple[tuple[Arm, ...], tuple[str, ...]]:
    """Return the arms with their macro average over the scores that all of them share, and notes on it.

    The scores of a variant have an average of their own. Arms and seeds without any score are ignored. Published rows
    keep their published average.

    Args:
        arms: of one table, without contrasts yet.
        primary: the primary endpoint. Where it is the macro average and only one task was measured, that one is enough.

    Returns:
        The arms, and notes. Where they share fewer than `FEWEST` scores, no arm has an average.
    """
    variants = dict.fromkeys(split_variant(key)[0] for arm in arms for key in arm.values)
    made, notes = tuple(arms), list[str]()
    for variant in sorted({"", *variants}):
        made, said = _average_variant(made, primary, variant)
        notes += said
    return made, tuple(notes)


def _average_variant(arms: Sequence[Arm], primary: str, variant: str) -> tuple[tuple[Arm, ...], list[str]]:
    """Return the arms with the average over one variant of the scores, '' for the plain ones, and notes on it."""
    scored = {arm.name: _by_seed(arm, variant) for arm in arms if arm.kind != "published"}
    every = [frozenset(scores) for by_seed in scored.values() for scores in by_seed.values()]
    common = frozenset.intersection(*every) if every else frozenset()
    names = list(counted_scores(key.removeprefix(BABYLM) for key in common).values())
    keys = [f"{BABYLM}{name}" for name in names]
    different = [key for key in dict.fromkeys(key for scores in every for key in sorted(scores)) if key not in common]
    macro = of_variant(variant, MACRO_METRIC)
    if len(keys) < FEWEST and (different or primary != macro):
        keys = []
    made = tuple(arm if arm.kind == "published" else _averaged(arm, scored[arm.name], keys, macro) for arm in arms)
    return made, list(_macro_notes(made, scored, keys, different, common, variant))


def _by_seed(arm: Arm, variant: str) -> dict[int, dict[str, float]]:
    """Return seed -> the scores of a variant that an average may include, by their plain names."""
    found: dict[int, dict[str, float]] = {}
    for key, values in arm.values.items():
        which, plain = split_variant(key)
        if which == variant and plain.startswith(BABYLM) and counted_scores([plain.removeprefix(BABYLM)]):
            for seed, value in values.items():
                found.setdefault(seed, {})[plain] = value
    return found


def _averaged(arm: Arm, by_seed: Mapping[int, Mapping[str, float]], keys: Sequence[str], macro: str) -> Arm:
    """Return the arm with the average over `keys` as `macro`, or without an average where there are no keys."""
    values = {key: value for key, value in arm.values.items() if key != macro}
    estimates = {key: value for key, value in arm.estimates.items() if key != macro}
    if keys and by_seed:
        values[macro] = {seed: macro_average({key: scores[key] for key in keys}) for seed, scores in by_seed.items()}
        estimates[macro] = estimate_metric(macro, values[macro].values())
    return replace(arm, values=values, estimates=estimates)


def _macro_notes(
    arms: Sequence[Arm],
    scored: Mapping[str, Mapping[int, Mapping[str, float]]],
    keys: Sequence[str],
    different: Sequence[str],
    common: Collection[str],
    variant: str,
) -> Iterator[str]:
    """Say which scores the average of a variant includes, and which arms lack the others."""
    macro = column(of_variant(variant, MACRO_METRIC)).heading
    over = ", ".join(_heading(key, variant) for key in keys)
    lacking = ", ".join(f"{_heading(key, variant)} (not in {_lacking(key, scored)})" for key in different)
    if different and keys:
        yield (
            f"Warning: not every arm and seed was scored on the same tasks. The {macro} includes the {len(keys)} "
            f"scores that all of them have ({over}), and excludes {lacking}."
        )
    elif different:
        share = ", ".join(_heading(key, variant) for key in sorted(common)) or "none"
        yield (
            f"Warning: not every arm and seed was scored on the same tasks, so no {macro} is shown or compared. "
            f"Shared scores: {share}; others: {lacking}. Score the missing tasks, or leave an arm out."
        )
    elif len(keys) >= FEWEST:
        yield f"{macro[0].upper()}{macro[1:]}: over the {len(keys)} scores that every arm and seed has ({over})."
    published = [arm.name for arm in arms if arm.kind == "published" and MACRO_METRIC in arm.estimates]
    if published and not variant:
        yield f"Macro average of {', '.join(published)}: as published; its tasks are unknown."


def _heading(key: str, variant: str) -> str:
    return column(of_variant(variant, key)).heading


def _lacking(key: str, scored: Mapping[str, Mapping[int, Mapping[str, float]]]) -> str:
    """Return the arms and seeds without a score, such as `A; B, seed 3`."""
    parts = []
    for name, by_seed in scored.items():
        without = [seed for seed, scores in by_seed.items() if key not in scores]
        seeds = "" if len(without) == len(by_seed) else f", seed {', '.join(map(str, sorted(without)))}"
        parts += [f"{name}{seeds}"] if without else []
    return "; ".join(parts)


def score_notes(arms: Sequence[Arm], primary: str) -> Iterator[str]:
    """Name scores that are not finite, and tasks that are in the table by two measures.

    Args:
        arms: of one table.
        primary: the primary endpoint; another note names its missing values in runs of an experiment.
    """
    measured = {key for arm in arms for key in arm.values}
    for arm in arms:
        for key, seeds in arm.missing.items():
            said = key == MACRO_METRIC or (arm.kind != "elsewhere" and (key == primary or key not in measured))
            if said or not seeds:
                continue
            which = f", seed {', '.join(map(str, sorted(seeds)))}," if len(arm.seeds) > 1 else ""
            where = "; ".join(dict.fromkeys(place for place in seeds.values() if place))
            yield f"Missing: {arm.name}{which} has no finite {column(key).heading}{f' ({where})' if where else ''}."
    yield from _measures(arms)


def _measures(arms: Sequence[Arm]) -> Iterator[str]:
    """Warn of tasks that some arms have as a rank correlation and others as an accuracy."""
    keys = dict.fromkeys(key for arm in arms for key in arm.estimates if key.startswith(BABYLM))
    tasks = Counter(task_of(key.removeprefix(BABYLM)) for key in keys if not key.endswith(UNSPECIFIED))
    for key in keys:
        if not key.endswith((ACCURACY, UNSPECIFIED)):
            continue
        names = ", ".join(_names(arm for arm in arms if key in arm.estimates))
        rho = column(key.removesuffix(ACCURACY).removesuffix(UNSPECIFIED)).heading
        if key.endswith(UNSPECIFIED):
            yield f"{column(key).heading}: published as {rho}, without saying which of its two measures ({names})."
        elif tasks[task_of(key.removeprefix(BABYLM))] > 1:
            yield (
                f"Warning: {column(key).heading} ({names}) is the share of correct answers, which the pipeline "
                f"reported until July 2025; {rho} is Spearman's rho x 100. Different measures are not compared."
            )


def _names(arms: Iterable[Arm]) -> list[str]:
    """Return the names of the arms; 'published rows' stands for all of these, which may be many."""
    return list(dict.fromkeys("published rows" if arm.kind == "published" else arm.name for arm in arms))
