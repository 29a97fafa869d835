"""Search over settings: the space, proposals, early stopping, running trials, and monitoring."""

__all__: list[str] = []
