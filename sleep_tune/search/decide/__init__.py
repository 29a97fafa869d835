"""The decisions of a search: which settings to train next, which trials to stop, when the search is over."""

__all__: list[str] = []
