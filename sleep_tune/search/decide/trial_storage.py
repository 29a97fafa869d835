"""Storage that Optuna's samplers read, which holds trials without copying them."""

from collections.abc import Container

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

__all__ = ["TrialStorage"]


class TrialStorage(InMemoryStorage):
    """Storage of one study; trials are added directly and never copied.

    Optuna's own ask and tell take time in proportion to the number of trials, and copy each trial that they touch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trials_by_id: dict[str, FrozenTrial] = {}
        """Id of a trial -> Optuna's trial, whose number and times do not matter."""

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[OptunaState] | None = None
    ) -> list[FrozenTrial]:
        """Return all trials, in the order in which they were added."""
        return [trial for trial in self.trials_by_id.values() if states is None or trial.state in states]
