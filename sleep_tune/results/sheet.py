"""A comparison as rows of text without markup, for the terminal, Markdown, LaTeX and HTML."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.metric_names import split_variant
from sleep_tune.results.arms import Arm, Comparison, mode_of
from sleep_tune.results.columns import PAIRS, PERPLEXITIES, column, is_known, setting_text, short_names
from sleep_tune.results.comparable_losses import OTHER_MEASURE, are_comparable
from sleep_tune.results.verdict import difference_text, improves, is_claim

__all__ = ["MINUS", "MISSING", "SURVIVORS", "Cell", "Sheet", "claim_of", "difference_cell", "estimate_text"]
__all__ += ["make_sheet", "p_text", "result_text", "second_endpoints", "seeds_text", "settings_text", "shown_metrics"]

MISSING, MINUS = "–", "−"  # noqa: RUF001  an en dash and a minus sign, as tables have them

SURVIVORS = "†"
"""Marks a difference over the seeds at which neither arm diverged, where others did; a note explains it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell."""

    text: str
    detail: str = ""
    """Shown small beside or below the text: an interval."""
    claim: str | None = None
    """'better' or 'worse', where the difference is significant."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: one row per arm."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: int
    """Number of columns of words at the left; all others hold numbers."""


def make_sheet(comparison: Comparison) -> Sheet:
    """Return the shown metrics and costs of each arm, then its differences to the baseline with p at each endpoint."""
    shown = shown_metrics(comparison)
    endpoints = [key for key in comparison.endpoints if any(key in arm.contrasts for arm in comparison.arms)]
    headings = ["arm", "settings", "seeds", *(comparison.column(key).heading for key in shown)]
    for key in endpoints:
        headings += [f"{comparison.column(key).heading} {MINUS} {comparison.baseline}", "Holm p"]
    rows = (tuple(_cells(arm, comparison, shown, endpoints)) for arm in comparison.arms)
    return Sheet(tuple(headings), tuple(rows), words=2)


def shown_metrics(comparison: Comparison) -> list[str]:
    """Return the metrics and costs that have a column, with their variants; all others are only in the CSV."""
    endpoints = set(comparison.endpoints)
    shown = [key for key in comparison.metrics if is_known(key) or endpoints & {key, split_variant(key)[1]}]
    return [key for key in shown if split_variant(key)[1] not in PERPLEXITIES or key in {*PERPLEXITIES, *endpoints}]


def _cells(arm: Arm, comparison: Comparison, shown: list[str], endpoints: list[str]) -> Iterator[Cell]:
    yield Cell(f"{arm.name} ({arm.kind})" if arm.kind != "finalist" else arm.name)
    yield Cell(settings_text(arm, comparison) or MISSING)
    yield Cell(seeds_text(arm))
    for key in shown:
        yield Cell(*result_text(arm, key, comparison))
    for key in endpoints:
        contrast = arm.contrasts.get(key)
        if contrast is None:
            yield from (Cell(MISSING), Cell(MISSING))
            continue
        yield Cell(*difference_cell(arm, key), claim_of(arm, key, comparison))
        yield Cell(MISSING if contrast.p_holm is None else p_text(contrast.p_holm))


def claim_of(arm: Arm, endpoint: str, comparison: Comparison) -> str | None:
    """Return 'better' or 'worse' where the difference is significant after Holm correction."""
    if not is_claim(arm, endpoint):
        return None
    return "better" if improves(arm, endpoint, mode_of(endpoint, comparison.experiment)) else "worse"


def difference_cell(arm: Arm, endpoint: str) -> tuple[str, str]:
    """Return (difference, interval) as text; where seeds diverged, the difference is marked and has no interval."""
    mean, _, interval = difference_text(arm, endpoint).partition(" ")
    return (f"{mean}{SURVIVORS}", "") if arm.contrasts[endpoint].diverged else (mean, interval)


def seeds_text(arm: Arm) -> str:
    """Return the number of seeds: `5`, or `3 of 5` where two diverged, or a dash where no run has completed."""
    survived, diverged = len(arm.seeds), len(arm.diverged)
    return f"{survived} of {survived + diverged}" if diverged else str(survived) if survived else MISSING


def result_text(arm: Arm, key: str, comparison: Comparison) -> tuple[str, str]:
    """Return (mean, interval) as text, where the mean is marked if it cannot be compared with the baseline's."""
    mean, interval = estimate_text(arm, key)
    reference = comparison.reference
    if key not in arm.estimates or reference is None or are_comparable(arm, reference, key):
        return mean, interval
    return f"{mean}{OTHER_MEASURE}", interval


def estimate_text(arm: Arm, key: str) -> tuple[str, str]:
    """Return (mean, interval) as text; costs, and means of a single seed, have no interval."""
    estimate, write = arm.estimates.get(key), column(key).write
    if estimate is None:
        return MISSING, ""
    if estimate.low is None or estimate.high is None or "/" not in key:
        return write(estimate.mean), ""
    return write(estimate.mean), f"[{write(estimate.low)}, {write(estimate.high)}]"


def p_text(value: float) -> str:
    """Return p as text: `0.034`, `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def settings_text(arm: Arm, comparison: Comparison, write: Callable[[object], str] = setting_text) -> str:
    """Return the settings of an arm under their shortest unambiguous names: `folds 20, replay.ratio 0.31`.

    A control matched to another arm has the exposures of that arm. What is switched off is left out unless it was
    searched: baselines switch off all that a base may have switched on.
    """
    if arm.parent:
        return f"exposures of {arm.parent}"
    searched = comparison.experiment.parameters
    every = [key for other in comparison.arms for key in other.parameters]
    names = short_names([*searched, *every])
    return ", ".join(
        f"{names[key]} {write(value)}"
        for key, value in arm.parameters.items()
        if key in searched or not isinstance(value, bool | np.bool_) or value
    )


def second_endpoints(comparison: Comparison) -> list[str]:
    """Return the endpoints of a narrow table: the primary one, minimal pairs and BabyLM's macro averages."""
    few = (comparison.endpoints[0], PAIRS, *(protocol.macro for protocol in PROTOCOLS.values()))
    return [key for key in dict.fromkeys(few) if any(key in arm.contrasts for arm in comparison.arms)]
