"""Official report files as arms: what is read, what is refused, and published figures that come out as published."""

import csv
from pathlib import Path

import pytest

from sleep_tune.errors import DataError
from sleep_tune.results.comparison import compare_arms
from sleep_tune.results.experiment import Experiment
from sleep_tune.results.official import holds_reports, official_arm, read_model

SHARED = Path(__file__).parents[3] / "shared" / "reference"


def write_report(folder: Path, groups: dict[str, dict[str, float]], average: float, metric: str = "ACCURACY") -> Path:
    """A report as the pipeline prints it."""
    lines = ["TEMPERATURE: 1.00", ""]
    for group, scores in groups.items():
        lines += [f"### {group} {metric}", *(f"{name}: {value:.2f}" for name, value in scores.items()), ""]
    lines += [f"### AVERAGE {metric}", f"{average:.2f}", ""]
    path = folder / "best_temperature_report.txt"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_model(root: Path, name: str, shift: float = 0.0, revision: str = "main") -> Path:
    """A checkpoint scored on four tasks."""
    base = root / name / revision / "zero_shot" / "mlm"
    uids = {"npi_present_1": 20.0 + shift, "passive_1": 60.5 + shift, "wh_island": 49.0 - shift}
    write_report(base / "blimp" / "blimp_fast", {"FIELD": {"syntax": 44.5}, "UID": uids}, sum(uids.values()) / 3)
    ops = {"regular_0_ops": 30.0, "regular_1_ops": 40.0}
    write_report(base / "entity_tracking" / "entity_tracking_fast", {"UID": ops | {"regular": 35.0}}, 35.0)
    write_report(base / "wug_adj" / "wug_adj_nominalization", {"UID": {"avg": 0.53}}, 0.53, "SPEARMAN'S RHO")
    (base / "reading").mkdir()
    (base / "reading" / "report.txt").write_text("EYE TRACKING SCORE: 5.35\nSELF-PACED READING SCORE: 2.61\n")
    return root / name


def test_every_report_of_a_checkpoint_is_read(tmp_path: Path) -> None:
    folder = write_model(tmp_path, "strict-run")
    assert holds_reports(folder)
    model = read_model(folder)
    assert model.name == "strict-run (mlm)"
    assert model.scores == pytest.approx(
        {
            "babylm/blimp_fast": 129.5 / 3,
            "babylm/entity_tracking_fast": 35.0,
            "babylm/wug_adj_nominalization": 53.0,
            "babylm/reading_eye_tracking": 5.35,
            "babylm/reading_self_paced": 2.61,
            "babylm/macro": (129.5 / 3 + 35.0 + 53.0 + 5.35 + 2.61) / 5,
        }
    )
    assert set(model.paradigms["babylm/blimp_fast"]) == {"npi_present_1", "passive_1", "wh_island"}


def test_two_checkpoints_are_not_mixed(tmp_path: Path) -> None:
    write_model(tmp_path, "run", revision="chck_1M")
    write_model(tmp_path, "run", revision="main")
    with pytest.raises(DataError, match=r"one checkpoint; it holds run chck_1M \(mlm\) and run \(mlm\)"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text.replace("passive_1: 60.50", "passive_1: sixty"), r"txt:8: expected a name and its score"),
        (lambda text: text[: text.index("### AVERAGE")], r"must end with '### AVERAGE"),
        (lambda text: "", r"must end with '### AVERAGE"),
    ],
)
def test_a_damaged_report_is_named_with_its_line(tmp_path: Path, damage: object, told: str) -> None:
    folder = write_model(tmp_path, "run")
    path = next(folder.rglob("blimp_fast/best_temperature_report.txt"))
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(DataError, match=told):
        read_model(folder)


def test_a_folder_without_reports_is_refused(tmp_path: Path) -> None:
    assert not holds_reports(tmp_path)
    with pytest.raises(DataError, match="there are none"):
        read_model(tmp_path)


def test_folders_of_one_name_are_its_seeds(tmp_path: Path) -> None:
    models = [read_model(write_model(tmp_path, f"run{number}", shift=number)) for number in range(3)]
    arm = official_arm("ours", models)
    assert arm.seeds == (1, 2, 3)
    assert list(arm.values["babylm/reading_self_paced"]) == [1, 2, 3]
    assert arm.estimates["babylm/blimp_fast"].count == 3


def test_the_ancestors_published_figures_come_out_as_published(tmp_path: Path) -> None:
    """Strict replay minus its baseline on BLiMP fast: -5.82, standard error 1.65 over 67 paradigms, one seed an arm."""
    source = SHARED / "climb_sleep_blimp_fast_detail.csv"
    if not source.is_file():
        pytest.skip("the published figures are not beside the repository")
    with source.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["section"] == "UID"]
    arms = []
    for name in ("baseline", "strict-replay", "weighted-replay", "sleep-baseline-like"):
        uids = {row["name"]: float(row[name]) for row in rows}
        write_report(tmp_path / name / "main/zero_shot/mlm/blimp/blimp_fast", {"UID": uids}, sum(uids.values()) / 67)
        arms.append(official_arm(name, [read_model(tmp_path / name)]))
    comparison = compare_arms(
        arms, Experiment(name="climb", objective="babylm/blimp_fast", mode="max"), baseline="baseline"
    )
    made = {arm.name: arm.contrasts["babylm/blimp_fast"] for arm in comparison.arms[1:]}
    assert made["strict-replay"].difference.mean == pytest.approx(-5.82, abs=0.01)
    assert made["strict-replay"].difference.error == pytest.approx(1.65, abs=0.01)
    assert made["weighted-replay"].difference.mean == pytest.approx(-5.95, abs=0.01)
    assert made["sleep-baseline-like"].difference.error == pytest.approx(1.36, abs=0.01)
    assert all(contrast.p_holm is None for contrast in made.values())
    assert comparison.verdict.startswith("One seed an arm supports no claim")
