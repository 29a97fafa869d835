"""The plan of a search as it is printed, in a terminal or as plain text."""

import io
from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sleep_tune.console import PlainConsole
from sleep_tune.search.plan.done_runs import DoneRuns
from sleep_tune.search.plan.plan_record import ExpectedRuns, Plan
from sleep_tune.search.plan.search_power import SearchPower

__all__ = ["show_plan"]

LABELS = 10
"""Width of the column of names."""

UNIT = " x the scatter over seeds"
"""Unit of differences where the scatter is not known."""


def show_plan(plan: Plan, console: Console) -> None:
    """Print a plan.

    Args:
        plan: what would run.
        console: where to print; if it is no terminal, plain text of 100 columns.
    """
    if not console.is_terminal:
        text = io.StringIO()
        _print(plan, PlainConsole(file=text, width=100, highlight=False))
        console.file.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))
        return
    _print(plan, console)


def _print(plan: Plan, console: Console) -> None:
    console.print(_facts(plan))
    for title, table in TABLES.items():
        console.print(Padding(Text(title, style="bold"), (1, 0, 0, 0)))
        console.print(table(plan))
    for note in _notes(plan):
        console.print(Padding(Text(note, style="yellow"), (1, 0, 0, 0)))
    console.print(Padding(Text("nothing was started", style="dim"), (1, 0, 0, 0)))


def rounded_time(seconds: float) -> str:
    """Return '40 s', '12 min', '3.5 h', '6 days'."""
    for unit, size, least in (("days", 86400, 172800), ("h", 3600, 5400), ("min", 60, 90)):
        if seconds >= least:
            return f"{_digits(seconds / size, 2)} {unit}"
    return f"{_digits(seconds, 2)} s"


def rounded_count(number: float) -> str:
    """Return '950', '12.3 M'."""
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{_digits(number / size, 3)} {unit}"
    return f"{number:,.0f}"


def rounded_size(number: float) -> str:
    """Return '1.5 GB', '20 MB'."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{_digits(number / size, 2)} {unit}"
    return "under 1 MB"


def _digits(number: float, digits: int) -> str:
    """Return a number with so many digits and no exponent: '1.5', '12', '1,234'."""
    if 0 < number < 10 ** (digits - 1):
        return f"{number:.{digits}g}"
    return f"{number:,.0f}"


def _facts(plan: Plan) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(width=LABELS, style="bold")
    facts.add_column(overflow="fold")
    facts.add_row("study", Text(plan.name, style="bold"))
    facts.add_row("corpus", f"{plan.corpus.words:,} words in {plan.corpus.samples:,} samples")
    for line in plan.corpus.description:
        kind, _, rest = line.partition(": ")
        facts.add_row(kind, Text(rest))
    passes = plan.budget_words / plan.corpus.words
    facts.add_row("budget", f"every run sees {plan.budget_words:,} words, {passes:.4g} x the corpus")
    facts.add_row("search", _search(plan))
    if plan.done is not None:
        facts.add_row("so far", Text(_done(plan, plan.done)))
    if plan.given:
        facts.add_row("given", plan.given)
    if plan.power is not None:
        facts.add_row("finds", Text(_finds(plan.power, plan.objective)))
    if plan.seed_runs:
        facts.add_row("seeds", Text(_seeds(plan)))
    facts.add_row("slots", plan.slots.description)
    facts.add_row("speed", _speed(plan))
    facts.add_row("time", _time(plan))
    facts.add_row("disk", _disk(plan))
    return facts


def _search(plan: Plan) -> str:
    if plan.trials == 0:
        return "none: baselines and arms alone"
    compared = f"; rungs compare trials of the same {plan.within}" if plan.within else ""
    if plan.trials is None:
        return f"until {plan.limits}; the number of trials is not known, so the counts below are for one{compared}"
    by_time = (
        ""
        if plan.limits in (f"{plan.trials} trials", f"{plan.trials} points of the grid")
        else f", which is about {plan.trials:,} trials at most"
    )
    return f"{plan.limits}{by_time}{compared}"


def _finds(power: SearchPower, objective: str) -> str:
    """Return how much better a setting must be for the search to pick it in half of all cases."""
    scatter = power.scatter

    def amount(deviations: float) -> str:
        return f"{deviations:.2g}{UNIT}" if scatter is None else f"{deviations * scatter.deviation:.2g}"

    known = "The scatter is not known: add --from DIR, the folder of an earlier experiment with such a model and budget"
    if scatter is not None:
        where = f"{scatter.runs} runs of {scatter.arms} arm{'s' * (scatter.arms != 1)} in {scatter.source}"
        known = f"One run scatters by {scatter.deviation:.2g} over seeds ({where})"
    becomes = f"{amount(power.as_best)} becomes the best trial in half of all such searches"
    if power.finalists > 1:
        finalist = f"{amount(power.as_finalist)} becomes one of the {power.finalists} finalists"
        becomes = f"{finalist} in half of all such searches, and by {amount(power.as_best)} the best trial"
    return f"a setting that is better than all others ({objective}) by {becomes}. {known}"


def _seeds(plan: Plan) -> str:
    """Return the number of seeds, the difference that they show, and with several looks the expected number of runs."""
    *first, last = plan.looks
    if not plan.expected:
        return f"{'at most ' * bool(first)}{last} for each arm; no arm is compared with {plan.reference}"
    if plan.done is not None and plan.done.looks and plan.done.looks != plan.looks:
        return (
            f"at most {last} for each arm{', and no more for arms that are decided' * bool(first)}. Runs over fresh "
            f"seeds began with finalists.seeds: {_looks(plan.done.looks)}, and this plan counts: other seeds are "
            "judged as added ones, by a weaker test"
        )
    alike, differ = plan.expected
    by = f"{differ.case.difference:.2g}{UNIT}" if differ.case.in_metric is None else f"{differ.case.in_metric:.2g}"
    if not first:
        return f"{last} for each arm; a difference from {plan.reference} of {by} is significant in 80% of cases"
    return (
        f"arms are judged at {', '.join(map(str, first))} and {last} seeds, and get no more once they are decided. "
        f"Of {plan.seed_runs:.0f} runs over seeds at most, which are counted below, expect {_expected(alike)} if no "
        f"arm differs from {plan.reference}; {_expected(differ)} if all differ by {by}, which is then significant in "
        "80% of cases"
    )


def _looks(looks: tuple[int, ...]) -> str:
    """Return looks as a search space has them: '5', '{looks: [5, 8, 12]}'."""
    return f"{{looks: {[*looks]}}}" if len(looks) > 1 else str(looks[0])


def _expected(expected: ExpectedRuns) -> str:
    time = "" if expected.span is None else f" ({rounded_time(expected.span.whole)} in all)"
    return f"{expected.runs:.0f}{time}"


def _done(plan: Plan, done: DoneRuns) -> str:
    """Return what has ended, what is left, and who does it now."""
    ended = sum(done.ended.values())
    if done.is_over:
        return f"{ended} runs have ended; nothing is left, and the same command prints the comparison"
    resumed = f", of which {done.open} resume from their checkpoints" if done.open else ""
    known = f"about {plan.left:.0f} are left{resumed}" if plan.trials is not None else f"more are left{resumed}"
    running = f"; process {done.process} runs the search now, so that another start is refused" if done.process else ""
    changed = f"; changed since: {'; '.join(done.changes)}" if done.changes else ""
    return f"{ended} runs have ended, {known}{running}{changed}"


def _speed(plan: Plan) -> str:
    speed = plan.speed
    if speed is None:
        return "unknown: add --calibrate, which trains for half a minute"
    ends = f", {rounded_time(speed.evaluation_seconds)} per evaluation" if speed.evaluation_seconds else ""
    return f"{speed.words_per_second:,.0f} words per second{ends} on {speed.device} ({speed.source})"


def _time(plan: Plan) -> str:
    if plan.span is None or plan.seconds is None:
        return "unknown"
    gpus = f"; {_digits(plan.gpu_hours or 0.0, 3)} GPU-hours" if plan.slots.gpus else "; no GPU"
    search = f": {rounded_time(plan.span.search)} until the last search trial ends" if plan.trials != 0 else ""
    return f"about {rounded_time(plan.span.whole)}{search}{gpus}"


def _disk(plan: Plan) -> str:
    if not plan.is_sized:
        return "not known: neither model.options nor a folder says how large the model is"
    at_end, while_running = rounded_size(plan.left_bytes), rounded_size(plan.running_bytes)
    needed = f"about {at_end} of models at the end, and up to {while_running} more while trials run"
    fewer = "keeps fewer models"
    if plan.paused_bytes:
        needed += f", and up to {rounded_size(plan.paused_bytes)} of paused trials' checkpoints"
        fewer += ", and stops paused trials"
    cap = plan.resources.disk_gb
    if cap is None:
        return needed
    room = cap * 1e9 - plan.running_bytes
    is_enough = plan.left_bytes + plan.paused_bytes <= room
    effect = "is enough" if is_enough else fewer if room > 0 else "is not enough to start"
    return f"{needed}; resources.disk_gb = {cap:g} {effect}"


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim")


def _parts(plan: Plan) -> Table:
    table = _table()
    table.add_column("")
    done = plan.done
    for name in ("runs", *(("done",) if done is not None else ()), "words"):
        table.add_column(name, justify="right", no_wrap=True)
    known = plan.speed is not None
    if known:
        table.add_column("run time", justify="right", no_wrap=True)
    if known and plan.slots.gpus:
        table.add_column("GPU-hours", justify="right", no_wrap=True)

    def row(name: str, runs: str, words: str, seconds: float | None, style: str = "", ended: int | None = None) -> None:
        cells = [name, runs, *(["" if ended is None else str(ended)] if done is not None else []), words]
        if known:
            cells.append("" if seconds is None else rounded_time(seconds))
        if known and plan.slots.gpus:
            cells.append("" if seconds is None else _digits(seconds * plan.slots.gpus / 3600, 3))
        table.add_row(*cells, style=style)

    for part in plan.parts:
        ended = done.ended.get(part.name, 0) if done is not None else None
        row(part.name, f"{part.runs:.0f}", rounded_count(part.words), part.seconds, ended=ended)
        if part.waits_for:
            row(f"  after {part.waits_for}", "", "", None, "dim")
        if part.name == "search" and len(plan.rungs) > 1:
            for rung in plan.rungs:
                where = "the end" if rung.share == 1 else f"{rung.share:.0%}"
                row(f"  reach {where}", f"~{rung.trials:.0f}", f"at {rounded_count(rung.words)}", None, "dim")
    total = sum(done.ended.values()) if done is not None else None
    row("total", f"{plan.runs:.0f}", rounded_count(plan.words), plan.seconds, "bold", total)
    return table


def _lengths(plan: Plan) -> Table:
    table = _table()
    for name in ("", "passes awake", "asleep : awake", "folds", "most exposures", "not possible"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=not name)
    for length in (*plan.lengths, *plan.arms):
        not_possible = f"{length.not_possible:.0%}" if length.not_possible else ""
        table.add_row(length.name, length.passes, length.sleep, length.folds, length.exposures, not_possible)
    return table


TABLES = {
    "What would run": _parts,
    "How a run spends its budget (range over the other settings)": _lengths,
}
"""Heading -> function that makes the table under it."""


def _notes(plan: Plan) -> Iterable[str]:
    for out in plan.left_out:
        left = f"{out.points - out.trials:,} of the {out.points:,} points of the grid"
        yield f"{out.option} = {out.trials:,} leaves out {left}: the last in their order"
    if not plan.has_comparison:
        yield (
            "warning: no baseline: the comparison will not say whether sleep helps; add "
            "baselines: {epochs: {}, as_epochs: {}}"
        )
    lengths = (*plan.lengths, *plan.arms)
    if any(length.folds for length in lengths):
        yield "most exposures: about how often a sample would be seen, awake and asleep, if every buffer held it"
    if any(length.not_possible for length in lengths):
        yield "not possible: the share of combinations of settings that need more than the budget; they are not trained"
