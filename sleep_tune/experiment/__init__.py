"""What an experiment's folder holds, read by the search and by the results alike: its log, its files, its runs."""

__all__: list[str] = []
