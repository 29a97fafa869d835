"""The configuration of a run: schema, checks, composition from groups and overrides, and its description.

schema.py: the options. options.py: one option and its check. entry.py: values with their places, and mistakes.
checker.py: the check of sections, of search spaces too. rules.py, sleep_rules.py: rules between options.
tree.py: nested dictionaries. yaml_file.py: YAML with lines. groups.py: the files of conf/. load.py: composition by
hydra. describe.py: `--help` and `--cfg job`. size.py, environment.py and library_logs.py: sizes, versions and logs of a
run. run_names.py: names of runs from their settings. foreign_names.py: what other tools call the options.
"""

__all__: list[str] = []
