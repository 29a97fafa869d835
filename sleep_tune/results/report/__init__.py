"""report.html: an experiment's answer, figures and tables in one file that opens anywhere, offline."""

__all__: list[str] = []
