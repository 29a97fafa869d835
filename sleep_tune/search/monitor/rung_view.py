"""The rung table as it is drawn, and the warning when early rungs do not foretell late ones. Computes nothing."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sleep_tune.experiment.search_state import TrialState
from sleep_tune.search.monitor import wording
from sleep_tune.search.monitor.rung_table import Agreement, Rung, rung_table

__all__ = ["rung_view", "warning"]


def rung_view(trials: Sequence[TrialState], mode: str, within: str | None = None) -> list[RenderableType]:
    """The table with what must be known to read it; nothing before a trial has reached a rung.

    Args:
        trials: of every role.
        mode: 'min' or 'max' of the objective.
        within: the parameter within whose values trials are compared.
    """
    rungs = rung_table(trials, mode)
    if not rungs:
        return []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("rung", "words", "arrived", "went on", "stopped", "best", "tau next", "tau end"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rung in rungs:
        table.add_row(*_cells(rung, is_end=rung is rungs[-1]))
    parts: list[RenderableType] = [table]
    if any(rung.next or rung.end for rung in rungs):
        pooled = f"; within one {within}" if within else ""
        caption = f"tau (trials): Kendall's, over a selected sample: those that reached both{pooled}"
        parts.append(Text(caption, style="dim"))
    told = warning(rungs)
    if told is not None:
        parts.append(Text(told, style="yellow"))
    return [Group(*parts)]


def warning(rungs: Sequence[Rung]) -> str | None:
    """A sentence on rungs whose order does not foretell the next rung's or the end's (`Agreement.is_low`), if any."""
    low = []
    for at, rung in enumerate(rungs[:-1]):
        places = {"end": rung.end}
        if at + 2 < len(rungs):
            places = {f"{rungs[at + 1].share:.0%}": rung.next} | places
        for place, agreed in places.items():
            if agreed is not None and agreed.is_low:
                low.append(f"{rung.share:.0%} to {place} (tau below {agreed.upper:.2f})")
    if not low:
        return None
    return (
        f"Early rungs do not foretell late ones, with 95% confidence: {', '.join(low)}. "
        "A later scheduler.first_rung would stop fewer good trials"
    )


def _cells(rung: Rung, is_end: bool) -> list[str]:
    """One row."""
    head = ["end" if is_end else f"{rung.share:.0%}", wording.words(rung.words), str(rung.arrived)]
    if is_end:
        return [*head, "", "", wording.number(rung.best), "", ""]
    decided = [str(rung.went_on), str(rung.stopped), wording.number(rung.best)]
    return [*head, *decided, _tau(rung.next), _tau(rung.end)]


def _tau(agreed: Agreement | None) -> str:
    """`0.71 (12)`: tau and its number of trials."""
    return "" if agreed is None else f"{agreed.tau:.2f} ({agreed.trials})"
