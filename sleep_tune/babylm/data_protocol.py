"""The protocol that a folder of BabyLM's evaluation data belongs to, by the names of its task folders."""

from pathlib import Path

from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.protocols import NEWEST, PROTOCOLS, Protocol
from sleep_tune.errors import DataError

__all__ = ["AUTO_PROTOCOL", "find_folder", "folders_of_other_protocols", "protocol_of_data"]

AUTO_PROTOCOL = "auto"
"""Stands for the protocol that the data's folders belong to."""


def protocol_of_data(data: Path, given: str = AUTO_PROTOCOL) -> Protocol:
    """Return the protocol by which a folder of evaluation data is scored.

    Args:
        data: such as evaluation_data/fast_eval.
        given: a year of PROTOCOLS, which is returned whatever the data; or AUTO_PROTOCOL: the one protocol that alone
            has some of the data's folders (2025: wug_past_tense), or NEWEST if all of them are of several protocols.

    Raises:
        DataError: AUTO_PROTOCOL, and the data has folders of two protocols that no other one has.
    """
    if given != AUTO_PROTOCOL:
        return PROTOCOLS[given]
    found = {}
    for protocol in PROTOCOLS.values():
        others = {name for other in PROTOCOLS.values() if other is not protocol for name in other.folders}
        if own := [name for name in protocol.folders if name not in others and find_folder(data, name)]:
            found[protocol.year] = own
    if len(found) > 1:
        each = "; ".join(f"{', '.join(names)} of {year}" for year, names in found.items())
        raise DataError(
            f"{data} must hold folders of one protocol; it holds {each}: choose one with --protocol or "
            "evaluation.protocol"
        )
    return PROTOCOLS[next(iter(found), NEWEST)]


def folders_of_other_protocols(data: Path, protocol: Protocol) -> list[str]:
    """Return the names of the folders in a folder of evaluation data that only other years' protocols have."""
    return [name for name in FOLDERS if name not in protocol.folders and find_folder(data, name)]


def find_folder(data: Path, name: str) -> Path | None:
    """Return the path of a task's folder, or else of a zip of it; None if there is neither."""
    folder, archive = data / name, data / f"{name}.zip"
    if folder.is_dir():
        return folder
    return archive if archive.is_file() else None
