"""What differences are made of, as a table: a row per arm and effect, a difference with p per endpoint."""

from sleep_tune.results.arms import Comparison, Contrast
from sleep_tune.results.gain_text import effect_title, verdict_of
from sleep_tune.results.sheet import MINUS, MISSING, Cell, Sheet, p_text, second_endpoints
from sleep_tune.results.verdict import contrast_text

__all__ = ["gain_sheet"]


def gain_sheet(comparison: Comparison) -> Sheet | None:
    """Return a table of the effects: a row per arm and effect, a difference with p per endpoint; None without gains."""
    gains = comparison.gains
    endpoints = [key for key in second_endpoints(comparison) if any(gain.endpoint == key for gain in gains)]
    if not endpoints:
        return None
    headings = ["arm", "part", "difference of"]
    for key in endpoints:
        headings += [comparison.column(key).heading, "Holm p"]
    found: dict[tuple[str, str, str], dict[str, Contrast]] = {}
    for gain in gains:
        for effect in gain.rows:
            row = (gain.arm, effect_title(effect), f"{effect.arm} {MINUS} {effect.minus}")
            found.setdefault(row, {})[gain.endpoint] = effect.contrast
    rows = (
        (*map(Cell, row), *(cell for key in endpoints for cell in _cells(made.get(key), key, comparison)))
        for row, made in found.items()
    )
    return Sheet(tuple(headings), tuple(rows), words=3)


def _cells(contrast: Contrast | None, endpoint: str, comparison: Comparison) -> tuple[Cell, Cell]:
    """Return a difference with its interval, and p, at one endpoint."""
    if contrast is None:
        return Cell(MISSING), Cell(MISSING)
    mean, _, interval = contrast_text(contrast, endpoint).partition(" ")
    p = MISSING if contrast.p_holm is None else p_text(contrast.p_holm)
    return Cell(mean, interval, verdict_of(contrast, endpoint, comparison)), Cell(p)
