"""Identity of an experiment: writing experiment.yaml, and refusing to resume a folder with another study.

The file holds the current space; earlier spaces, and when they changed, are in the log. The log is written first: if a
kill leaves the file behind, the next session updates it.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sleep_tune.config.environment import environment
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.config.sources import compared_by_source, joined_sources
from sleep_tune.config.tree import flatten, from_dict, to_dict
from sleep_tune.errors import ConfigError, RunFolderError, listed
from sleep_tune.experiment.event_log import LOG
from sleep_tune.experiment.experiment_file import EXPERIMENT, read_experiment_file, sealed
from sleep_tune.experiment.run_folder import CONFIG, IRRELEVANT
from sleep_tune.experiment.run_protocol import complete_stored
from sleep_tune.experiment.search_state import SearchState
from sleep_tune.files import write_whole
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.search.space.space_json import to_json

__all__ = ["ExperimentIdentity", "OptionChange", "check_reserve", "check_same_study", "check_trials"]
__all__ += ["describe_changes", "find_differences", "find_space_changes", "open_folder", "update"]

FIXED = ("name", "objective", "comparison", "search.seed", "finalists.first_seed")
"""Parts of the space, by dotted key, that must not change in a folder; nor must the composed base."""

RESERVE = "comparison.reserve"
"""The part of these that may change until the first run over fresh seeds begins."""

WHOLE = ("base", "parameters", "baselines", "arms")
"""Parts of the space whose keys the user names: a missing key has no default."""


class OptionChange(NamedTuple):
    """An option, by dotted key, whose value differs."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if isinstance(self.before, Mapping) and self.after is None:  # a whole parameter or arm
            return f"{self.key}: removed"
        if isinstance(self.after, Mapping) and self.before is None:
            return f"{self.key}: added"
        return f"{self.key}: {_words(self.before)} -> {_words(self.after)}"


def _words(value: Any) -> str:
    """Return a value as a space would hold it; of {looks: [5, 8]}, without quotes."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_words(inner)}' for key, inner in value.items())}}}"
    return str(value)


class ExperimentIdentity:
    """Space, base and corpus of an experiment, read from its folder.

    Args:
        folder: of the experiment.

    Raises:
        RunFolderError: experiment.yaml is missing, or cannot be read as an experiment.

    Attributes:
        space: as JSON (`space_json.to_json`), with today's defaults for options that it lacks.
        tree: the composed base, nested.
        base: the composed base, by dotted key.
        corpus: read by its trials.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / EXPERIMENT
        try:
            stored = read_experiment_file(path)
            for key in ("space", "base", "corpus"):
                if not isinstance(stored.get(key), Mapping):
                    raise RunFolderError(
                        f"{path} must hold space, base and corpus, each a mapping; {key} is "
                        f"{'none' if key in stored else 'missing'}: put the file back from a copy"
                    )
            self.space = _with_defaults(stored["space"])
            self.tree = to_dict(from_dict(complete_stored(stored["base"])))
            self.base = flatten(self.tree)
            self.corpus = CorpusSummary(words=stored["corpus"]["words"], samples=stored["corpus"]["samples"])
        except FileNotFoundError:
            raise RunFolderError(f"{folder} must be the folder of a search; got no {EXPERIMENT} in it") from None
        except ConfigError as error:
            what = str(error).partition(";")[0]  # without the list of options
            raise RunFolderError(
                f"{path} must describe an experiment of this version of sleep-tune, and not of a newer one: {what}"
            ) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise RunFolderError(f"{path} cannot be read as an experiment ({error!r})") from error


def open_folder(folder: Path, space: Space, base: RunConfig, corpus: CorpusSummary) -> ExperimentIdentity:
    """Make the folder and write experiment.yaml, or check that it holds the same study, possibly with another space.

    Returns:
        The identity of the experiment as the file has it.

    Raises:
        RunFolderError: the folder holds another study (the message names what differs), or cannot be read.
    """
    if not (folder / LOG).exists():
        check_trials(folder, ())
    if not (folder / EXPERIMENT).exists():
        if folder.is_dir() and (folder / LOG).exists():
            raise RunFolderError(
                f"{folder} holds {LOG} but no {EXPERIMENT}: put that back from a copy, move the folder away, or choose "
                "another name (name=...)"
            )
        _write(folder, space, base, corpus)
    return check_same_study(folder, space, base, corpus)


def check_same_study(folder: Path, space: Space, base: RunConfig, corpus: CorpusSummary) -> ExperimentIdentity:
    """Check that the folder of an experiment holds this study, possibly with another space; nothing is written.

    Returns:
        The identity of the experiment as the file has it.

    Raises:
        RunFolderError: it holds another study (the message names what differs), or cannot be read.
    """
    then = ExperimentIdentity(folder)
    differences = [
        *(change for change in _differences(then.space, to_json(space)) if _is_fixed(change.key)),
        *_base_differences(then, base),
        *_differences(_corpus(then.corpus), _corpus(corpus), "corpus."),
    ]
    if [difference.key for difference in differences] == ["name"]:
        raise RunFolderError(
            f"{folder} holds the study {then.space['name']}, copied or moved: an experiment keeps its name. To resume "
            f"it, name its folder {then.space['name']} again (--dir says where it lies); to begin {space.name} with "
            f"its trials, set warm_start=[{folder}] and move the folder aside"
        )
    if differences:
        raise RunFolderError(
            f"{folder} holds another study: {describe_changes(differences)}. "
            "Give this one another name (name=...), or move the folder away"
        )
    return then


def check_reserve(folder: Path, state: SearchState, changes: Iterable[OptionChange]) -> None:
    """Refuse another share of the significance level for added seeds once runs over fresh seeds have begun.

    Args:
        folder: of the experiment.
        state: of its search.
        changes: how the space differs from that of the last session.

    Raises:
        RunFolderError: it differs.
    """
    change = next((change for change in changes if change.key == RESERVE), None)
    if change is not None and state.versions:
        known = "reserve" in ((state.space or {}).get("comparison") or {})  # not in a study of an earlier version
        begun = f"with {RESERVE}={change.before}" if known else f"without {RESERVE}"
        raise RunFolderError(
            f"{folder} holds a study whose runs over fresh seeds have begun {begun}, which is fixed since then; got "
            f"{RESERVE}={change.after}: {f'set it to {change.before} again' if known else 'leave it out'}"
        )


def check_trials(folder: Path, known: Container[str]) -> None:
    """Check that every run in trials/ is in the log: a log that was cut off must not be resumed as an earlier one.

    Args:
        folder: of the experiment.
        known: trials of its log.

    Raises:
        RunFolderError: a run is not in the log; the message names it.
    """
    runs = sorted(path.parent.name for path in (folder / "trials").glob(f"*/{CONFIG}"))
    unknown = [name for name in runs if name not in known]
    if unknown:
        raise RunFolderError(
            f"{folder / 'trials'} holds {listed(unknown)}, which are not in {LOG}: lines of it are missing. Put it "
            "back from a copy, or move these folders away to train such trials anew"
        )


def find_space_changes(then: Mapping[str, Any], space: Space) -> list[OptionChange]:
    """Return how the space differs from an earlier one, given as JSON."""
    return [
        difference
        for difference in _differences(_with_defaults(then), to_json(space))
        if difference.key.split(".")[0] != "base"
    ]


def update(folder: Path, then: ExperimentIdentity, space: Space, base: RunConfig, corpus: CorpusSummary) -> None:
    """Write experiment.yaml again if its space or base has changed.

    It keeps the sources of functions that the space no longer names, since earlier trials used them.
    """
    sources = joined_sources(then.tree["run"]["sources"], base.run.sources)
    base = replace(base, run=replace(base.run, sources=sources))
    if find_space_changes(then.space, space) or then.tree != to_dict(base):
        _write(folder, space, base, corpus)


def find_differences(
    there: ExperimentIdentity, space: Space, base: RunConfig, corpus: CorpusSummary
) -> list[OptionChange]:
    """Return how another experiment differs from this one, except in searched options and in paths."""
    searched = {parameter.key for parameter in space.parameters} | set(there.space["parameters"])
    for section, members in ONE_OF.items():
        keys = {f"{section}.{member}" for member in members}
        searched |= keys if keys & searched else set()  # a searched option clears the others of its section
    differences = [
        *_base_differences(there, base),
        *_differences(_corpus(there.corpus), _corpus(corpus), "corpus."),
        *_differences(there.space["objective"], to_json(space)["objective"], "objective."),
    ]
    free = {f"base.{key}" for key in searched}
    return [difference for difference in differences if difference.key not in free]


def describe_changes(differences: Sequence[OptionChange]) -> str:
    """Return the first three differences as text, for a message."""
    more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
    return "; ".join(f"{key} is {before} there and {after} here" for key, before, after in differences[:3]) + more


def _is_fixed(key: str) -> bool:
    return key.startswith(FIXED) and key != RESERVE


def _write(folder: Path, space: Space, base: RunConfig, corpus: CorpusSummary) -> None:
    now = {"space": to_json(space), "base": to_dict(base), "corpus": _corpus(corpus)}
    write_whole(folder / EXPERIMENT, sealed(yaml.safe_dump(now | environment(), sort_keys=False, allow_unicode=True)))


def _base_differences(there: ExperimentIdentity, base: RunConfig) -> Iterator[OptionChange]:
    """Yield differences of the base, except options that may change when a run is resumed."""
    free = {f"base.{key}" for key in IRRELEVANT}
    found = _differences(*compared_by_source(there.base, flatten(to_dict(base))), "base.")
    return (difference for difference in found if difference.key not in free)


def _corpus(corpus: CorpusSummary) -> dict[str, int]:
    return {"words": corpus.words, "samples": corpus.samples}


def _with_defaults(space: Mapping[str, Any]) -> dict[str, Any]:
    """Return a space that may be an earlier version's, with today's defaults for options that it lacks."""
    filled = to_json(Space(name=space["name"]))
    for key, value in space.items():
        is_section = isinstance(value, Mapping) and isinstance(filled.get(key), Mapping) and key not in WHOLE
        filled[key] = filled[key] | value if is_section else value
    return filled


def _differences(then: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[OptionChange]:
    for key in dict.fromkeys([*then, *now]):
        before, after = _plain(then.get(key)), _plain(now.get(key))
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            yield OptionChange(f"{prefix}{key}", before, after)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
