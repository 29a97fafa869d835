"""A comparison on the terminal: results, tasks, costs, notes, and the verdict last."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sleep_tune.console import PlainConsole
from sleep_tune.metric_names import split_variant
from sleep_tune.results.arms import Arm, Comparison, mode_of
from sleep_tune.results.columns import PERPLEXITIES, is_score
from sleep_tune.results.gain_sheet import gain_sheet
from sleep_tune.results.gain_text import TITLE, gain_notes
from sleep_tune.results.sheet import (
    MISSING,
    Sheet,
    claim_of,
    difference_cell,
    estimate_text,
    p_text,
    result_text,
    second_endpoints,
    seeds_text,
    settings_text,
    shown_metrics,
)

__all__ = ["print_comparison"]

WIDE = 95
"""Width in characters of the results with a column for perplexity."""

AROUND = 8
"""Lines on the screen beside the tables: the verdict, the files, the prompt."""

MOST_ARMS = 40
"""Arms that are printed; of more, the baseline and the best at the primary endpoint."""

NUMBER = 6
"""Width in characters of a score or a difference."""

STYLES = {"better": "bold green", "worse": "bold red", None: ""}


def print_comparison(
    comparison: Comparison, console: Console | None = None, write: Callable[[], str] | None = None
) -> None:
    """Print the verdict, the tables and notes, and the text that `write` returns after writing files.

    On a terminal that shows only the end of all this, the verdict is repeated there, where the eyes are.

    Args:
        comparison: to print.
        console: to print it on; stdout by default.
        write: writes the tables, and returns a text about the files.
    """
    shown_on = console or PlainConsole()
    verdict = Text(comparison.verdict, style="bold")
    tables = _tables(_first_arms(comparison), shown_on.width)
    shown_on.print(verdict)
    shown_on.print()
    shown_on.print(tables)
    if len(comparison.arms) > MOST_ARMS:
        shown_on.print(f"{MOST_ARMS} of {len(comparison.arms):,} arms are shown; the files of the tables have all.\n")
    if write is not None:
        shown_on.print(write(), soft_wrap=True, highlight=False, markup=False)
    if shown_on.is_terminal and len(shown_on.render_lines(tables, pad=False)) > shown_on.height - AROUND:
        shown_on.print()
        shown_on.print(verdict)


def _first_arms(comparison: Comparison) -> Comparison:
    """Return the comparison with at most `MOST_ARMS` arms, in their order."""
    if len(comparison.arms) <= MOST_ARMS:
        return comparison
    primary = comparison.endpoints[0]
    sign = 1 if mode_of(primary, comparison.experiment) == "min" else -1

    def rank(arm: Arm) -> tuple[bool, float]:
        value = arm.estimates.get(primary)
        return arm is not comparison.reference, math.inf if value is None else sign * value.mean

    best = sorted(comparison.arms, key=rank)[:MOST_ARMS]
    return replace(comparison, arms=tuple(arm for arm in comparison.arms if any(arm is one for one in best)))


def _tables(comparison: Comparison, width: int) -> RenderableType:
    """Return results, BabyLM's tasks, costs and settings, and notes; readable from 80 columns on."""
    title = f"{comparison.experiment.name}: arms against {comparison.baseline}"
    parts: list[RenderableType] = [Text(title, style="bold")]
    if comparison.arms:
        parts += [Text(), _results(comparison, width), Text()]
        for keys in (_variants(comparison), [key for key in comparison.metrics if is_score(key)]):
            parts += [part for table in _scores(comparison, keys, width) for part in (table, Text())]
        if _with_costs(comparison.arms):
            parts += [_costs(comparison, width), Text()]
    parts += [_notes(comparison.notes), Text()]
    gains = gain_sheet(comparison)
    if gains is not None:
        parts += [Text(TITLE, style="bold"), Text(), _gains(gains, width), Text()]
        parts += [_notes(gain_notes(comparison)), Text()]
    return Group(*parts)


def _notes(notes: Iterable[str]) -> Table:
    table = Table.grid(padding=(0, 1))
    for note in notes:
        table.add_row(" ·", Text(note), style="dim")
    return table


def _gains(sheet: Sheet, width: int) -> Table:
    """Return the effects that make up differences: what each is the difference of below its name, p below a number."""
    table = _table(lines=True)
    _add_arms(table, [row[0].text for row in sheet.rows], width)
    table.add_column("part", overflow="fold")
    for heading in sheet.headings[sheet.words :: 2]:
        table.add_column(heading, justify="right")
    for row in sheet.rows:
        arm, part, difference = (cell.text for cell in row[: sheet.words])
        cells = []
        for value, p in zip(row[sheet.words :: 2], row[sheet.words + 1 :: 2], strict=True):
            cells.append(_stacked(value.text, value.detail, STYLES[value.claim]))
            if p.text != MISSING:
                cells[-1].append(f"\np {p.text}", style="dim")
        table.add_row(arm, _stacked(part, difference), *cells)
    return table


def _table(*, lines: bool = False) -> Table:
    return Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_lines=lines
    )


def _arms_width(texts: Sequence[str], width: int) -> int:
    """Return the width of the column of arms: that of the longest name, but at most a third of the screen."""
    return min(max(map(cell_len, ("arm", *texts))), width // 3)


def _add_arms(table: Table, texts: Sequence[str], width: int) -> None:
    """Add the column of arms; longer names take several lines."""
    table.add_column("arm", width=_arms_width(texts, width), overflow="fold")


def _results(comparison: Comparison, width: int) -> Table:
    """Return the results of each arm and its differences to the baseline; perplexity (e^nll) only where it fits."""
    endpoints = second_endpoints(comparison) or [comparison.endpoints[0]]
    keys = [key for key in shown_metrics(comparison) if "/" in key]
    keys = [key for key in keys if key in endpoints or not (is_score(key) or split_variant(key)[0])]
    keys = [key for key in keys if not (width < WIDE and key in PERPLEXITIES)]
    table = _table(lines=True)
    _add_arms(table, [text for arm in comparison.arms for text in (arm.name, arm.kind)], width)
    table.add_column("seeds", justify="right", no_wrap=True)
    for key in keys:
        table.add_column(_broken(comparison.column(key).heading), justify="right")
    for key in endpoints:
        table.add_column(f"{_broken(comparison.column(key).heading)}\nvs {comparison.baseline}", justify="right")
    for arm in comparison.arms:
        cells = [Text(f"{arm.name}\n", end="").append(arm.kind, style="dim"), Text(seeds_text(arm))]
        cells += [_stacked(*result_text(arm, key, comparison)) for key in keys]
        table.add_row(*cells, *(_contrast(arm, key, comparison) for key in endpoints))
    return table


def _broken(heading: str) -> str:
    """Return a heading that breaks after each hyphen, so that no long word is cut off in a narrow column."""
    return heading.replace("-", "-\n")


def _variants(comparison: Comparison) -> list[str]:
    """Return the variants of measures that have a column; those of BabyLM's scores are among the tasks."""
    shown = [key for key in shown_metrics(comparison) if not is_score(key) and key not in comparison.endpoints]
    return [key for key in shown if split_variant(key)[0]]


def _scores(comparison: Comparison, keys: Sequence[str], width: int) -> Iterator[Table]:
    """Yield tables of scores with differences to the baseline; none without keys, several where one is too wide."""
    if not keys:
        return
    every = [arm.name for arm in comparison.arms]
    names = _arms_width(every, width)
    headings = {key: comparison.column(key).heading for key in keys}
    if names + sum(max(NUMBER, len(heading)) + 2 for heading in headings.values()) > width:
        headings = {key: heading.replace(" ", "\n") for key, heading in headings.items()}
    wide = {key: max(NUMBER, *map(len, heading.split("\n"))) + 2 for key, heading in headings.items()}
    parts: list[list[str]] = [[]]
    for key in keys:
        if parts[-1] and names + wide[key] + sum(wide[one] for one in parts[-1]) > width:
            parts.append([])
        parts[-1].append(key)
    for part in parts:
        table = _table()
        _add_arms(table, every, width)
        for key in part:
            table.add_column(headings[key], justify="right", no_wrap=True)
        for arm in comparison.arms:
            table.add_row(arm.name, *(_score(arm, key, comparison) for key in part))
        yield table


def _score(arm: Arm, key: str, comparison: Comparison) -> Text:
    """Return a score above its difference to the baseline, coloured where that is significant."""
    mean, _ = result_text(arm, key, comparison)
    if key not in arm.contrasts:
        return Text(mean)
    difference, _ = difference_cell(arm, key)
    return Text(mean).append(f"\n{difference}", style=STYLES[claim_of(arm, key, comparison)] or "dim")


def _costs(comparison: Comparison, width: int) -> Table:
    """Return the costs and settings of each arm."""
    table = _table()
    costs = [key for key in shown_metrics(comparison) if "/" not in key]
    _add_arms(table, [arm.name for arm in _with_costs(comparison.arms)], width)
    for key in costs:
        table.add_column(comparison.column(key).heading, justify="right", no_wrap=True)
    table.add_column("settings", overflow="fold")
    for arm in _with_costs(comparison.arms):
        values = [estimate_text(arm, key)[0] for key in costs]
        table.add_row(arm.name, *values, Text(settings_text(arm, comparison), style="dim"))
    return table


def _with_costs(arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms with known costs: not those trained elsewhere or published."""
    return [arm for arm in arms if arm.kind not in ("elsewhere", "published")]


def _contrast(arm: Arm, endpoint: str, comparison: Comparison) -> Text:
    """Return difference, interval and p in one cell, coloured where the difference is significant."""
    contrast = arm.contrasts.get(endpoint)
    if contrast is None:
        return Text(MISSING)
    text = _stacked(*difference_cell(arm, endpoint), STYLES[claim_of(arm, endpoint, comparison)])
    return text if contrast.p_holm is None else text.append(f"\np {p_text(contrast.p_holm)}", style="dim")


def _stacked(first: str, second: str, style: str = "") -> Text:
    """Return a number above its interval, in one cell."""
    text = Text(first, style=style)
    return text.append(f"\n{second}", style="dim") if second else text
