"""The report's first sections: the verdict, for which settings, at what cost; the table of arms.

Writes numbers of the comparison down and computes none.
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.columns import column
from sleep_tune.results.markup import html_table, html_text
from sleep_tune.results.report.arm_figures import differences
from sleep_tune.results.report.page import Plot
from sleep_tune.results.sheet import MISSING, Sheet, estimate_text, make_sheet, settings_text, shown_metrics
from sleep_tune.results.verdict import difference_text

__all__ = ["answer", "arms_table", "described"]

OPEN = ("running", "waiting", "interrupted")
"""States of a trial that has not ended."""

REACH = "Within reach"
"""Begins the note on what so many seeds could have told: it belongs to the answer."""

MOST_TOLD = 5
"""Finalists told one by one; the table has all."""


def answer(comparison: Comparison, table: pd.DataFrame, problems: Sequence[str], *, ended: bool) -> Iterator[str]:
    """The section: verdict, finalists, what was within reach, warnings.

    Args:
        comparison: of the arms.
        table: of all trials.
        problems: files that could not be read.
        ended: whether the search was closed.
    """
    yield f'<p class="answer">{html_text(comparison.verdict)}</p>'
    told = [_finalist(arm, comparison) for arm in comparison.arms if arm.kind == "finalist" and arm.seeds]
    if told:
        yield f"<ul>{''.join(f'<li>{one}</li>' for one in told[:MOST_TOLD])}</ul>"
    yield from (f"<p>{html_text(note)}</p>" for note in comparison.notes if note.startswith(REACH))
    states = table["state"].value_counts()
    still = ", ".join(f"{int(states[state])} {state}" for state in OPEN if state in states)
    if still:
        yield _warning(f"This report is partial: {still} of {len(table)} trials had not ended.")
    elif not ended:
        yield _warning("This report is partial: the search has not ended.")
    yield from map(_warning, [*problems, *filter(_warns, comparison.notes)])


def arms_table(comparison: Comparison) -> Iterator[str | Plot]:
    """The section: differences as a figure, results, costs, notes."""
    if not comparison.arms:
        yield "<p>No run over fresh seeds has been asked for yet.</p>"
        return
    drawn = differences(comparison)
    if drawn:
        band = "; grey: smaller than the smallest difference of interest" if comparison.experiment.smallest else ""
        diverged = any(made.diverged for arm in comparison.arms for made in arm.contrasts.values())
        bare = " A point without an interval: seeds diverged, and it is over the others." if diverged else ""
        yield Plot(
            drawn,
            f"Differences to {comparison.baseline} over shared seeds with 95% intervals, before correction. "
            f"Filled: told apart after Holm's correction{band}.{bare}",
        )
    results, costs = _split(make_sheet(comparison), comparison)
    yield f'<div class="arms">{html_table(results)}</div>'
    if costs.headings[1:]:
        yield f"<h3>What a run of each cost</h3>{html_table(costs)}"
    notes = (note for note in comparison.notes if not _warns(note) and not note.startswith(REACH))
    yield f"<ul>{''.join(f'<li>{html_text(note)}</li>' for note in notes)}</ul>"


def described(arm: Arm, comparison: Comparison) -> str:
    """`t0007 (folds 5, replay.ratio 0.78)`: an arm's name with what it stands for."""
    settings = settings_text(arm, comparison)
    return f"{arm.name} ({settings})" if settings else arm.name


def _warning(text: str) -> str:
    return f'<p class="warn">{html_text(text)}</p>'


def _warns(note: str) -> bool:
    return note.startswith(("Beware", "Not matched", "Missing", "Diverged")) or "That is few" in note


def _finalist(arm: Arm, comparison: Comparison) -> str:
    """What a finalist is, reached and cost, beside the baseline."""
    primary = comparison.experiment.primary
    reference = next((one for one in comparison.arms if one.name == comparison.baseline), None)
    mean, interval = estimate_text(arm, primary)
    text = f"{column(primary).heading} {mean} {interval}".strip()
    if reference is not None and primary in reference.estimates:
        theirs = " ".join(estimate_text(reference, primary)).strip()
        text += f" against {theirs} of {comparison.baseline}"
    if primary in arm.contrasts:
        text += f": {difference_text(arm, primary)} {column(primary).unit}".rstrip()
    costs = [key for key in shown_metrics(comparison) if "/" not in key and key in arm.estimates]
    cost = ", ".join(f"{estimate_text(arm, key)[0]} {column(key).heading}" for key in costs)
    settings = html_text(settings_text(arm, comparison) or MISSING)
    tail = f"; a run took {cost}" if cost else ""
    return f"<strong>{html_text(arm.name)}</strong> ({settings}): {html_text(text + tail)}."


def _split(sheet: Sheet, comparison: Comparison) -> tuple[Sheet, Sheet]:
    """The sheet as two: measures, each before its difference and p; and costs."""
    shown, fixed = shown_metrics(comparison), sheet.words + 1
    places = {key: [fixed + at] for at, key in enumerate(shown)}
    endpoints = [key for key in comparison.endpoints if any(key in arm.contrasts for arm in comparison.arms)]
    for at, key in enumerate(endpoints):
        first = fixed + len(shown) + 2 * at
        places.setdefault(key, []).extend([first, first + 1])
    measured = [at for key, own in places.items() if "/" in key for at in own]
    costs = [at for key, own in places.items() if "/" not in key for at in own]
    return _part(sheet, [*range(fixed), *measured], sheet.words), _part(sheet, [0, *costs], 1)


def _part(sheet: Sheet, places: Sequence[int], words: int) -> Sheet:
    """Some columns of a sheet."""
    rows = tuple(tuple(row[at] for at in places) for row in sheet.rows)
    return Sheet(tuple(sheet.headings[at] for at in places), rows, words)
