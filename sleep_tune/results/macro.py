"""The macro averages over the scores that all arms and seeds share, and notes on scores that some lack.

Each protocol has an average of its own.

Averages over different tasks are different measures: two equal models differ as soon as one was scored on one more
task. The average is therefore computed here, from the scores of the table, and never taken from a run or a report.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sleep_tune.babylm.averages import macro_average
from sleep_tune.babylm.protocols import PROTOCOLS, Protocol, split_score
from sleep_tune.babylm.score_names import ACCURACY, UNSPECIFIED, counted_scores, task_of
from sleep_tune.metric_names import of_variant, split_variant
from sleep_tune.results.arms import Arm
from sleep_tune.results.columns import column, estimate_metric, has_several_years, is_macro, years_of

__all__ = ["FEWEST", "average_shared_scores", "score_notes"]

FEWEST = 2
"""Fewest scores that are averaged; the average of one is that score again."""


def average_shared_scores(arms: Sequence[Arm], primary: str) -> tuple[tuple[Arm, ...], tuple[str, ...]]:
    """Return the arms with their macro averages over the scores that all of them share, and notes on these.

    The scores of a protocol, and of a variant, have an average of their own, which ignores arms and seeds without any
    of them. Published rows keep their published average.

    Args:
        arms: of one table, without contrasts yet.
        primary: the primary endpoint. Where it is the macro average and only one task was measured, that one is enough.

    Returns:
        The arms, and notes. Where they share fewer than `FEWEST` scores, no arm has an average.
    """
    variants = dict.fromkeys(split_variant(key)[0] for arm in arms for key in arm.values)
    with_year = _has_years(arms)
    made, notes = tuple(arms), list[str]()
    for variant in sorted({"", *variants}):
        for protocol in PROTOCOLS.values():
            made, said = _average_scores(made, primary, protocol, variant, with_year=with_year)
            notes += said
    return made, tuple(notes)


def _has_years(arms: Iterable[Arm]) -> bool:
    return has_several_years(key for arm in arms for key in arm.estimates)


def _average_scores(
    arms: Sequence[Arm], primary: str, protocol: Protocol, variant: str, *, with_year: bool
) -> tuple[tuple[Arm, ...], list[str]]:
    """Return the arms with the average over a protocol's scores of one variant, '' for the plain ones, and notes."""
    scored = {arm.name: _by_seed(arm, protocol, variant) for arm in arms if arm.kind != "published"}
    every = [frozenset(scores) for by_seed in scored.values() for scores in by_seed.values()]
    common = frozenset.intersection(*every) if every else frozenset()
    names = list(counted_scores(key.removeprefix(protocol.prefix) for key in common).values())
    keys = [f"{protocol.prefix}{name}" for name in names]
    different = [key for key in dict.fromkeys(key for scores in every for key in sorted(scores)) if key not in common]
    macro = of_variant(variant, protocol.macro)
    if len(keys) < FEWEST and (different or primary != macro):
        keys = []
    made = tuple(arm if arm.kind == "published" else _averaged(arm, scored[arm.name], keys, macro) for arm in arms)

    def heading(key: str) -> str:
        return column(of_variant(variant, key), with_year=with_year).heading

    notes = list(_macro_notes(heading(protocol.macro), heading, scored, keys, different, common))
    published = [arm.name for arm in made if arm.kind == "published" and protocol.macro in arm.estimates]
    if published and not variant:
        average = heading(protocol.macro)
        notes.append(f"{_capital(average)} of {', '.join(published)}: as published; its tasks are unknown.")
    return made, notes


def _by_seed(arm: Arm, protocol: Protocol, variant: str) -> dict[int, dict[str, float]]:
    """Return seed -> a protocol's scores of a variant that an average may include, by their plain names."""
    found: dict[int, dict[str, float]] = {}
    for key, values in arm.values.items():
        which, plain = split_variant(key)
        score = split_score(plain)
        if which == variant and score is not None and score[0] is protocol and counted_scores([score[1]]):
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
    macro: str,
    heading: Callable[[str], str],
    scored: Mapping[str, Mapping[int, Mapping[str, float]]],
    keys: Sequence[str],
    different: Sequence[str],
    common: Collection[str],
) -> Iterator[str]:
    """Say which scores an average includes, and which arms lack the others."""
    over = ", ".join(map(heading, keys))
    lacking = ", ".join(f"{heading(key)} (not in {_lacking(key, scored)})" for key in different)
    if different and keys:
        yield (
            f"Warning: not every arm and seed was scored on the same tasks. The {macro} includes the {len(keys)} "
            f"scores that all of them have ({over}), and excludes {lacking}."
        )
    elif different:
        share = ", ".join(map(heading, sorted(common))) or "none"
        yield (
            f"Warning: not every arm and seed was scored on the same tasks, so no {macro} is shown or compared. "
            f"Shared scores: {share}; others: {lacking}. Score the missing tasks, or leave an arm out."
        )
    elif len(keys) >= FEWEST:
        yield f"{_capital(macro)}: over the {len(keys)} scores that every arm and seed has ({over})."


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


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
    with_year = _has_years(arms)
    for arm in arms:
        for key, seeds in arm.missing.items():
            said = is_macro(key) or (arm.kind != "elsewhere" and (key == primary or key not in measured))
            if said or not seeds:
                continue
            which = f", seed {', '.join(map(str, sorted(seeds)))}," if len(arm.seeds) > 1 else ""
            where = "; ".join(dict.fromkeys(place for place in seeds.values() if place))
            what = column(key, with_year=with_year).heading
            yield f"Missing: {arm.name}{which} has no finite {what}{f' ({where})' if where else ''}."
    yield from _years(arms)
    yield from _measures(arms, with_year=with_year)


def _years(arms: Sequence[Arm]) -> Iterator[str]:
    """Say which arms were scored by which protocol, where there are several."""
    scored: dict[str, list[Arm]] = {}
    for arm in arms:
        for year in years_of(arm.estimates):
            scored.setdefault(year, []).append(arm)
    if len(scored) > 1:
        each = "; ".join(f"{year} {', '.join(_names(scored[year]))}" for year in sorted(scored))
        yield (
            f"BabyLM's scores are by the protocols of several years ({each}). Each year's have columns and an average "
            "of their own and are never compared with another year's, because rules and items differ."
        )


def _measures(arms: Sequence[Arm], *, with_year: bool) -> Iterator[str]:
    """Warn of tasks that some arms have as a rank correlation and others as an accuracy."""
    keys = {key: found for arm in arms for key in arm.estimates if (found := split_score(key)) is not None}
    tasks = Counter((found[0].year, task_of(found[1])) for key, found in keys.items() if not key.endswith(UNSPECIFIED))
    for key, (protocol, score) in keys.items():
        if not key.endswith((ACCURACY, UNSPECIFIED)):
            continue
        names = ", ".join(_names(arm for arm in arms if key in arm.estimates))
        what, rho = (
            column(name, with_year=with_year).heading
            for name in (key, key.removesuffix(ACCURACY).removesuffix(UNSPECIFIED))
        )
        if key.endswith(UNSPECIFIED):
            yield f"{what}: published as {rho}, without saying which of its two measures ({names})."
        elif tasks[protocol.year, task_of(score)] > 1:
            yield (
                f"Warning: {what} ({names}) is the share of correct answers, which the pipeline "
                f"reported until July 2025; {rho} is Spearman's rho x 100. Different measures are not compared."
            )


def _names(arms: Iterable[Arm]) -> list[str]:
    """Return the names of the arms; 'published rows' stands for all of these, which may be many."""
    return list(dict.fromkeys("published rows" if arm.kind == "published" else arm.name for arm in arms))
