"""Monitoring of a search: the live screen, plain lines, the rung table, what is left, the status from another shell."""

__all__: list[str] = []
