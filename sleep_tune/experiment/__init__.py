"""The files of an experiment, read by the search and by the results: event log, experiment.yaml, folders of runs."""

__all__: list[str] = []
