"""Name and folder of a run that is trained by hand, where they were not given."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL
from sleep_tune.config.run_names import PLAIN_RUN, name_run
from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import UserError
from sleep_tune.experiment.run_folder import holds_run, read_config
from sleep_tune.experiment.run_protocol import with_protocol
from sleep_tune.files import expanded

__all__ = ["RUNS", "compose_run"]

RUNS = Path("runs")
"""Folder of the runs, in the working directory."""


def compose_run(overrides: Sequence[str] | Mapping[str, Any]) -> RunConfig:
    """Return a run's configuration, with run.name, run.dir and the protocol of its tasks filled in.

    A run without a name is called after its settings, or after its folder if that was given. A run that is in its
    folder already keeps its name, which its copies in training.mirror bear. Earlier versions called a run default: if
    runs/default holds the same run, it stays there.

    Args:
        overrides: choices of groups, and options by dotted key: texts as on a command line, or a mapping.

    Raises:
        UserError: a mistake in the overrides (`config.load.compose`), or data of two protocols (`with_protocol`).
    """
    from sleep_tune.config.load import compose, parse_override

    settings: Mapping[str, Any]
    if isinstance(overrides, Mapping):
        config, settings = compose([], base=overrides), overrides
    else:
        config, settings = compose(overrides), dict(map(parse_override, overrides))
    name = config.run.name
    if config.run.dir is not None:
        folder = expanded(config.run.dir)
        return _placed(config, name or _name_in(folder, config) or folder.resolve().name, folder)
    if name is None:
        name = PLAIN_RUN if _name_in(RUNS / PLAIN_RUN, config) else name_run(settings)
    return _placed(config, name, RUNS / name)


def _placed(config: RunConfig, name: str, folder: Path) -> RunConfig:
    config = with_protocol(config, _protocol_in(folder))
    return replace(config, run=replace(config.run, name=name, dir=str(folder)))


def _protocol_in(folder: Path) -> str:
    """Return the protocol of the run in `folder`; AUTO_PROTOCOL if there is none that can be read."""
    try:
        return read_config(folder).evaluation.protocol
    except UserError:
        return AUTO_PROTOCOL


def _name_in(folder: Path, config: RunConfig) -> str | None:
    """Return the name under which `folder` holds this run; None if it does not."""
    try:
        return read_config(folder).run.name if holds_run(folder, config) else None
    except UserError:
        return None
