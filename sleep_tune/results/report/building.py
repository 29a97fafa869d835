"""From an experiment's folder to its report.html. Partial folders give partial reports that say so."""

from pathlib import Path

from sleep_tune.files import write_whole
from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from sleep_tune.results.report.answering import answer, arms_table
from sleep_tune.results.report.ending import failures, reproduce
from sleep_tune.results.report.journals import read_journals
from sleep_tune.results.report.learning import learnt
from sleep_tune.results.report.page import Section, make_page
from sleep_tune.results.report.points import search_points
from sleep_tune.results.report.replaying import replayed
from sleep_tune.results.report.searching import searched
from sleep_tune.results.trial_tables import read_events, trials_and_curves

__all__ = ["FILE", "write_report"]

FILE = "report.html"


def write_report(folder: Path, comparison: Comparison | None = None, *, place: Path | None = None) -> Path:
    """Write report.html of the experiment in `folder`, however far it has got.

    Args:
        folder: of the experiment.
        comparison: of its arms, if it has been made already.
        place: the folder that the file is written to; the experiment's unless given.

    Returns:
        The file: self-contained, below 5 MB.

    Raises:
        RunFolderError: the folder holds no experiment.
        DataError: a line of its log is no event, or its description is not YAML.
    """
    made = comparison or compare(folder)
    events = read_events(folder)
    table, curves = trials_and_curves(events)
    journals = read_journals(folder, table)
    firsts = {arm: runs[0] for arm, runs in journals.runs.items()}
    ended = bool(events) and events[-1].event == "closed"
    points = search_points(table, curves, made.experiment)
    sections = [
        Section("The answer", tuple(answer(made, table, journals.problems, ended=ended))),
        Section("Arms against the baseline", tuple(arms_table(made))),
        Section("Learning curves", tuple(learnt(made, journals.runs))),
        Section("The search", tuple(searched(made, points))),
        Section("What was replayed", tuple(replayed(made, firsts))),
        Section("Failures", tuple(failures(table))),
        Section("How to reproduce this", tuple(reproduce(folder))),
    ]
    file = (place or folder) / FILE
    write_whole(file, make_page(f"{made.experiment.name}: does sleep beat epochs?", sections))
    return file
