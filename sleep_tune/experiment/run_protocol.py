"""The protocol by which a run is scored on BabyLM's tasks: chosen once, written down, and kept when it is resumed.

A configuration that was stored before there was a second protocol names none; its scores are those of ABSENT.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL, protocol_of_data
from sleep_tune.babylm.protocols import ABSENT, PROTOCOLS
from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError
from sleep_tune.experiment.experiment_file import EXPERIMENT, read_experiment_file
from sleep_tune.files import expanded
from sleep_tune.import_paths import is_import_path

__all__ = ["complete_stored", "protocol_of_experiment", "with_protocol"]


def with_protocol(config: RunConfig, recorded: str = AUTO_PROTOCOL) -> RunConfig:
    """Return the configuration with a year as evaluation.protocol if it has evaluation.data, else as it is.

    Args:
        config: its evaluation.protocol is a year, which stays, or AUTO_PROTOCOL.
        recorded: protocol of the run or the search that is resumed, which replaces AUTO_PROTOCOL. If that is
            AUTO_PROTOCOL too, the data's folders decide.

    Raises:
        DataError: AUTO_PROTOCOL, and the data has folders of two protocols.
        ConfigError: evaluation.tasks names a task that the protocol does not have.
    """
    evaluation = config.evaluation
    if evaluation.data is None:
        return config
    given = recorded if evaluation.protocol == AUTO_PROTOCOL else evaluation.protocol
    protocol = protocol_of_data(expanded(evaluation.data), given)
    for task in evaluation.tasks:
        if not is_import_path(task) and task not in protocol.folders:
            years = " and ".join(year for year, other in PROTOCOLS.items() if task in other.folders)
            raise ConfigError(
                f"evaluation.tasks must name tasks of {protocol.year}, by whose protocol {evaluation.data} is scored "
                f"(evaluation.protocol={evaluation.protocol}); got {task}, a task of {years}"
            )
    return replace(config, evaluation=replace(evaluation, protocol=protocol.year))


def complete_stored(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored configuration, nested, with ABSENT as its protocol if it has tasks' data and names none."""
    evaluation = tree.get("evaluation")
    if not isinstance(evaluation, Mapping) or evaluation.get("data") is None or "protocol" in evaluation:
        return dict(tree)
    return {**tree, "evaluation": {**evaluation, "protocol": ABSENT}}


def protocol_of_experiment(folder: Path) -> str:
    """Return the protocol of the search in a folder; AUTO_PROTOCOL if there is none, or none with tasks' data.

    Raises:
        RunFolderError: its experiment.yaml cannot be read.
    """
    try:
        base = read_experiment_file(folder / EXPERIMENT).get("base")
    except FileNotFoundError:
        return AUTO_PROTOCOL
    evaluation = complete_stored(base if isinstance(base, Mapping) else {}).get("evaluation")
    protocol = evaluation.get("protocol") if isinstance(evaluation, Mapping) else None
    return protocol if isinstance(protocol, str) and protocol in PROTOCOLS else AUTO_PROTOCOL
