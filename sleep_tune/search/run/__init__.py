"""Running a search: trials in this process or on Ray, their output, their disk space, and what a signal does."""

__all__: list[str] = []
