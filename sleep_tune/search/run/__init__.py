"""Running a search: trials in this process or on Ray, their output and disk space, and stop signals."""

__all__: list[str] = []
