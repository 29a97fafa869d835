"""Start of a session: a new search is opened, or an old one resumed, possibly under a changed space."""

from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.search_state import SearchState
from sleep_tune.search.decide import experiment_identity
from sleep_tune.search.decide.asha import RungScheduler
from sleep_tune.search.decide.experiment_identity import ExperimentIdentity, OptionChange
from sleep_tune.search.decide.finalists import seeds_source
from sleep_tune.search.decide.search_history import SearchHistory
from sleep_tune.search.decide.warm_start import WarmStart
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.search.space.space_json import to_json

__all__ = ["start_session"]


def start_session(
    history: SearchHistory,
    scheduler: RungScheduler,
    space: Space,
    base: RunConfig,
    corpus: CorpusSummary,
    folder: Path,
    *,
    budget_words: int,
    then: ExperimentIdentity | None,
) -> None:
    """Log the first events of a session; nothing if the search is over and the space asks for nothing more.

    Args:
        history: of the search.
        scheduler: decides at rungs that were reported before a kill, but not decided.
        space: the current space.
        base: the configuration that `space.base` composes to.
        corpus: read by every trial.
        folder: of the experiment.
        budget_words: words of a whole run.
        then: the experiment by its file; None if nothing is written.

    Raises:
        UserError: an experiment that `warm_start` names cannot be used, or `comparison.reserve` changed too late.
    """
    state = history.state
    changes = _find_changes(state, space, then)
    experiment_identity.check_reserve(folder, state, changes)
    if state.finished and not changes:
        return
    warm_start = WarmStart(space, base, corpus, budget_words)
    warmed = () if changes else state.warmed
    warm_start.read([source for source in space.warm_start if source not in warmed], folder)
    history.open_journal()
    if state.sessions:
        history.record("resumed")
    else:
        history.record(
            "opened",
            space=space.name,
            study=to_json(space),
            budget_words=budget_words,
            corpus={"words": corpus.words, "samples": corpus.samples},
            seeds_source=seeds_source(space),
        )
    if changes:
        history.record("changed", differences=[str(change) for change in changes], space=to_json(space))
    if then is not None:
        experiment_identity.update(folder, then, space, base, corpus)
    warm_start.adopt(history)
    for trial in list(state.waiting()):
        scheduler.settle(trial)


def _find_changes(state: SearchState, space: Space, then: ExperimentIdentity | None) -> list[OptionChange]:
    """Return how the space has changed; resources do not matter to a finished search."""
    before = state.space if state.space is not None or then is None else then.space
    if not state.sessions or before is None:
        return []
    changes = experiment_identity.find_space_changes(before, space)
    return [change for change in changes if not (state.finished and change.key.startswith("resources."))]
