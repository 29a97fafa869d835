"""The search: a space of settings, who proposes them, who stops them, and the log that makes all of it resumable."""

__all__: list[str] = []
