"""What to ask for next: one more trial of a study, or one more run over fresh seeds; and what need not be trained.

Starts nothing and stops nothing. Every step is one event, and follows from the events before it alone.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from sleep_tune.experiment.search_state import StudyState, TrialState
from sleep_tune.experiment.trial_state import Value, configuration_key
from sleep_tune.search.decide.finalists import due_repeats, fresh_seeds
from sleep_tune.search.decide.search_memory import Memory
from sleep_tune.search.decide.stop_rules import reason_to_stop
from sleep_tune.search.decide.studies import Study
from sleep_tune.search.space.search_space import Space, list_settings
from sleep_tune.search.space.trial_configs import TrialConfigs

__all__ = ["MAX_REPEATS", "Asker"]

MAX_REPEATS = 10
"""Proposals in a row that repeat an earlier one before its result is taken.

The second half are drawn at random: where all settings can be listed, from those that have not been tried.
"""


class Asker:
    """Asks the studies in turn, then for the repeats that are due.

    Args:
        space: the study.
        memory: what is known, and where events are written.
        configs: what a trial would be.
        seed: of the search's own runs, the same for all of them.
    """

    def __init__(self, space: Space, memory: Memory, configs: TrialConfigs, *, seed: int) -> None:
        self._space = space
        self._memory = memory
        self._configs = configs
        self._seed = seed

    def ask(self) -> bool:
        """Ask one study for one more trial; False when none has any to give now."""
        for study in self._memory.studies:
            state = self._memory.state.study(study.name)
            if state.ended is not None:
                continue
            reason = reason_to_stop(state, self._memory.state, study.stop, study.num_settings, now=self._memory.now())
            if reason is not None:
                self._memory.record("ended", study=study.name, reason=reason)
                continue
            given = self._given(study, state)
            if given is None and state.repeats > MAX_REPEATS:
                continue  # what it proposes is being trained; it may know better when one of these has ended
            parameters = self._propose(study, state) if given is None else study.sampler.ask(state.asks, fixed=given)
            trial = f"{study.prefix}t{state.asks + 1:04d}"
            self._memory.record_asked(
                trial,
                role="search",
                arm=study.baseline or trial,
                seed=self._seed,
                study=study.name,
                number=state.asks,
                parameters=parameters,
                group=str(parameters.get(self._space.scheduler.within or "", "")),
                **({} if given is None else {"enqueued": dict(given)}),
            )
            return True
        return False

    def _given(self, study: Study, state: StudyState) -> Mapping[str, Value] | None:
        """The next of the points that the file wants trained first; None when all have been asked for."""
        listed: Counter[str] = Counter()
        for point in self._space.enqueue if study.baseline is None else ():
            key = configuration_key(point)
            listed[key] += 1
            if state.enqueued.get(key, 0) < listed[key]:
                return point
        return None

    def _propose(self, study: Study, state: StudyState) -> dict[str, Value]:
        if state.repeats < MAX_REPEATS // 2:
            return study.sampler.ask(state.asks)
        if study.num_settings is None:
            return study.sampler.ask(state.asks, explore=True)
        untried = [chosen for chosen in list_settings(study.parameters) if configuration_key(chosen) not in state.known]
        return untried[np.random.default_rng([self._space.search.seed, state.asks]).integers(len(untried))]

    @cached_property
    def _seeds(self) -> tuple[int, ...]:
        """Of repeats; known once the search is open."""
        return fresh_seeds(self._space, self._memory.state.seeds_source, taken=self._seed)

    def repeat(self) -> bool:
        """Ask for one more run over fresh seeds; False when none is due now."""
        for repeat in due_repeats(self._space, self._memory.state, self._seeds):
            if repeat.id not in self._memory.state.trials:
                self._memory.record_asked(
                    repeat.id,
                    role=repeat.role,
                    arm=repeat.arm,
                    seed=repeat.seed,
                    study="",
                    number=None,
                    parameters=repeat.parameters,
                    group="",
                )
                return True
        return False

    def settle(self, trial: TrialState) -> bool:
        """End a trial that cannot or need not be trained; False if it is to be."""
        refusal = self._configs.refusal(trial)
        if refusal is not None:
            self._memory.record("refused", trial, kind=refusal.kind, reason=refusal.reason)
            return True
        if trial.number is None or trial.point is None:
            return False
        study = self._memory.state.study(trial.study)
        first = self._memory.state.trials[study.known.get(configuration_key(trial.point), trial.id)]
        if first is trial:
            return False
        if trial.enqueued or study.repeats < MAX_REPEATS or not first.ended:
            self._memory.record("refused", trial, kind="repeat", reason=f"repeats {first.id}")
            return True
        self._memory.record(
            first.state,
            trial,
            repeats=first.id,
            reason=f"has the result of {first.id}",
            kind=first.kind,
            value=first.value,
            outcome=None if first.outcome is None else first.outcome.to_json(),
        )
        return True
