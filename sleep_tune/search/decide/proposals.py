"""Proposals: the next trial of a study or run over fresh seeds, looks, ends of studies, trials that need no training.

Every step is one event, and depends only on the events before it.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from sleep_tune.errors import DataError
from sleep_tune.experiment.look_evidence import ArmEvidence, Judge
from sleep_tune.experiment.search_state import SearchState, StudyState, TrialState
from sleep_tune.experiment.trial_state import Value, configuration_key
from sleep_tune.search.decide.finalists import due_repeats, fresh_seeds, look_schedule, why_dropped
from sleep_tune.search.decide.search_history import SearchHistory
from sleep_tune.search.decide.studies import SettingsSearch
from sleep_tune.search.space.search_space import Space
from sleep_tune.search.space.settings import list_settings
from sleep_tune.search.space.trial_configs import TrialConfigs

__all__ = ["MAX_REFUSALS", "MAX_REPEATS", "MOST_LISTED", "Proposals", "cost_limit", "reason_to_stop"]

MAX_REPEATS = 10
"""Proposals in a row that repeat an earlier trial before that trial's result is taken.

The second half are drawn at random: from the untried settings, if there are at most `MOST_LISTED` settings.
"""

MOST_LISTED = 10_000
"""Settings that are listed to draw an untried one; of more, few are tried, and a random one is rarely a repeat."""

MAX_REFUSALS = 1000
"""Settings refused in a row after which a study ends: its space does not fit its budget. A grid tries all points."""


class Proposals:
    """Asks the studies in turn, then for the runs over fresh seeds that are due.

    Args:
        space: the current space.
        history: state of the search, and where events are logged.
        configs: makes the configuration of a trial.
        seed: of the search's own runs, the same for all of them.
        judge: says at a look which arms are decided; None if nothing does.
    """

    def __init__(
        self, space: Space, history: SearchHistory, configs: TrialConfigs, *, seed: int, judge: Judge | None
    ) -> None:
        self._space = space
        self._history = history
        self._configs = configs
        self._seed = seed
        self._judge = judge

    def ask(self) -> bool:
        """Ask one study for one more trial; return False if none has one now."""
        for study in self._history.studies:
            state = self._history.state.study(study.name)
            if state.ended is not None:
                continue
            now = self._history.now()
            reason = reason_to_stop(study, state, self._history.state, now=now)
            if reason is not None:
                self._history.record("ended", study=study.name, reason=reason)
                continue
            given = self._next_enqueued(study, state)
            if given is None and state.repeats > MAX_REPEATS:
                continue  # the sampler proposes what is being trained; wait until one of these trials has ended
            parameters = self._propose(study, state) if given is None else study.sampler.ask(state.asks, fixed=given)
            trial = f"{study.prefix}t{state.asks + 1:04d}"
            self._history.record_asked(
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

    def ask_repeat(self) -> bool:
        """Ask for one more run over fresh seeds, or return to earlier ones; return False if none is due now."""
        state = self._history.state
        for repeat in due_repeats(self._space, state, self._seeds):
            run = state.trials.get(repeat.id)
            if run is not None and (run.kind == "dropped" or state.versions[run.arm] != state.version(run)):
                self._history.record("returned", run=run.id)
                return True
            if run is None:
                self._history.record_asked(
                    repeat.id,
                    role=repeat.role,
                    arm=repeat.arm,
                    seed=repeat.seed,
                    study="",
                    number=None,
                    parameters=repeat.parameters,
                    group="",
                    **({} if repeat.matched is None else {"matched": repeat.matched}),
                )
                return True
        return False

    def judge_arms(self) -> bool:
        """Take the next look, if all runs that are due have ended; return False if there is none now.

        If the arms cannot be compared, none is decided, and the event says why.
        """
        if not self._history.state.all_ended():
            return False
        looks = look_schedule(self._space, self._history.state)
        if looks.number is None:
            return False
        found, reason = self._compare(self._seeds[: looks.seeds])
        arms = {arm: self._evidence(arm, found, reason) for arm in looks.arms}
        self._history.record("look", number=looks.number, seeds=looks.seeds, arms=arms, reason=reason)
        return True

    def drop(self, run: TrialState) -> bool:
        """End a waiting run that the space has no use for any more; return False if it has."""
        reason = why_dropped(self._space, self._history.state, run)
        if reason is not None:
            self._history.record("refused", run, kind="dropped", reason=reason)
        return reason is not None

    def end_untrained(self, trial: TrialState) -> bool:
        """End a trial that cannot or need not be trained; return False if it must be."""
        parent = None if trial.matched is None else self._history.state.trials[trial.matched]
        if parent is not None and parent.state != "completed":
            reason = f"{parent.id}, whose exposures it has, {parent.state}: {parent.reason}"
            self._history.record("failed", trial, kind="parent", reason=reason)
            return True
        refusal = self._configs.refusal(trial)
        if refusal is not None:
            self._history.record("refused", trial, kind=refusal.kind, reason=refusal.reason)
            return True
        if trial.number is None or trial.point is None:
            return False
        study = self._history.state.study(trial.study)
        first = self._history.state.trials[study.known.get(configuration_key(trial.point), trial.id)]
        if first is trial:
            return False
        is_known = first.ended or first.state == "paused"
        if trial.enqueued or study.repeats < MAX_REPEATS or not is_known:
            self._history.record("refused", trial, kind="repeat", reason=f"repeats {first.id}")
            return True
        self._history.record(
            first.state if first.ended else "stopped",
            trial,
            repeats=first.id,
            reason=f"has the result of {first.id}",
            kind=first.kind,
            value=first.value,
            outcome=None if first.outcome is None else first.outcome.to_json(),
        )
        return True

    def _compare(self, seeds: tuple[int, ...]) -> tuple[Mapping[str, ArmEvidence], str | None]:
        """Return the evidence on the arms that are compared, or why they cannot be."""
        reference = self._space.comparison.reference
        if reference not in (*self._space.baselines, *self._space.arms):
            return {}, f"the study has no {reference} to compare with (comparison.reference)"
        if self._judge is None:
            return {}, "nothing judges the arms of this search"
        try:
            return self._judge(seeds), None
        except DataError as error:
            return {}, str(error)

    def _evidence(self, arm: str, found: Mapping[str, ArmEvidence], reason: str | None) -> dict[str, Any] | None:
        if reason is not None:
            return ArmEvidence().to_json()
        return found[arm].to_json() if arm in found else None

    def _next_enqueued(self, study: SettingsSearch, state: StudyState) -> Mapping[str, Value] | None:
        """Return the next point of the space's `enqueue`; None if all have been asked for."""
        listed: Counter[str] = Counter()
        for point in self._space.enqueue if study.baseline is None else ():
            key = configuration_key(point)
            listed[key] += 1
            if state.enqueued.get(key, 0) < listed[key]:
                return point
        return None

    def _propose(self, study: SettingsSearch, state: StudyState) -> dict[str, Value]:
        if study.grid is not None:
            return study.grid.next_point(state)
        if state.repeats < MAX_REPEATS // 2:
            return study.sampler.ask(state.asks)
        if study.num_settings is None or study.num_settings > MOST_LISTED:
            return study.sampler.ask(state.asks, explore=True)
        untried = [chosen for chosen in list_settings(study.parameters) if configuration_key(chosen) not in state.known]
        return untried[np.random.default_rng([self._space.search.seed, state.asks]).integers(len(untried))]

    @cached_property
    def _seeds(self) -> tuple[int, ...]:
        """Fresh seeds; known once the search is open."""
        return fresh_seeds(self._space, self._history.state.seeds_source, taken=self._seed)


def reason_to_stop(search: SettingsSearch, study: StudyState, state: SearchState, *, now: float) -> str | None:
    """Return why a study should ask for no more trials; None if it should ask on.

    Args:
        search: the study: its limits (None is no limit) and the number of settings that it can propose.
        study: its state.
        state: state of all studies.
        now: seconds since 1970.
    """
    stop = search.stop
    if stop.trials is not None and study.trained >= stop.trials:
        return f"stop.trials: {study.trained} trials"
    spent = cost_limit(search, study, state, now=now)
    if spent is not None:
        return spent
    if search.num_settings is not None and len(study.known) >= search.num_settings:
        return f"all {search.num_settings} settings of the space have been tried"
    if study.refusals >= MAX_REFUSALS and search.grid is None:
        last = [trial for trial in state.trials.values() if trial.study == study.name][-1]
        return f"{study.refusals} settings in a row were refused; the last: {last.reason}"
    return None


def cost_limit(search: SettingsSearch, study: StudyState, state: SearchState, *, now: float) -> str | None:
    """Return which limit of cost or of progress a study has reached, at which no paused trial is promoted either.

    Args: as for `reason_to_stop`.
    """
    stop = search.stop
    hours = state.seconds(now) / 3600
    if stop.hours is not None and hours >= stop.hours:
        return f"stop.hours: {hours:.2f} hours"
    gpu_hours = state.gpu_hours(study.name)
    if stop.gpu_hours is not None and gpu_hours >= stop.gpu_hours:
        return f"stop.gpu_hours: {gpu_hours:.2f} GPU-hours"
    if stop.no_improvement is not None and study.without_improvement >= stop.no_improvement:
        return f"stop.no_improvement: {study.without_improvement} completed trials without a new best"
    return None
