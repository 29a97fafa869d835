"""Results of BabyLM's official pipeline, read from the folders that it writes, as arms of a comparison.

A model's folder is `<model>/<revision>/zero_shot/<backend>/<task>/<data folder>/best_temperature_report.txt`, reading's
`.../reading/report.txt`. Only reports are read: predictions alone do not say which are right. Knows no experiment.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sleep_tune.babylm import READING_SCORES, benchmark_averages, macro_average, wug_score
from sleep_tune.errors import DataError
from sleep_tune.results.arms import Arm, over_seeds

__all__ = ["ModelScores", "holds_reports", "official_arm", "read_model"]

ROUNDING = 0.0101
"""A printed average is this near to the mean of printed scores, if it is their mean."""

REPORT, READING = "best_temperature_report.txt", "report.txt"

HEADING = re.compile(r"### (?P<group>.+) (?P<metric>ACCURACY|SPEARMAN'S RHO)")
READING_LINES = {"EYE TRACKING SCORE": READING_SCORES[0], "SELF-PACED READING SCORE": READING_SCORES[1]}


@dataclass(frozen=True, slots=True)
class ModelScores:
    """One checkpoint's scores, in percent (wug: rho x 100)."""

    name: str
    """Model, and its revision where that is not main."""
    scores: Mapping[str, float]
    """`babylm/<data folder>` -> its average: that of its paradigms, as reports print two decimals; else as printed."""
    paradigms: Mapping[str, Mapping[str, float]]
    """`babylm/<data folder>` -> UID -> score, where the average is their mean."""


def holds_reports(folder: Path) -> bool:
    """Whether the official pipeline wrote into `folder` or below it."""
    return next(_reports(folder), None) is not None


def read_model(folder: Path) -> ModelScores:
    """Every report of one checkpoint.

    Args:
        folder: of a model with one revision and one back end scored, or any folder between it and the reports.

    Raises:
        DataError: no reports, those of several checkpoints, or a report that is none; the message names file and line.
    """
    scores: dict[str, float] = {}
    paradigms: dict[str, dict[str, float]] = {}
    owners: dict[str, str] = {}
    for path in sorted(_reports(folder)):
        owner, task = _owner(path.resolve())
        owners.setdefault(owner, task)
        if len(owners) > 1:
            raise DataError(
                f"{folder} must hold the reports of one checkpoint; it holds {' and '.join(owners)}: name one of them"
            )
        if path.name == READING:
            scores |= {f"babylm/{name}": value for name, value in _reading(path).items()}
            continue
        average, groups = _report(path)
        by_uid = groups.get("UID", {})
        mean = macro_average(by_uid) if by_uid else average
        if abs(mean - average) <= ROUNDING:
            paradigms[f"babylm/{task}"] = by_uid
            average = mean
        scores[f"babylm/{task}"] = average
    if not owners:
        raise DataError(f"{folder} must hold results of the official pipeline ({REPORT}); there are none")
    averages = benchmark_averages({name.removeprefix("babylm/"): value for name, value in scores.items()})
    if averages is not None:
        scores["babylm/macro"] = averages.score
    return ModelScores(next(iter(owners)), scores, paradigms)


def official_arm(name: str, models: Sequence[ModelScores]) -> Arm:
    """One arm from its checkpoints, each counted as a seed from 1: the i-th is paired with the i-th of other arms."""
    keys = dict.fromkeys(key for model in models for key in model.scores)
    values = {
        key: {seed: model.scores[key] for seed, model in enumerate(models, 1) if key in model.scores} for key in keys
    }
    answers: dict[str, dict[int, pd.Series[float]]] = {}
    for seed, model in enumerate(models, 1):
        for key, groups in model.paradigms.items():
            index = pd.MultiIndex.from_arrays([sorted(groups), sorted(groups)], names=["uid", "id"])
            answers.setdefault(key, {})[seed] = pd.Series([groups[uid] for uid in sorted(groups)], index=index)
    return over_seeds(name, "elsewhere", values, seeds=tuple(range(1, len(models) + 1)), answers=answers)


def _reports(folder: Path) -> Iterator[Path]:
    yield from folder.rglob(REPORT)
    yield from (path for path in folder.rglob(READING) if path.parent.name == "reading")


def _owner(path: Path) -> tuple[str, str]:
    """(checkpoint, data folder) that a report belongs to; a report outside the official layout is its folder's own."""
    parts = path.parts
    if "zero_shot" not in parts:
        return path.parent.parent.name, path.parent.name
    at = len(parts) - 1 - parts[::-1].index("zero_shot")
    model, revision, backend = parts[at - 2], parts[at - 1], parts[at + 1]
    name = model if revision == "main" else f"{model} {revision}"
    return f"{name} ({backend})", path.parent.name


def _report(path: Path) -> tuple[float, dict[str, dict[str, float]]]:
    """The average of a report, and its groups: FIELD, UID, LINGUISTICS_TERM -> name -> score."""
    groups: dict[str, dict[str, float]] = {}
    group, scale = None, 1.0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        heading = HEADING.fullmatch(line.strip())
        if heading:
            group = heading["group"]
            scale = 1.0 if heading["metric"] == "ACCURACY" else wug_score(1.0)
            groups[group] = {}
        elif group is not None and line.strip():
            name, _, value = line.rpartition(": ") if group != "AVERAGE" else ("", "", line)
            try:
                groups[group][name] = scale * float(value)
            except ValueError:
                raise DataError(f"{path}:{number}: expected a name and its score; got {line!r}") from None
    if not groups.get("AVERAGE"):
        raise DataError(f"{path} must end with '### AVERAGE ...' and a number: it was not written to its end")
    return groups.pop("AVERAGE")[""], groups


def _reading(path: Path) -> dict[str, float]:
    """Both scores of reading."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        what, _, value = line.partition(": ")
        try:
            found[READING_LINES[what]] = float(value)
        except (KeyError, ValueError):
            raise DataError(f"{path}:{number}: expected one of {', '.join(READING_LINES)}; got {line!r}") from None
    return found
