"""The evidence look by look as a table of words: what was decided, with the difference, its interval and p."""

from collections.abc import Sequence

from sleep_tune.results.arms import Comparison
from sleep_tune.results.columns import column
from sleep_tune.results.look_table import LookRow
from sleep_tune.results.sheet import MISSING, Cell, Sheet, p_text
from sleep_tune.results.verdict import contrast_text

__all__ = ["look_sheet"]


def look_sheet(looks: Sequence[LookRow], comparison: Comparison) -> Sheet:
    """Return the table, with a row per arm and look.

    Args:
        looks: ordered by arm and number of seeds.
        comparison: of these arms.
    """
    endpoint = comparison.endpoints[0]
    unit = f" ({column(endpoint).unit})" if column(endpoint).unit else ""
    headings = ("arm", "decision", "seeds", f"difference{unit}", "Holm p")
    return Sheet(headings, tuple(_row(row, endpoint) for row in looks), words=2)


def _row(row: LookRow, endpoint: str) -> tuple[Cell, ...]:
    made = row.contrast
    mean, _, interval = contrast_text(made, endpoint).partition(" ")
    return (
        Cell(row.arm),
        Cell(row.state),
        Cell(str(made.seeds)),
        Cell(mean, interval),
        Cell(MISSING if made.p_holm is None else p_text(made.p_holm)),
    )
