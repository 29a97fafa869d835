"""The screen of a search, drawn for a terminal of a given size.

The state of the search, its best trial and its rungs are always shown. Lists of trials are cut to the lines that are
left, and the cut is shown.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sleep_tune.console import PlainConsole
from sleep_tune.experiment.search_state import TrialState
from sleep_tune.search.decide.search_view import SearchView
from sleep_tune.search.monitor import wording
from sleep_tune.search.monitor.forecast import Forecast, forecast, gpu_hours
from sleep_tune.search.monitor.look_lines import describe_looks
from sleep_tune.search.monitor.rung_table import draw_rungs

__all__ = ["screen"]

BAR = 12
WITH_BAR = 96
"""Fewest columns with which running trials have a progress bar."""

LISTED = 8
"""Trials in each list if the height is not limited."""

FEWEST = 3
"""Running trials that are always shown."""

WIDEST = {"phase": len("sleep 10/20"), "words seen": len("435k/435k"), "at rung": len("4.2500 (33%)")}
"""Least widths of columns, so that the table does not move between drawings."""

STATES = ("running", "waiting", "paused", "completed", "stopped", "failed", "refused")


def screen(
    watched: SearchView, slots: int, *, width: int, height: int | None = None, notes: Sequence[str] = ()
) -> RenderableType:
    """Return the drawing of a search.

    Args:
        watched: the search.
        slots: trials that can run at a time.
        width: columns.
        height: lines; None for as many as it takes.
        notes: lines below the first one.
    """
    trials = list(watched.trials.values())
    metric, mode = watched.space.objective.metric, watched.space.objective.mode
    parts: list[RenderableType] = [Group(*_head(watched, slots, notes), *_best(watched, metric))]
    parts += draw_rungs(trials, mode, within=watched.space.scheduler.within)
    room = None if height is None else height - sum(_height(part, width) + 1 for part in parts)
    active = [trial for state in ("running", "waiting") for trial in trials if trial.state == state]
    failed = [trial for trial in _by_end(trials) if trial.state == "failed"]
    ended = [trial for trial in _by_end(trials) if trial.state in ("completed", "stopped")]
    reserve = [min(len(failed), 2) * 2 + 2 * bool(failed), min(len(ended), 3) + 2 * bool(ended)]
    running, room = _running(active, width, room, reserve=sum(reserve))
    parts.insert(1, running)
    if failed:
        lines, room = _failures(failed, room, reserve=reserve[1])
        parts.append(lines)
    parts += _ended(ended, metric, room)
    spaced = [part for each in parts for part in (Text(), each)]
    return Group(*spaced[1:])


def _head(watched: SearchView, slots: int, notes: Sequence[str]) -> Iterator[Text]:
    """Yield the headline, the counts, the looks, the notes, and why the search is paused."""
    state = forecast(watched, slots)
    yield Text(" · ".join(_headline(watched, slots, state)), style="bold")
    yield Text(" · ".join(_counts(watched, state)), style="dim")
    looks = describe_looks(watched)
    if looks is not None:
        yield Text(looks)
    yield from (Text(note) for note in notes)
    if watched.changes:
        yield Text("changed: " + "; ".join(watched.changes), style="dim")
    if watched.held is not None:
        yield Text(f"paused: {watched.held}", style="bold yellow")


def _headline(watched: SearchView, slots: int, state: Forecast) -> Iterator[str]:
    yield watched.space.name
    busy = sum(trial.state == "running" for trial in watched.trials.values())
    yield "finished" if watched.finished else f"{busy}/{slots} slots busy"
    yield wording.runs_done(state.done, state.total, is_most=state.is_most)
    yield f"{wording.clock_time(watched.seconds())} elapsed"
    hours = watched.space.stop.hours
    if watched.finished or watched.held is not None:
        return
    if state.seconds_left:
        yield f"{'at most ' * state.is_most}about {wording.clock_time(state.seconds_left)} left"
    elif state.total is None and hours is not None:
        yield f"{wording.clock_time(hours * 3600 - watched.seconds())} of stop.hours left"


def _counts(watched: SearchView, state: Forecast) -> Iterator[str]:
    """Yield trials by state, why no more trials are proposed, GPU-hours."""
    trials = watched.trials.values()
    counts = Counter(trial.state for trial in trials)
    yield ", ".join(f"{counts[name]} {name}" for name in STATES if counts[name]) or "starting"
    if watched.ended is not None and not watched.finished:
        if watched.space.stop.trials != 0:
            yield f"search over ({watched.ended})"
        if state.controls_left:
            yield f"controls that wait for their parents: {state.controls_left}"
    deferred = sum(trial.state == "waiting" and trial.alone for trial in trials)
    if deferred:
        yield f"ran out of shared memory and will be tried alone: {deferred}"
    used, limit = gpu_hours(trials), watched.space.stop.gpu_hours
    if used or limit is not None:
        left = "" if not state.gpu_hours_left else f", about {state.gpu_hours_left:.2f} left"
        yield f"GPU-hours: {used:.2f} used{left}"
    if limit is not None:
        searched = gpu_hours(trial for trial in trials if trial.study == "search")
        yield f"{searched:.2f} of stop.gpu_hours {limit:g} by the search"


def _best(watched: SearchView, metric: str) -> Iterator[Text]:
    """Yield the best trial of the search and its settings; nothing where there is no search."""
    best = watched.best()
    if best is not None and best.value is not None:
        value = wording.objective_value(best.value)
        yield Text(f"best {best.id}: {metric} {value} · {wording.trial_settings(best)}", style="green")
    elif watched.space.stop.trials != 0:
        yield Text("best: none has completed yet")


def _by_end(trials: Sequence[TrialState]) -> list[TrialState]:
    """Return the trials that have ended, the last first."""
    return sorted((trial for trial in trials if trial.ended), key=lambda trial: -(trial.ended_at or 0.0))


def _running(
    trials: Sequence[TrialState], width: int, room: int | None, reserve: int
) -> tuple[RenderableType, int | None]:
    """Return the table of running and waiting trials, and the lines left below it."""
    if not trials:
        return Text("nothing is running"), None if room is None else room - 2
    most = len(trials) if room is None else max(FEWEST, room - reserve - 2)
    shown = trials if len(trials) <= most else trials[: most - 1]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("trial", "role", "phase", "pass", "words seen", "loss", "at rung"):
        is_number = heading in ("pass", "words seen", "loss")
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=True, min_width=WIDEST.get(heading))
    if width >= WITH_BAR:
        table.add_column("", width=BAR)
    for trial in shown:
        cells = list(_row(trial))
        table.add_row(*(cells if width >= WITH_BAR else cells[:-1]))
    if len(shown) == len(trials):
        return table, None if room is None else room - len(shown) - 2
    more = Text(f"and {len(trials) - len(shown)} more", style="dim")
    return Group(table, more), None if room is None else room - len(shown) - 3


def _row(trial: TrialState) -> Iterator[RenderableType]:
    """Yield the cells of one trial, the progress bar last."""
    progress = trial.progress
    yield wording.trial_name(trial)
    yield trial.role
    yield wording.fold_of_phase(progress) if trial.state == "running" else trial.state
    if progress is None:
        yield from ("", "", "", "", "")
        return
    yield str(progress.pass_index + 1)
    yield f"{wording.short_words(progress.words_seen)}/{wording.short_words(progress.budget_words)}"
    yield wording.latest_loss(progress)
    rung = max(trial.rungs, default=None)
    yield "" if rung is None else f"{wording.objective_value(trial.rungs[rung])} ({rung / progress.budget_words:.0%})"
    yield ProgressBar(total=progress.budget_words, completed=progress.words_seen, width=BAR)


def _failures(failed: Sequence[TrialState], room: int | None, reserve: int) -> tuple[RenderableType, int | None]:
    """Return the failures by kind, the last of them with reason and log, and the lines left below."""
    kinds = Counter(trial.kind for trial in failed)
    lines = [Text("failed: " + ", ".join(f"{number} {kind}" for kind, number in kinds.items()), style="bold red")]
    used = 2
    for trial in failed[:LISTED]:
        entry = [_line(f"  {trial.id:<14} {trial.kind}: {wording.failure_reason(trial)}")]
        if trial.log:
            entry.append(Text(f"  {'':<14} {wording.short_path(trial.log)}", style="dim", overflow="fold"))
        if room is not None and used + len(entry) > room - reserve:
            break
        lines += entry
        used += len(entry)
    return Group(*lines), None if room is None else room - used


def _ended(ended: Sequence[TrialState], metric: str, room: int | None) -> Iterator[RenderableType]:
    """Yield the last trials to end, as many as fit."""
    most = LISTED if room is None else min(LISTED, room - 2)
    if ended and most > 0:
        lines = [_line(f"  {trial.id:<14} {wording.ending(trial, metric)}") for trial in ended[:most]]
        yield Group(Text("ended last", style="bold"), *lines)


def _line(text: str) -> Text:
    """Return a text of one line, cut at the terminal's width."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _height(part: RenderableType, width: int) -> int:
    """Return the number of lines of a part."""
    console = PlainConsole(width=width, color_system=None, legacy_windows=False)
    return len(console.render_lines(part, pad=False))
