"""The points of a grid, each proposed once."""

from sleep_tune.experiment.search_state import StudyState
from sleep_tune.experiment.trial_state import Value, configuration_key
from sleep_tune.search.space.search_space import Parameter
from sleep_tune.search.space.settings import list_settings

__all__ = ["Grid"]


class Grid:
    """Proposes every point of a study once, in the order of `list_settings`.

    A point whose trial failed because of its machine is proposed again after all others.

    Args:
        parameters: without ranges of reals.
    """

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self._points = list_settings(parameters)
        self._next = next(self._points, None)

    def next_point(self, study: StudyState) -> dict[str, Value]:
        """Return the next point; the same one until the study has a trial with it.

        Args:
            study: state of the study; not all of its points may have been tried.
        """
        while self._next is not None:
            key = configuration_key(self._next)
            if key not in study.known and key not in study.lost:
                return self._next
            self._next = next(self._points, None)
        return dict(next(iter(study.lost.values())))
