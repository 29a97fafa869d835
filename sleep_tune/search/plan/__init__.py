"""The plan of a search: what it would run and what that takes, before anything is started."""

__all__: list[str] = []
