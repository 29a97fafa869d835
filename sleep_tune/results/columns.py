"""Columns of a comparison: headings, units, number formats, which direction is better, and possible values.

Intervals are limited to the possible values of a measure, because no accuracy is 104%.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sleep_tune.babylm.challenge import FAST
from sleep_tune.babylm.protocols import NEWEST, PROTOCOLS, split_score
from sleep_tune.babylm.score_names import ACCURACY, MACRO, TITLES, score_title, task_of
from sleep_tune.metric_names import split_variant
from sleep_tune.statistics.fixed_sample import Difference, Estimate, estimate_mean

__all__ = [
    "COLUMNS",
    "MOST_NAMED",
    "PAIRS",
    "PERPLEXITIES",
    "Column",
    "column",
    "cut_difference",
    "estimate_metric",
    "has_several_years",
    "is_known",
    "is_macro",
    "is_score",
    "setting_text",
    "short_names",
    "sort_metrics",
    "value_range",
    "years_of",
]

MOST_NAMED = 12
"""Arms that a sentence names; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the comparison."""

    heading: str
    write: Callable[[float], str]
    """Formats a number."""
    better: str | None = None
    """'min', 'max', or None where neither is better."""
    unit: str = ""
    """Unit of the formatted number, for a sentence."""


MANY_DIGITS = 1e7
"""Perplexities from here on are written with an exponent."""

NATS, POINTS, COUNT, HOURS = "{:.3f}".format, "{:.2f}".format, "{:,.0f}".format, "{:.3g}".format
"""How numbers of these kinds are written."""


def _percent(number: float) -> str:
    return f"{100 * number:.1f}"


def _general(number: float) -> str:
    if abs(number) >= MANY_DIGITS:
        return _scientific(number)
    return f"{number:,.{2 if abs(number) < 100 else 1 if abs(number) < 1000 else 0}f}"


def _scientific(number: float) -> str:
    return f"{number:.2e}".replace("e+", "e")


COLUMNS: dict[str, Column] = {
    "test/nll": Column("test nll", NATS, "min", "nats per token"),
    "test/perplexity": Column("perplexity", _general, "min"),
    "test/pseudo_perplexity": Column("pseudo-perplexity", _general, "min"),
    "test/pairs_accuracy": Column("test pairs %", _percent, "max", "points"),
    "words_seen": Column("words seen", COUNT),
    "updates": Column("updates", COUNT),
    "flops": Column("FLOPs", _scientific, "min"),
    "gpu_hours": Column("GPU-hours", HOURS, "min"),
    "cpu_hours": Column("CPU-hours", HOURS, "min"),
}
"""Metric or cost -> its column, in the order of the table. Other metrics are only in the CSV."""

PERPLEXITIES = ("test/perplexity", "test/pseudo_perplexity")
"""Exponentials of the loss; their variants have no column."""

PAIRS = "test/pairs_accuracy"
"""Second endpoint, where it was measured: accuracy on the toy language's minimal pairs."""

SIGNED = (MACRO, "wug_", "aoa", "reading_")
"""Beginnings of the names of scores that may be below 0: correlations x 100, gains in explained variance, and averages
that include these. A wug score that ends in `_accuracy` is not one of them."""


def column(key: str, *, with_year: bool = False) -> Column:
    """Return the column of a metric or cost; metrics without an entry are shown under their own names.

    Args:
        key: name of the metric or cost.
        with_year: whether the heading of a score of BabyLM says the year of its protocol, see `has_several_years`.

    >>> column("ema/test/nll").heading, column("babylm2026/blimp_fast", with_year=True).heading
    ('test nll (ema)', 'BLiMP fast 2026')
    """
    variant, key = split_variant(key)
    if variant:
        plain = column(key, with_year=with_year)
        return replace(plain, heading=f"{plain.heading} ({variant.replace('/', ', ')})")
    found = split_score(key)
    if found is not None:
        protocol, score = found
        part = " fast" if score.endswith(FAST) else ""  # both may stand in one table
        year = f" {protocol.year}" if with_year else ""
        return Column(f"{score_title(score)}{part}{year}", POINTS, "max", "points")
    known = COLUMNS.get(key)
    return known if known is not None else Column(key.replace("/", " ", 1), NATS)


def sort_metrics(keys: Iterable[str]) -> list[str]:
    """Return the keys in the order of the columns: measures, BabyLM's scores, costs, then all others by name.

    Scores by the newest protocol come first, each protocol's together. A variant follows its plain metric.
    """
    given = sorted(set(keys), key=split_variant)
    columns = list(COLUMNS)
    scores = sorted((key for key in given if is_score(key)), key=lambda key: _task_order(split_variant(key)[1]))
    known = sorted((key for key in given if is_known(key)), key=lambda key: columns.index(split_variant(key)[1]))
    measures, costs = ([key for key in known if ("/" in key) is measured] for measured in (True, False))
    return [*measures, *scores, *costs, *sorted(set(given) - set(known) - set(scores))]


def is_score(key: str) -> bool:
    """Return whether a metric is a score of BabyLM or a variant of one; only the plain ones count as tasks."""
    return split_score(split_variant(key)[1]) is not None


def is_macro(key: str) -> bool:
    """Return whether a plain metric is the macro average of a protocol."""
    return key in {protocol.macro for protocol in PROTOCOLS.values()}


def has_several_years(keys: Iterable[str]) -> bool:
    """Return whether there are scores by several protocols among metrics; headings must then say which is whose.

    >>> has_several_years(["babylm/comps", "test/nll"]), has_several_years(["babylm/comps", "causal/babylm2026/comps"])
    (False, True)
    """
    return len(years_of(keys)) > 1


def years_of(keys: Iterable[str]) -> tuple[str, ...]:
    """Return the years by whose protocols there are scores among metrics, in the order in which they come.

    >>> years_of(["test/nll", "causal/babylm2026/comps", "babylm/comps", "babylm/macro"])
    ('2026', '2025')
    """
    found = (split_score(split_variant(key)[1]) for key in keys)
    return tuple(dict.fromkeys(score[0].year for score in found if score is not None))


def is_known(key: str) -> bool:
    """Return whether a metric, or the one that it is a variant of, has an entry in `COLUMNS`."""
    return split_variant(key)[1] in COLUMNS


def _task_order(key: str) -> tuple[int, int, str]:
    """Return a sort key: by year, the newest first, the macro average, tasks in their order, then unknown ones."""
    found = split_score(key)
    year, name = (NEWEST, key) if found is None else (found[0].year, found[1])
    tasks = list(TITLES)
    task = task_of(name)
    return -int(year), (-1 if name == MACRO else tasks.index(task) if task in tasks else len(tasks)), name


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Return dotted key -> its shortest ending that no other key shares.

    >>> short_names(["sleep.folds", "sleep.replay.ratio", "sleep.length.ratio"])
    {'sleep.folds': 'folds', 'sleep.replay.ratio': 'replay.ratio', 'sleep.length.ratio': 'length.ratio'}
    """
    parts = {key: key.split(".") for key in dict.fromkeys(keys)}
    names = {}
    for key, segments in parts.items():
        others = [other for other in parts.values() if other is not segments]
        length = 1
        while length < len(segments) and any(other[-length:] == segments[-length:] for other in others):
            length += 1
        names[key] = ".".join(segments[-length:])
    return names


def setting_text(value: object) -> str:
    """Return a setting as text, real numbers with four significant digits; files keep all digits.

    >>> setting_text(0.00031234567890123456), setting_text("keep")
    ('0.0003123', 'keep')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def value_range(key: str) -> tuple[float, float]:
    """Return the smallest and largest possible value of a metric or cost, in its own unit (shares are in [0, 1]).

    >>> value_range("test/pairs_accuracy"), value_range("babylm/blimp_fast"), value_range("babylm/wug_past_tense")
    ((0.0, 1.0), (0.0, 100.0), (-100.0, 100.0))
    """
    key = split_variant(key)[1]
    name = key.partition("/")[2]
    score = split_score(key)
    if score is not None or key.startswith("ties/"):
        is_signed = score is not None and score[1].startswith(SIGNED) and not key.endswith(ACCURACY)
        return (-100.0 if is_signed else 0.0), 100.0
    if name.startswith("pairs"):
        return 0.0, 1.0
    return (1.0 if name in ("perplexity", "pseudo_perplexity") else 0.0), math.inf


def estimate_metric(key: str, values: Iterable[float]) -> Estimate:
    """Return the mean of a metric's values, one per seed, with its interval limited to possible values of the metric.

    If the mean is out of range, the values are in another unit, and the interval stays as it is.
    """
    made = estimate_mean(list(values))
    low, high = value_range(key)
    if made.low is None or made.high is None or not low <= made.mean <= high:
        return made
    return replace(made, low=max(low, made.low), high=min(high, made.high))


def cut_difference(key: str, made: Difference) -> Difference:
    """Return the difference of two such values with its interval limited in the same way."""
    low, high = value_range(key)
    width = high - low
    if made.low is None or made.high is None or abs(made.mean) > width:
        return made
    return replace(made, low=max(-width, made.low), high=min(width, made.high))
