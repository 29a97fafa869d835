"""Comparison of what a user names: experiments, models trained elsewhere, and published figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sleep_tune.babylm.protocols import split_score
from sleep_tune.babylm.score_names import task_of
from sleep_tune.errors import DataError, RunFolderError, nearest, unknown
from sleep_tune.experiment.event_log import LOG
from sleep_tune.experiment.experiment_file import Experiment, describe_experiment
from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.columns import years_of
from sleep_tune.results.comparison import compare, compare_arms, read_arms
from sleep_tune.results.official_reports import ModelScores, hides_year, holds_reports, official_arm, read_model
from sleep_tune.results.published_figures import find_published, read_published

__all__ = ["compare_folders"]

HOURS = {"gpu_hours", "cpu_hours"}
"""Measures that are equal only if two runs are one and the same."""

MANY_GROUPS = 10
"""With so many groups of items, two different checkpoints do not have equal scores by chance."""


def compare_folders(
    folders: Sequence[str],
    published: Sequence[Path] = (),
    *,
    baseline: str | None = None,
    matched: str | None = None,
    year: str | None = None,
) -> tuple[Comparison, Path | None]:
    """Compare the arms of all folders and files.

    Args:
        folders: experiments, or [NAME=]folders of the official pipeline's reports; folders of one name are its seeds.
        published: CSV files of figures, or names of tables that come with the package (`PUBLISHED`).
        baseline: name of an arm; by default the reference of the first experiment, else the first model.
        matched: the resource that all arms should share; by default that of the first experiment.
        year: the protocol of reports and published columns that do not show which year's they are.

    Returns:
        The comparison, and the folder of the first experiment; None where all models were trained elsewhere.

    Raises:
        RunFolderError: a folder that is neither.
        DataError: a file that cannot be read, reports of which no year is known, a folder named twice, seeds of one
            model by the protocols of two years, an experiment and its copy, two arms of one name, or no arm with the
            name of the baseline.
    """
    experiments, models = _sorted(folders, year)
    joined = {path: read_arms(path, name) for name, path in _names(experiments[1:])}
    if joined:
        _refuse_copies({experiments[0]: read_arms(experiments[0]), **joined})
    others = [arm for arms in joined.values() for arm in arms]
    others += [official_arm(name, found) for name, found in models.items()]
    measured = {key for arm in others for key in arm.estimates}
    others += [arm for path in published for arm in read_published(find_published(path), measured, year)]
    if baseline in {arm.name for arm in others if arm.kind == "published"}:
        raise DataError(f"the baseline must be an arm with seeds; '{baseline}' is a published figure")
    if experiments:
        comparison = compare(experiments[0], others, baseline=baseline, matched=matched)
    else:
        first = baseline or next(iter(models))
        described = Experiment(name="models trained elsewhere", objective=_primary(others, first), mode="max")
        comparison = compare_arms(others, described, baseline=first, matched=matched)
    names = [arm.name for arm in comparison.arms]
    if baseline is not None and names and baseline not in names:
        raise DataError(unknown("arm", baseline, names))
    return comparison, experiments[0] if experiments else None


def _sorted(folders: Sequence[str], year: str | None) -> tuple[list[Path], dict[str, list[ModelScores]]]:
    """Return the experiments, and name -> seeds of each model that was scored elsewhere.

    `year` is that of the models that do not show theirs. Where all of them do, it must be theirs.
    """
    experiments: list[Path] = []
    models: dict[str, list[ModelScores]] = {}
    seen: dict[Path, Path] = {}
    unnamed: set[str] = set()
    read: dict[Path, ModelScores] = {}
    named = [_named(text) for text in folders]
    hiding = [] if year is None else [path for _, path in named if not (path / LOG).is_file() and hides_year(path)]
    for name, path in named:
        place = path.resolve()
        twice = next(
            (other for other in seen if other == place or other in place.parents or place in other.parents), None
        )
        if twice is not None:
            what = "again" if twice == place else f"and {seen[twice]}, of which one is in the other"
            raise DataError(f"a folder must be named once, because its runs are no additional seeds; got {path} {what}")
        seen[place] = path
        if (path / LOG).is_file():
            if name is not None:
                raise DataError(f"{path} is an experiment, and its arms have names already: leave '{name}=' out")
            experiments.append(path)
        elif path.is_dir() and holds_reports(path):
            model = read_model(path, year if path in hiding or not hiding else None)
            if (name is None and model.name in models) or (name or model.name) in unnamed:
                raise DataError(
                    f"{path} holds another model '{name or model.name}': name both (NAME=FOLDER), and use one name "
                    "if they are seeds of one recipe"
                )
            unnamed |= {model.name} if name is None else set()
            same = next((other for other in read if _is_copy(read[other], model)), None)
            if same is not None:
                raise DataError(
                    f"{path} must hold another checkpoint than {same}, but all scores are equal: a copy is no "
                    "additional seed, so name only one of them"
                )
            read[path] = model
            seeds = models.setdefault(name or model.name, [])
            seeds.append(model)
            _refuse_several_years(name or model.name, seeds)
        else:
            raise RunFolderError(_neither(path))
    return experiments, models


def _refuse_copies(experiments: Mapping[Path, Sequence[Arm]]) -> None:
    """Check that no experiment is a copy of another, even if one of them has grown since.

    Two runs are the same if all their measures are equal, device hours to the last digit included: a run that is
    trained again takes another time.

    Raises:
        DataError: two experiments share a run; the message names both folders and the run.
    """
    seen: dict[tuple[tuple[str, float], ...], Path] = {}
    for path, arms in experiments.items():
        runs = {_measures(arm, seed): f"{arm.name}, seed {seed}" for arm in arms for seed in arm.seeds}
        same = next((run for run in runs if run in seen), None)
        if same is not None:
            raise DataError(
                f"{path} must hold other runs than {seen[same]}, but both hold the same run ({runs[same]}): the "
                "runs of a copy are no additional seeds, so name only one of the two folders"
            )
        seen |= dict.fromkeys((run for run in runs if HOURS & {key for key, _ in run}), path)


def _measures(arm: Arm, seed: int) -> tuple[tuple[str, float], ...]:
    """Return all measures and costs of a run."""
    return tuple(sorted((key, values[seed]) for key, values in arm.values.items() if seed in values))


def _refuse_several_years(name: str, seeds: Sequence[ModelScores]) -> None:
    """Refuse seeds of one model that were scored by several years' protocols: no score would have all of them.

    Raises:
        DataError: they were.
    """
    years = sorted(years_of(key for model in seeds for key in model.scores))
    if len(years) > 1:
        raise DataError(
            f"all folders of '{name}', which are its seeds, must be scored by the protocol of one year; got "
            f"{' and '.join(years)}: give those of each year a name of their own"
        )


def _is_copy(model: ModelScores, other: ModelScores) -> bool:
    """Return whether two folders have equal scores in so many groups that they must be of one checkpoint."""
    groups = sum(len(parts) for parts in model.paradigms.values())
    return groups >= MANY_GROUPS and (model.scores, model.paradigms) == (other.scores, other.paradigms)


def _named(text: str) -> tuple[str | None, Path]:
    """Return the name, if any, and the folder; a text that is an existing folder has no name."""
    name, sign, folder = text.partition("=")
    if sign and not Path(text).exists():
        if not name or not folder:
            raise DataError(f"expected NAME=FOLDER; got '{text}'")
        return name, Path(folder)
    return None, Path(text)


def _neither(path: Path) -> str:
    """Say what the folder should have been, and which folder beside it might be meant."""
    what = f"expected an experiment's folder ({LOG}) or official reports (best_temperature_report.txt); got {path}"
    if path.is_dir():
        return what
    if path.exists():
        return f"{what}, which is a file: name a folder{', unpacked' if path.suffix in ('.zip', '.gz', '.tar') else ''}"
    beside = [other.name for other in path.parent.iterdir() if other.is_dir()] if path.parent.is_dir() else []
    close = nearest(path.name, beside)
    return f"{what}, which is no folder" + (f"; did you mean {path.parent / close}?" if close else "")


def _names(experiments: Sequence[Path]) -> list[tuple[str, Path]]:
    """Return (name, folder) of each further experiment; where several have one name, their folders are their names."""
    names = [describe_experiment(path).name for path in experiments]
    return [(str(path) if names.count(name) > 1 else name, path) for name, path in zip(names, experiments, strict=True)]


def _primary(arms: Sequence[Arm], baseline: str) -> str:
    """Return the primary endpoint without a study: BLiMP where all models have it, else a shared task, else any task.

    Models of two years share none. It is then a task of the baseline, which the others can be compared with.

    Raises:
        DataError: no model has a score.
    """
    trained = [arm for arm in arms if arm.kind != "published"]
    keys = list(dict.fromkeys(key for arm in trained for key in arm.values))
    if not keys:
        raise DataError(f"{', '.join(arm.name for arm in trained)} must have a score that is a finite number; none is")
    shared = [key for key in keys if all(key in arm.values for arm in trained)]
    own = [key for arm in trained if arm.name == baseline for key in arm.values]
    choices = shared or own or keys
    found = {key: score for key in choices if (score := split_score(key)) is not None}
    return next((key for key, (_, name) in found.items() if task_of(name) == "blimp"), choices[0])
