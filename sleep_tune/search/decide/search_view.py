"""Read-only view of a search, running or recorded, for the screen, the plain lines and the status."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

from sleep_tune.experiment.search_state import MAIN, SearchState, TrialState
from sleep_tune.search.space.search_space import Space

__all__ = ["SearchView"]


class SearchView(ABC):
    """Read-only view of a search. The director is one; `monitor.snapshot` reads one from a folder."""

    space: Space
    """The current space."""
    state: SearchState
    """The state of the search. Read only."""
    held: str | None
    """Why the search is paused; None if it is not."""

    @abstractmethod
    def seconds(self) -> float:
        """Return the wall clock in seconds, over all sessions."""

    @property
    def trials(self) -> Mapping[str, TrialState]:
        """Every trial asked for so far, in that order."""
        return MappingProxyType(self.state.trials)

    @property
    def finished(self) -> bool:
        """Whether every trial, baseline and finalist has ended."""
        return self.state.finished

    @property
    def ended(self) -> str | None:
        """Why the search asks for no more trials; None if it does. Baselines and finalists may still be running."""
        return self.state.study(MAIN).ended

    @property
    def changes(self) -> list[str]:
        """How this session differs from the last: options of the space, trials copied from earlier experiments."""
        return self.state.changes

    def best(self) -> TrialState | None:
        """Return the best completed trial of the search so far."""
        return self.state.best()
