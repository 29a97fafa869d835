"""The launcher 'inline': one trial at a time in this process. For debugging, and for searches with a fake worker."""

import time
import traceback
from collections.abc import Callable
from pathlib import Path

from sleep_tune.config.tree import from_dict
from sleep_tune.errors import Superseded, TrialFailure, UserError
from sleep_tune.files import writing
from sleep_tune.records import Decision, Progress
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.work import KINDS, Done, Trial, Wait, Worker

__all__ = ["run_inline"]

HELD_SECONDS = 0.1
"""How often a held search is looked at."""


def run_inline(director: Director, worker: Worker, refresh: Callable[[], None] = lambda: None) -> None:
    """Train until the search is over.

    Args:
        director: says what to train, and decides.
        worker: trains it.
        refresh: called after every report and every end, to show what has changed; and again and again while the
            search is held, to let it go on or to raise what ends it.

    Raises:
        UserError: a run met the user's mistake (a full disk); the search stops, and goes on when run again.
        Exception: a bug in a run; it is recorded as failed and the search stops with the traceback.
    """
    while True:
        match director.next():
            case Trial() as trial:
                _train(director, worker, trial, refresh)
                refresh()
            case Wait() if director.held is not None:
                time.sleep(HELD_SECONDS)
                refresh()
            case Wait():
                raise RuntimeError("the search waits for a trial, and none is running here")
            case Done():
                return


def _train(director: Director, worker: Worker, trial: Trial, refresh: Callable[[], None]) -> None:
    def report(progress: Progress) -> Decision:
        decision = director.on_progress(trial.id, progress)
        refresh()
        return decision

    try:
        config = from_dict(trial.config)
        with writing(Path(config.run.dir or ".")):
            outcome = worker(config, report)
    except TrialFailure as failure:
        director.on_failure(trial.id, str(failure), KINDS[type(failure)])
    except (UserError, Superseded):  # a later session trains it
        raise
    except Exception as error:
        told = "".join(traceback.format_exception_only(error)).strip()
        director.on_failure(trial.id, told, "bug")
        raise
    else:
        director.on_end(trial.id, outcome)
