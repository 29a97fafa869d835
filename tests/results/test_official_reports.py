"""Official report files as arms: what is read, what is refused, and published figures that come out as published."""

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sleep_tune.babylm.group_sizes import GROUP_SIZES
from sleep_tune.errors import DataError
from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.results.comparison import compare_arms
from sleep_tune.results.official_reports import holds_reports, official_arm, read_model

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
    write_reading(base / "reading")
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
        }
    )
    assert set(model.paradigms["babylm/blimp_fast"]) == {"npi_present_1", "passive_1", "wh_island"}


OFFICIAL = Path(__file__).parents[1] / "evaluation" / "official" / "2026" / "causal_causal"


def test_the_year_is_shown_by_a_task_by_scores_json_or_by_the_numbers_of_predictions(tmp_path: Path) -> None:
    own = tmp_path / "own" / "main" / "zero_shot" / "mlm"
    write_report(own / "blimp" / "blimp_fast", {"UID": {"passive_1": 60.0}}, 60.0)
    for content, prefix in (
        ("{}", "babylm/"),
        ('{"protocol": "2025"}', "babylm/"),
        ('{"protocol": "2026"}', "babylm2026/"),
    ):
        (own / "scores.json").write_text(content, encoding="utf-8")
        assert read_model(tmp_path / "own").scores == {f"{prefix}blimp_fast": 60.0}
    ops = {uid: 40.0 for uid in GROUP_SIZES["2026"]["entity_tracking_fast"]}
    tracking = tmp_path / "t" / "main" / "zero_shot" / "mlm" / "entity_tracking" / "entity_tracking_fast"
    write_report(tracking, {"UID": ops}, 40.0)
    for year, prefix in (("2025", "babylm/"), ("2026", "babylm2026/")):
        sizes = GROUP_SIZES[year]["entity_tracking_fast"]
        rows = {uid: {"predictions": [{"id": at} for at in range(number)]} for uid, number in sizes.items()}
        (tracking / "predictions.json").write_text(json.dumps(rows), encoding="utf-8")
        assert read_model(tmp_path / "t").scores == {f"{prefix}entity_tracking_fast": 40.0}


def test_a_year_that_nothing_shows_is_asked_for_and_one_that_is_denied_is_refused(tmp_path: Path) -> None:
    silent, shown = tmp_path / "silent" / "main" / "zero_shot" / "mlm", write_model(tmp_path, "of_2025")
    write_report(silent / "blimp" / "blimp_fast", {"UID": {"passive_1": 60.0}}, 60.0)
    with pytest.raises(DataError, match=r"silent .*--protocol.*2025, 2026"):
        read_model(tmp_path / "silent")
    assert read_model(tmp_path / "silent", "2026").scores == {"babylm2026/blimp_fast": 60.0}
    with pytest.raises(DataError, match=r"of_2025 .*2025 .*2026"):
        read_model(shown, "2026")
    write_report(shown / "main/zero_shot/mlm/global_piqa_parallel/global_piqa_parallel", {"UID": {"a": 0.0}}, 0.0)
    with pytest.raises(DataError, match=r"of_2025 .*2026 by .*global_piqa.*2025 by .*wug"):
        read_model(shown)
    for content, said in (('"2027"', "'2027'"), ("null", "'None'"), (f'"2026\\n{"x" * 99}"', r"'2026\\nx+\.\.\.'$")):
        (silent / "scores.json").write_text(f'{{"protocol": {content}}}', encoding="utf-8")
        for year in (None, "2026"):
            with pytest.raises(DataError, match=rf"scores.json must name one of 2025, 2026.*{said}"):
                read_model(tmp_path / "silent", year)


def test_reports_that_the_official_code_of_2026_wrote_are_read_as_scores_of_2026(tmp_path: Path) -> None:
    shutil.copytree(OFFICIAL, tmp_path / "model")
    model = read_model(tmp_path / "model")
    assert set(model.scores) == {f"babylm2026/{folder.name}" for folder in OFFICIAL.iterdir()}
    arm = official_arm("ours", [model])
    (answers,) = arm.answers["babylm2026/global_piqa_parallel"].values()
    assert set(answers.index.get_level_values("uid")) == {"global_piqa_parallel"}  # its groups are single items
    assert len(answers) == 41


def test_two_checkpoints_are_not_mixed(tmp_path: Path) -> None:
    write_model(tmp_path, "run", revision="chck_1M")
    write_model(tmp_path, "run", revision="main")
    with pytest.raises(DataError, match=r"one checkpoint.* run chck_1M \(mlm\) in .* and run \(mlm\) in .*mlm"):
        read_model(tmp_path, "2025")
    (tmp_path / "run/main/zero_shot/causal").mkdir()
    write_report(tmp_path / "run/main/zero_shot/causal/comps/comps", {"UID": {"comps": 50.0}}, 50.0)
    with pytest.raises(DataError, match=r"one checkpoint.* run \(causal\) in .* and run \(mlm\) in"):
        read_model(tmp_path / "run/main", "2025")
    assert read_model(tmp_path / "run/main/zero_shot/causal", "2025").scores == {"babylm/comps": 50.0}


def test_reading_of_an_encoder_decoder_belongs_to_its_other_tasks(tmp_path: Path) -> None:
    base = tmp_path / "t5/main/zero_shot"
    write_report(base / "enc_dec_mask/blimp/blimp_fast", {"UID": {"passive_1": 60.0}}, 60.0)
    write_reading(base / "enc_dec/reading")
    model = read_model(tmp_path / "t5", "2025")
    assert (model.name, len(model.scores)) == ("t5 (enc_dec_mask)", 3)
    write_report(base / "enc_dec_prefix/blimp/blimp_fast", {"UID": {"passive_1": 60.0}}, 60.0)
    with pytest.raises(DataError, match=r"enc_dec_mask.*enc_dec_prefix"):
        read_model(tmp_path / "t5", "2025")


BLIMP, TRACKING = "blimp_fast", "entity_tracking_fast"

DAMAGES: dict[str, tuple[str, Callable[[str], str], str]] = {
    "a word": (BLIMP, lambda text: text.replace("60.50", "sixty"), r"txt:8: .*sixty"),
    "no average": (BLIMP, lambda text: text[: text.index("### AVERAGE")], r"txt .*### AVERAGE"),
    "an average without its number": (BLIMP, lambda text: text[: text.index("43.17")], r"txt .*### AVERAGE"),
    "half a number": (
        BLIMP,
        lambda text: text.replace("43.17", "43."),
        r"txt:12: .*43.17; got 43",
    ),
    "empty": (BLIMP, lambda text: "", r"txt .*### AVERAGE"),
    "another average": (BLIMP, lambda text: text.replace("43.17", "44.17"), r"txt:12: .*43.17; got 44.17"),
    "more than all": (
        BLIMP,
        lambda text: text.replace("60.50", "160.50"),
        r"txt:8: .*\[0, 100\]; got 160.5",
    ),
    "infinite": (BLIMP, lambda text: text.replace("60.50", "inf"), r"txt:8: .*got inf"),
    "written twice": (BLIMP, lambda text: text + text, r"txt:14: .*TEMPERATURE"),
    "a section twice": (BLIMP, lambda text: text.replace("FIELD", "UID"), r"txt:6: .*'UID'"),
    "a group twice": (BLIMP, lambda text: text.replace("passive_1", "wh_island"), r"txt:9: wh_island"),
    "two metrics": (
        BLIMP,
        lambda text: text.replace("AVERAGE ACCURACY", "AVERAGE SPEARMAN'S RHO"),
        "txt:11: .*ACCURACY.*RHO",
    ),
    "another file": (BLIMP, lambda text: "EYE TRACKING SCORE: 5.35", r"txt:1: .*TEMPERATURE"),
    "a rho of a task of right answers": (
        BLIMP,
        lambda text: "### UID SPEARMAN'S RHO\navg: 0.5\n### AVERAGE SPEARMAN'S RHO\n0.5\n",
        r"txt:4: BLiMP .*rho",
    ),
    "a split of no number": (TRACKING, lambda text: text.replace("regular_0_ops", "regular_ops"), "<split>_<num"),
    "a rho of 53": ("wug_adj_nominalization", lambda text: text.replace("0.53", "53.0"), r"rho .*\[-1, 1\]"),
}
"""What is wrong -> the report, what does it, and the error."""


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_report_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    data, damage, message = DAMAGES[name]
    folder = write_model(tmp_path, "run")
    path = next(folder.rglob(f"{data}/best_temperature_report.txt"))
    path.write_text(damage(path.read_text()))
    with pytest.raises(DataError, match=message):
        read_model(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EYE TRACKING SCORE: 5.35\n", "report.txt .*SELF-PACED READING SCORE$"),
        (
            "EYE TRACKING SCORE: 5.35\nEYE TRACKING SCORE: 5.35\n",
            r"report.txt:2: EYE TRACKING SCORE",
        ),
        ("EYE TRACKING SCORE: high\n", r"report.txt:1: .*EYE TRACKING SCORE, SELF-PACED"),
        ("EYE TRACKING SCORE: 535.0\n", r"report.txt:1: .*got 535.0"),
        ("EYE TRACKING SCORE: inf\n", r"report.txt:1: .* got inf"),
    ],
)
def test_a_damaged_report_of_reading_is_never_half_read(tmp_path: Path, text: str, message: str) -> None:
    folder = write_model(tmp_path, "run")
    next(folder.rglob("reading/report.txt")).write_text(text)
    with pytest.raises(DataError, match=message):
        read_model(folder)


def test_a_report_in_another_encoding_is_refused_and_a_byte_order_mark_is_not(tmp_path: Path) -> None:
    folder = write_model(tmp_path, "run")
    path = next(folder.rglob("blimp_fast/best_temperature_report.txt"))
    whole = read_model(folder)
    text = path.read_text()
    path.write_text(text, encoding="utf-8-sig")
    assert read_model(folder) == whole
    path.write_text(text, encoding="utf-16")
    with pytest.raises(DataError, match="in UTF-8"):
        read_model(folder)


def test_an_accuracy_at_wug_is_another_score_than_its_rho(tmp_path: Path) -> None:
    """The pipeline printed accuracies until July 2025, and from 2 to 12 August rhos under the heading of accuracies."""
    reports = {
        "old": ({"wug_adj_nominalization": 62.5}, 62.5, "ACCURACY", {"babylm/wug_adj_nominalization_accuracy": 62.5}),
        "between": ({"avg": 0.53}, 0.53, "ACCURACY", {"babylm/wug_adj_nominalization": 53.0}),
        "new": ({"avg": -0.53}, -0.53, "SPEARMAN'S RHO", {"babylm/wug_adj_nominalization": -53.0}),
    }
    for name, (groups, average, metric, expected) in reports.items():
        write_report(tmp_path / name / "mlm/wug_adj/wug_adj_nominalization", {"UID": groups}, average, metric)
        assert read_model(tmp_path / name, "2025").scores == pytest.approx(expected)


def test_a_rho_that_is_none_is_missing_with_its_place(tmp_path: Path) -> None:
    folder = write_model(tmp_path, "run")
    write_report(
        folder / "main/zero_shot/mlm/wug_adj/wug_adj_nominalization",
        {"UID": {"avg": math.nan}},
        math.nan,
        "SPEARMAN'S RHO",
    )
    model = read_model(folder)
    assert "babylm/wug_adj_nominalization" not in model.scores
    assert model.missing == {
        "babylm/wug_adj_nominalization": "nan in wug_adj_nominalization/best_temperature_report.txt"
    }
    arm = official_arm("ours", [read_model(write_model(tmp_path, "other")), model])
    assert arm.values["babylm/wug_adj_nominalization"] == {1: 53.0}
    assert list(arm.missing["babylm/wug_adj_nominalization"]) == [2]


def test_splits_means_are_no_groups_of_entity_tracking(tmp_path: Path) -> None:
    groups = {"regular_0_ops": 30.0, "regular_1_ops": 40.0, "regular": 35.0, "ambiref_0_ops": 10.0, "ambiref": 10.0}
    write_report(tmp_path / "uneven/mlm/entity_tracking/entity_tracking", {"UID": groups}, 22.5)
    uneven = read_model(tmp_path / "uneven", "2025")
    assert (uneven.scores, uneven.paradigms) == ({"babylm/entity_tracking": 22.5}, {})
    groups |= {"ambiref_1_ops": 20.0, "ambiref": 15.0}
    write_report(tmp_path / "even/mlm/entity_tracking/entity_tracking", {"UID": groups}, 25.0)
    even = read_model(tmp_path / "even", "2025")
    assert even.scores == {"babylm/entity_tracking": 25.0}
    assert len(even.paradigms["babylm/entity_tracking"]) == 4


def write_reading(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "report.txt").write_text("EYE TRACKING SCORE: 5.35\nSELF-PACED READING SCORE: 2.61\n")


@pytest.mark.parametrize(
    ("blimp", "reading", "name"),
    [
        ("run/main/zero_shot/mlm/blimp/blimp_fast", "run/main/zero_shot/mlm/reading", "run (mlm)"),
        ("run/mlm/blimp/blimp_fast", "run/mlm/reading", "run (mlm)"),  # CLIMB-Sleep's repository
        ("out_1/run/main/zero_shot/mlm/blimp/blimp_fast", "out_2/run/main/zero_shot/mlm/reading", "run (mlm)"),
        ("out_1/run/mlm/blimp/blimp_fast", "out_2/run/mlm/reading", "run (mlm)"),
        ("run/blimp/blimp_fast", "run/reading", "run"),
        ("run/blimp_fast", "run/reading", "run"),
    ],
)
def test_folders_may_be_laid_out_in_several_ways(tmp_path: Path, blimp: str, reading: str, name: str) -> None:
    write_report(tmp_path / "all" / blimp, {"UID": {"passive_1": 60.0}}, 60.0)
    write_reading(tmp_path / "all" / reading)
    model = read_model(tmp_path / "all", "2025")
    assert (model.name, len(model.scores)) == (name, 3)


def test_a_layout_that_does_not_say_what_was_scored_is_refused_with_the_one_that_is_wanted(tmp_path: Path) -> None:
    write_report(tmp_path / "results/first_try", {"UID": {"passive_1": 60.0}}, 60.0)
    with pytest.raises(DataError, match=r"first_try/best.*<model>/<revision>/zero_shot/.*such as"):
        read_model(tmp_path / "results", "2025")


def test_two_reports_of_one_task_are_refused(tmp_path: Path) -> None:
    """Two models of one name, or one scored twice: which of them counts is not for us to choose."""
    for place in ("first", "second"):
        write_report(tmp_path / place / "run/mlm/blimp/blimp_fast", {"UID": {"passive_1": 60.0}}, 60.0)
    with pytest.raises(DataError, match=r"BLiMP .*first.*second"):
        read_model(tmp_path, "2025")


def test_a_folder_without_reports_is_refused(tmp_path: Path) -> None:
    assert not holds_reports(tmp_path)
    with pytest.raises(DataError, match=r"official pipeline.*best_temperature_report\.txt"):
        read_model(tmp_path, "2025")


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
        arms.append(official_arm(name, [read_model(tmp_path / name, "2025")]))
    comparison = compare_arms(
        arms, Experiment(name="climb", objective="babylm/blimp_fast", mode="max"), baseline="baseline"
    )
    made = {arm.name: arm.contrasts["babylm/blimp_fast"] for arm in comparison.arms[1:]}
    assert made["strict-replay"].difference.mean == pytest.approx(-5.82, abs=0.01)
    assert made["strict-replay"].difference.error == pytest.approx(1.65, abs=0.01)
    assert made["weighted-replay"].difference.mean == pytest.approx(-5.95, abs=0.01)
    assert made["sleep-baseline-like"].difference.error == pytest.approx(1.36, abs=0.01)
    assert all(contrast.p_holm is None for contrast in made.values())
    assert comparison.verdict.startswith("One seed per arm")
