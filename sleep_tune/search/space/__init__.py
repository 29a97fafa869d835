"""Search spaces: their schema, reading them from a file, and the configuration of each trial.

search_space.py: the typed space. space_path.py: where its file is. space_file.py: reading it from YAML and the command
line; its parts are in base.py, parameters.py, sections.py, objective.py and space_overrides.py. trial_configs.py: the
configuration of a trial. budget_check.py: whether the budget can hold it. rungs.py: where trials are compared.
space_help.py: `--help`.
"""

__all__: list[str] = []
