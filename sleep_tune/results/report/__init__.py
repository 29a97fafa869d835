"""report.html: one file that opens anywhere, offline, and answers from the experiment's own numbers."""

__all__: list[str] = []
