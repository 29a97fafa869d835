"""From folders as a user names them to one comparison: an experiment, others beside it, models trained elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.errors import DataError, RunFolderError, unknown
from sleep_tune.results.arms import BASELINE, Arm, Comparison
from sleep_tune.results.comparison import compare, compare_arms, read_arms
from sleep_tune.results.experiment import Experiment
from sleep_tune.results.official import ModelScores, holds_reports, official_arm, read_model
from sleep_tune.results.published import read_published
from sleep_tune.results.table import LOG

__all__ = ["Gathered", "gather"]


@dataclass(frozen=True, slots=True)
class Gathered:
    """One comparison, and where it belongs."""

    comparison: Comparison
    folder: Path | None
    """The experiment's folder; None where every model was trained elsewhere."""


def gather(
    folders: Sequence[str],
    published: Sequence[Path] = (),
    *,
    baseline: str | None = None,
    matched: str | None = None,
) -> Gathered:
    """Compare all that was named.

    Args:
        folders: experiments, or [NAME=]folders of the official pipeline's reports; folders of one name are its seeds.
        published: CSV files of figures.
        baseline: an arm's name; by default `epochs` of the first experiment, else the first arm named.
        matched: what arms should have had the same of; what the first experiment names unless given.

    Raises:
        RunFolderError: a folder that is neither.
        DataError: a file that cannot be read.
        UserError: no arm has the baseline's name.
    """
    experiments: list[Path] = []
    models: dict[str, list[ModelScores]] = {}
    for text in folders:
        name, path = _named(text)
        if name is None and (path / LOG).is_file():
            experiments.append(path)
        elif holds_reports(path):
            model = read_model(path)
            models.setdefault(name or model.name, []).append(model)
        else:
            raise RunFolderError(
                f"expected an experiment's folder ({LOG}) or official reports (best_temperature_report.txt); got {path}"
            )
    others = [arm for path in experiments[1:] for arm in read_arms(path)]
    others += [official_arm(name, found) for name, found in models.items()]
    others += [arm for path in published for arm in read_published(path)]
    if experiments:
        comparison = compare(experiments[0], others, baseline=baseline or BASELINE, matched=matched)
    else:
        primary = _primary(others)
        first = baseline or next(iter(models))
        described = Experiment(name="models trained elsewhere", objective=primary, mode="max")
        comparison = compare_arms(others, described, baseline=first, matched=matched)
    if baseline is not None and baseline not in (names := [arm.name for arm in comparison.arms]):
        raise DataError(unknown("arm", baseline, names))
    return Gathered(comparison, experiments[0] if experiments else None)


def _named(text: str) -> tuple[str | None, Path]:
    """A name and a folder; a folder that exists is never taken apart."""
    name, sign, folder = text.partition("=")
    if sign and not Path(text).exists():
        return name, Path(folder)
    return None, Path(text)


def _primary(arms: Sequence[Arm]) -> str:
    """Without a space that names one: BLiMP where it was scored, else the first task."""
    keys = [key for arm in arms for key in arm.values]
    return next((key for key in keys if key.startswith("babylm/blimp")), keys[0])
