"""A search with one trial at a time in this process, for debugging and for searches with a fake worker."""

import time
import traceback
from collections.abc import Callable
from pathlib import Path

from sleep_tune.config.tree import from_dict
from sleep_tune.errors import Superseded, TrialFailure, UserError
from sleep_tune.files import writing
from sleep_tune.records import Decision, Progress
from sleep_tune.search.decide.assignments import KINDS, Done, Trial, Wait, Worker
from sleep_tune.search.decide.director import Director

__all__ = ["run_inline"]

PAUSE_SECONDS = 0.1
"""How often a paused search calls `refresh`."""


def run_inline(director: Director, worker: Worker, refresh: Callable[[], None] = lambda: None) -> None:
    """Run trials until the search is over.

    Args:
        director: proposes trials and decides at their reports.
        worker: trains one configuration.
        refresh: called at every start, report and end of a trial, and repeatedly while the search is paused. It may
            resume the search, or raise an exception to end it.

    Raises:
        UserError: a run raised it (a full disk, for example). The search ends here and resumes when it is run again.
        Exception: a bug in a run. The trial is recorded as failed, and the search ends with the traceback.
    """
    while True:
        match director.next():
            case Trial() as trial:
                _train(director, worker, trial, refresh)
                refresh()
            case Wait() if director.held is not None:
                time.sleep(PAUSE_SECONDS)
                refresh()
            case Wait():
                raise RuntimeError("the search waits for a running trial, but none is running")
            case Done():
                return


def _train(director: Director, worker: Worker, trial: Trial, refresh: Callable[[], None]) -> None:
    def report(progress: Progress) -> Decision:
        decision = director.on_progress(trial.id, progress)
        refresh()
        return decision

    refresh()  # the first report of a trial may be far away
    try:
        config = from_dict(trial.config)
        with writing(Path(config.run.dir or ".")):
            outcome = worker(config, report)
    except TrialFailure as failure:
        director.on_failure(trial.id, str(failure), KINDS[type(failure)])
    except (UserError, Superseded):  # the trial resumes in a later session
        raise
    except Exception as error:
        reason = "".join(traceback.format_exception_only(error)).strip()
        director.on_failure(trial.id, reason, "bug")
        raise
    else:
        director.on_end(trial.id, outcome)
