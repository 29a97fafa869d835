"""The configuration of a run: schema, checks, composition from groups and overrides, and its description.

schema.py: the options. options.py: one option and its check. tree.py: nested dictionaries and RunConfig. check.py:
rules between options. yaml_file.py: YAML read strictly. groups.py: the files of conf/. load.py: composition, the only
file that knows hydra. describe.py: `--help` and `--cfg job`. environment.py and run_folder.py: what a run's folder says
of itself. quiet.py: where libraries' noise goes.
"""

__all__: list[str] = []
