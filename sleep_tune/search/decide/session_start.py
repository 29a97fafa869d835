"""How a session begins: a search is opened, or goes on, as it was or as the file wants it now. Trains nothing."""

from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.search_state import SearchState
from sleep_tune.search.decide import study_folder
from sleep_tune.search.decide.finalists import seeds_source
from sleep_tune.search.decide.rung_decisions import Judge
from sleep_tune.search.decide.search_memory import Memory
from sleep_tune.search.decide.study_folder import Difference, Experiment
from sleep_tune.search.decide.warm_start import Adopter
from sleep_tune.search.space.search_space import CorpusSummary, Space, to_json

__all__ = ["Opening"]


class Opening:
    """One session's.

    Args:
        space: the study as it is now.
        base: what `space.base` composes to.
        corpus: what every trial reads.
        folder: of the experiment.
        budget_words: B.
    """

    def __init__(self, space: Space, base: RunConfig, corpus: CorpusSummary, folder: Path, budget_words: int) -> None:
        self._space = space
        self._base = base
        self._corpus = corpus
        self._folder = folder
        self._budget_words = budget_words

    def begin(self, memory: Memory, judge: Judge, then: Experiment | None) -> None:
        """Write what this session begins with; nothing if the search is over and nothing more is asked for.

        Args:
            memory: what is known.
            judge: of rungs that were reported at, and not judged, when the last session was killed.
            then: what experiment.yaml says; None where there is none.

        Raises:
            UserError: an experiment that `warm_start` names cannot be used.
        """
        changes = self._changes(memory.state, then)
        if memory.state.finished and not changes:
            return
        adopter = Adopter(self._space, self._base, self._corpus, self._budget_words)
        warmed = () if changes else memory.state.warmed
        adopter.read([source for source in self._space.warm_start if source not in warmed], self._folder)
        memory.open_journal()
        if memory.state.sessions:
            memory.record("resumed")
        else:
            corpus = {"words": self._corpus.words, "samples": self._corpus.samples}
            name, budget = self._space.name, self._budget_words
            study, source = to_json(self._space), seeds_source(self._space)
            memory.record("opened", space=name, study=study, budget_words=budget, corpus=corpus, seeds_source=source)
        if changes:
            memory.record("changed", differences=[str(change) for change in changes], space=to_json(self._space))
        if then is not None:
            study_folder.update(self._folder, then, self._space, self._base, self._corpus)
        adopter.adopt(memory)
        for trial in list(memory.state.waiting()):
            if trial.rungs:
                judge.judge(trial, max(trial.rungs))  # reported, and killed before the decision was written
                if trial.must_stop:
                    judge.stop(trial, None)

    def _changes(self, state: SearchState, then: Experiment | None) -> list[Difference]:
        """What the file asks for now that it did not; where a finished search might run is no matter."""
        before = state.space if state.space is not None or then is None else then.space
        if not state.sessions or before is None:
            return []
        changes = study_folder.changes(before, self._space)
        return [change for change in changes if not (state.finished and change.key.startswith("resources."))]
