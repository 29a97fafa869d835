"""Reports of BabyLM's official pipeline as arms of a comparison.

A model's folder is `<model>/<revision>/zero_shot/<backend>/<task>/<data folder>/best_temperature_report.txt`, reading's
`.../<backend>/reading/report.txt`. Three other layouts are read too: `<model>/<backend>/<task>/<data folder>/`, each
task in an output folder of its own, and data folders alone. Only reports are read: predictions alone do not say which
answers are correct.

No report names the year of its protocol. It is known from a task that only one year has (wug: 2025, Global PIQA: 2026),
from the numbers of entity tracking's predictions beside its report, or from the scores.json of this package's own
evaluation. Where nothing shows it, the user must say it, because the years' scores are not comparable.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from sleep_tune.babylm.averages import entity_tracking_averages, macro_average
from sleep_tune.babylm.challenge import FOLDERS, READING_SCORES, WUG
from sleep_tune.babylm.group_sizes import GROUP_SIZES, NUM_GROUPS
from sleep_tune.babylm.protocols import ABSENT, PROTOCOLS, only_year, split_score
from sleep_tune.babylm.score_names import ACCURACY, score_title, wug_score
from sleep_tune.errors import DataError, shortened
from sleep_tune.files import read_json_object
from sleep_tune.results.arms import Arm, over_seeds

__all__ = ["LAYOUT", "ModelScores", "hides_year", "holds_reports", "official_arm", "read_model"]

ROUNDING = 0.0101
"""Largest distance of a printed average from the mean of the printed scores that it averages."""

REPORT, READING = "best_temperature_report.txt", "report.txt"

PREDICTIONS, SCORES = "predictions.json", "scores.json"
"""Files that may be beside a report, and in the folder of a back end."""

LAYOUT = f"<model>/<revision>/zero_shot/<backend>/<task>/<data>/{REPORT}, such as my_model/main/zero_shot/mlm/blimp/"
LAYOUT += f"blimp_fast/{REPORT}"

BACKENDS = ("mlm", "mntp", "causal", "enc_dec_mask", "enc_dec_prefix", "enc_dec")
"""Folder names of the pipeline's back ends; reading uses `enc_dec` for both encoder-decoder back ends."""

HEADING = re.compile(r"### (?P<group>.+) (?P<metric>ACCURACY|SPEARMAN'S RHO)")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|nan|inf)", re.IGNORECASE)
READING_LINES = {"EYE TRACKING SCORE": READING_SCORES[0], "SELF-PACED READING SCORE": READING_SCORES[1]}

AVERAGE, UID = "AVERAGE", "UID"

CORRELATION = "avg"
"""The only group of a report on a rank correlation. From 2 to 12 August 2025 its headings said ACCURACY."""


@dataclass(frozen=True, slots=True)
class ModelScores:
    """One checkpoint's scores, in percent (wug: rho x 100, or an accuracy of its own name)."""

    name: str
    """Name of the model, with its revision unless that is main, and its back end."""
    scores: Mapping[str, float]
    """`babylm2026/<data folder>` (2025: `babylm/...`) -> average: the mean of its paradigms (reports print two
    decimals), else as printed."""
    paradigms: Mapping[str, Mapping[str, float]]
    """Name of a score -> UID -> score, where there are several paradigms and the average is their mean."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Name of a score -> value and file, where the value is not finite."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """The checkpoint of a report, from the names of its folders."""

    model: str
    revision: str
    backend: str

    def __str__(self) -> str:
        name = self.model if self.revision in ("", "main") else f"{self.model} {self.revision}"
        return f"{name} ({self.backend})" if self.backend else name


@dataclass(frozen=True, slots=True)
class _Value:
    """A number of a report, with its file and line."""

    number: float
    where: str


def holds_reports(folder: Path) -> bool:
    """Return whether there is a report of the official pipeline in or below `folder`."""
    return next(_reports(folder), None) is not None


def hides_year(folder: Path) -> bool:
    """Return whether there are reports in or below `folder`, none of which shows the year of its protocol."""
    paths = list(_reports(folder))
    return bool(paths) and not any(True for path in paths for _ in _shown_years(path))


def read_model(folder: Path, year: str | None = None) -> ModelScores:
    """Read all reports of one checkpoint.

    Args:
        folder: of a model with one scored revision and back end, or any folder between that and the reports.
        year: of the protocol, for reports that do not show it; a key of PROTOCOLS.

    Raises:
        DataError: no reports, reports of several checkpoints or years, two reports of one task, an unknown year, or a
            damaged report; the message names file and line.
    """
    paths = sorted(_reports(folder))
    if not paths:
        raise DataError(f"{folder} must hold results of the official pipeline, {LAYOUT}; there are none")
    owner = _only_owner(folder, paths)
    prefix = PROTOCOLS[_only_year(folder, paths, year)].prefix
    found: dict[str, float] = {}
    paradigms: dict[str, dict[str, float]] = {}
    missing: dict[str, str] = {}
    files: dict[str, Path] = {}
    for path in paths:
        scores, groups = _reading(path) if path.name == READING else _task(path)
        for name, value in scores.items():
            if name in files:
                raise DataError(
                    f"{folder} must hold one report of each task; {score_title(name)} has two, {files[name]} and "
                    f"{path}: name one of their folders"
                )
            files[name] = path
            if math.isfinite(value.number):
                found[f"{prefix}{name}"] = value.number
                paradigms |= {f"{prefix}{name}": groups} if len(groups) > 1 else {}
            else:
                missing[f"{prefix}{name}"] = f"{value.number} in {path.parent.name}/{path.name}"
    return ModelScores(str(owner), found, paradigms, missing)


def official_arm(name: str, models: Sequence[ModelScores]) -> Arm:
    """Return an arm of several checkpoints: the i-th (from 1) is seed i, and paired with that of other arms."""
    numbered = list(enumerate(models, 1))
    keys = dict.fromkeys(key for model in models for key in model.scores)
    values = {key: {seed: model.scores[key] for seed, model in numbered if key in model.scores} for key in keys}
    unknown = dict.fromkeys(key for model in models for key in model.missing)
    missing = {key: {seed: model.missing[key] for seed, model in numbered if key in model.missing} for key in unknown}
    answers: dict[str, dict[int, pd.Series[float]]] = {}
    for seed, model in numbered:
        for key, groups in model.paradigms.items():
            uids, score = sorted(groups), split_score(key)
            task = "" if score is None else score[1]
            own = [task] * len(uids) if task in NUM_GROUPS else uids  # groups that are single items are one group
            index = pd.MultiIndex.from_arrays([own, uids], names=["uid", "id"])
            answers.setdefault(key, {})[seed] = pd.Series([groups[uid] for uid in uids], index=index)
    seeds = tuple(seed for seed, _ in numbered)
    return over_seeds(name, "elsewhere", values, seeds=seeds, missing=missing, answers=answers)


def _reports(folder: Path) -> Iterator[Path]:
    yield from folder.rglob(REPORT)
    yield from (path for path in folder.rglob(READING) if path.parent.name == "reading")


def _only_owner(folder: Path, paths: Sequence[Path]) -> _Owner:
    """Return the checkpoint of all reports; `enc_dec` of reading belongs to either encoder-decoder back end.

    Raises:
        DataError: reports of several checkpoints, or folders in an unknown layout.
    """
    owners: dict[_Owner, Path] = {}
    for path in paths:
        owner, place = _owner(path)
        owners.setdefault(owner, place)
    whole = {(one.model, one.revision) for one in owners if one.backend.startswith("enc_dec_")}
    different = [one for one in owners if one.backend != "enc_dec" or (one.model, one.revision) not in whole]
    if len(different) > 1:
        first = " and ".join(f"{one} in {owners[one]}" for one in different[:2])
        more = f" and {len(different) - 2} more" if len(different) > 2 else ""
        raise DataError(
            f"{folder} must hold the reports of one checkpoint; it holds {first}{more}: name the folder of one of them"
        )
    return different[0]


def _only_year(folder: Path, paths: Sequence[Path], given: str | None) -> str:
    """Return the year of the protocol of all reports.

    Raises:
        DataError: they show another year than `given`, several years or an unknown one, or none and none is given.
    """
    shown = {year: where for path in paths for year, where in _shown_years(path)}
    unknown = next((year for year in [*shown, *filter(None, [given])] if year not in PROTOCOLS), None)
    if unknown is not None:
        where = shown.get(unknown, "--protocol")
        raise DataError(f"{where} must name one of {', '.join(PROTOCOLS)} as the protocol; got '{shortened(unknown)}'")
    years = dict.fromkeys([*shown, *([given] if given is not None else [])])
    if not years:
        raise DataError(
            f"{folder} must show which year's protocol its scores are by, but has no task that one year alone has: "
            f"name the year with --protocol, one of {', '.join(PROTOCOLS)}"
        )
    if len(years) > 1:
        each = "; ".join(f"{year} by {shown.get(year, '--protocol')}" for year in years)
        raise DataError(f"{folder} must hold scores by the protocol of one year; it holds {each}")
    return next(iter(years))


def _shown_years(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield each year that a report, or a file beside it, shows to be that of its protocol, and what shows it."""
    data = path.resolve().parent
    own = only_year(data.name)
    if own is not None:
        yield own, path
    if FOLDERS.get(data.name) == "entity_tracking":
        predictions = read_json_object(data / PREDICTIONS) or {}
        sizes = {uid.lower(): _count_predictions(value) for uid, value in predictions.items()}
        years = [year for year, of_folder in GROUP_SIZES.items() if of_folder.get(data.name) == sizes]
        if len(years) == 1:
            yield years[0], data / PREDICTIONS
    scores = _owner(path)[1] / SCORES
    content = read_json_object(scores)
    if content is not None:
        yield str(content.get("protocol", ABSENT)), scores


def _count_predictions(value: object) -> int:
    rows = value.get("predictions") if isinstance(value, Mapping) else None
    return len(rows) if isinstance(rows, list) else 0


def _owner(path: Path) -> tuple[_Owner, Path]:
    """Return the checkpoint of a report, and its folder.

    Raises:
        DataError: the folders are in an unknown layout.
    """
    data = path.resolve().parent
    above = data.parent if path.name == READING else data.parent.parent
    names = above.parts
    if len(names) > 4 and names[-2] == "zero_shot":
        return _Owner(names[-4], names[-3], names[-1]), above
    if len(names) > 2 and names[-1] in BACKENDS:
        return _Owner(names[-2], "", names[-1]), above
    if data.name in FOLDERS:
        model = above if data.parent.name in (*FOLDERS.values(), "wug") else data.parent
        return _Owner(model.name, "", ""), model
    raise DataError(f"{path} must be in folders that say what was scored: {LAYOUT}")


def _task(path: Path) -> tuple[dict[str, _Value], dict[str, float]]:
    """Read the report of a task: name -> average of its score; and UID -> score, where the average is their mean.

    Raises:
        DataError: the report is damaged, or its average is not the mean of its groups.
    """
    name = path.resolve().parent.name
    metric, groups = _sections(path)
    average = groups.pop(AVERAGE)[""]
    by_uid = groups.get(UID, {})
    if metric == "ACCURACY" and list(by_uid) == [CORRELATION]:
        metric = "SPEARMAN'S RHO"
    is_rho = metric != "ACCURACY"
    if is_rho and FOLDERS.get(name, name) in FOLDERS.values() and name not in WUG:
        raise DataError(f"{average.where}: {score_title(name)} must have an accuracy; the report has Spearman's rho")
    low, high = (-1.0, 1.0) if is_rho else (0.0, 100.0)
    for value in (average, *(value for section in groups.values() for value in section.values())):
        if math.isinf(value.number) or not (math.isnan(value.number) or low <= value.number <= high):
            what = "Spearman's rho" if is_rho else "an accuracy in percent"
            raise DataError(f"{value.where}: {what} must be in [{low:g}, {high:g}]; got {value.number:g}")
    if is_rho:
        return {name: _Value(wug_score(average.number), average.where)}, {}
    score = f"{name}{ACCURACY}" if name in WUG else name
    parts = {uid: value.number for uid, value in by_uid.items()}
    is_split = FOLDERS.get(name) == "entity_tracking"
    if is_split:  # each split's own mean is printed among its groups
        parts = {uid: value for uid, value in parts.items() if uid.endswith("_ops")}
    if not parts or not all(map(math.isfinite, (average.number, *parts.values()))):
        return {score: average}, {}
    mean = macro_average(parts)
    try:
        expected = entity_tracking_averages(parts).score if is_split else mean
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    if abs(expected - average.number) > ROUNDING:
        raise DataError(
            f"{average.where}: the average must be the mean of the report's {len(parts)} groups, {expected:.2f}; got "
            f"{average.number:.2f}: the report was edited, or mixes two runs"
        )
    if abs(mean - average.number) > ROUNDING:
        return {score: average}, {}
    return {score: _Value(mean, average.where)}, parts


def _sections(path: Path) -> tuple[str, dict[str, dict[str, _Value]]]:
    """Return the metric of a report, and its sections: FIELD, UID, LINGUISTICS_TERM, AVERAGE -> name -> score.

    Raises:
        DataError: a line that no report has, or a report that is cut off.
    """
    sections: dict[str, dict[str, _Value]] = {}
    metric = section = ""
    for number, line in _lines(path):
        where, heading = f"{path}:{number}", HEADING.fullmatch(line)
        if heading:
            section = heading["group"]
            if section in sections:
                raise DataError(f"{where}: a report must have one section '{section}'; this is the second")
            if metric not in ("", heading["metric"]):
                raise DataError(f"{where}: a report must have one metric, {metric}; got {heading['metric']}")
            metric, sections[section] = heading["metric"], {}
        elif section:
            name, _, value = line.rpartition(": ") if section != AVERAGE else ("", "", line)
            if not NUMBER.fullmatch(value) or bool(name) == (section == AVERAGE):
                what = "a name and its score, with a decimal point"
                raise DataError(f"{where}: expected {what}; got {shortened(line)!r}")
            if name in sections[section]:
                raise DataError(f"{where}: {name or 'the average'} must have one score; this is the second")
            sections[section][name] = _Value(float(value), where)
        elif not line.startswith("TEMPERATURE: "):
            raise DataError(f"{where}: expected TEMPERATURE or '### ... ACCURACY'; got {shortened(line)!r}")
    if not sections.get(AVERAGE):
        raise DataError(f"{path} must end with '### AVERAGE ...' and a number: it is cut off")
    return metric, sections


def _reading(path: Path) -> tuple[dict[str, _Value], dict[str, float]]:
    """Read the report of the reading task, which has two scores."""
    found: dict[str, _Value] = {}
    for number, line in _lines(path):
        where = f"{path}:{number}"
        what, _, value = line.partition(": ")
        if what not in READING_LINES or not NUMBER.fullmatch(value):
            raise DataError(f"{where}: expected one of {', '.join(READING_LINES)}; got {shortened(line)!r}")
        if READING_LINES[what] in found:
            raise DataError(f"{where}: {what} must be there once; this is the second")
        if abs(float(value)) > 100:
            raise DataError(f"{where}: {what} is a percentage of variance; got {value}")
        found[READING_LINES[what]] = _Value(float(value), where)
    lacking = [what for what, name in READING_LINES.items() if name not in found]
    if lacking:
        raise DataError(f"{path} must hold {' and '.join(READING_LINES)}; it lacks {' and '.join(lacking)}")
    return found, {}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a report that are not empty, with their numbers from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} must be a report of the official pipeline, in UTF-8: {error}") from error
    yield from ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip())
