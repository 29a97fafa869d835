"""experiment.yaml: what an experiment folder is an experiment of, and the refusal to continue it as another one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.config.environment import environment
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import to_dict
from sleep_tune.errors import RunFolderError
from sleep_tune.files import write_whole
from sleep_tune.search.space import CorpusSummary, Space, to_json

__all__ = ["FILE", "open_folder"]

FILE = "experiment.yaml"

FREE = ("resources", "base")
"""Parts of the space that may change: where it runs; and `base`, since what it composes to is compared instead."""


def open_folder(folder: Path, space: Space, base: RunConfig, corpus: CorpusSummary) -> None:
    """Make the folder and write experiment.yaml, or check that it is the same study that goes on.

    Raises:
        RunFolderError: another study is there; the message says what differs. Or experiment.yaml cannot be read.
    """
    now = {
        "space": to_json(space),
        "base": to_dict(base),
        "corpus": {"words": corpus.words, "samples": corpus.samples},
    }
    path = folder / FILE
    if not path.exists():
        if folder.is_dir() and (folder / "trials.jsonl").exists():
            raise RunFolderError(f"{folder} holds trials.jsonl but no {FILE}: move it away or choose another name")
        write_whole(path, yaml.safe_dump(now | environment(), sort_keys=False, allow_unicode=True))
        return
    try:
        then = yaml.safe_load(path.read_text(encoding="utf-8"))
        differences = list(_differences(then["space"], now["space"], FREE))
        differences += _differences({"base": then["base"]}, {"base": now["base"]})
        differences += _differences({"corpus": then["corpus"]}, {"corpus": now["corpus"]})
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RunFolderError(f"{path} cannot be read as an experiment ({error!r})") from error
    if differences:
        more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
        raise RunFolderError(
            f"{folder} holds another study: {'; '.join(differences[:3])}{more}. "
            "Give this one another name (name=...), or move the folder away"
        )


def _differences(
    then: Mapping[str, Any], now: Mapping[str, Any], free: tuple[str, ...] = (), prefix: str = ""
) -> Iterator[str]:
    """'key was this there and is that here', for every option that differs."""
    for key in dict.fromkeys([*then, *now]):
        if key in free:
            continue
        before, after = then.get(key), now.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _differences(before, after, (), f"{prefix}{key}.")
        elif _plain(before) != _plain(after):
            yield f"{prefix}{key} is {_plain(before)} there and {_plain(after)} here"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
