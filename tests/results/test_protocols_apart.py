"""Two years' protocols in one comparison: scores of each in columns of their own, never paired, averaged or mixed."""

import io
from pathlib import Path

import pandas as pd
import pytest
import yaml
from rich.console import Console

from sleep_tune import api
from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.errors import DataError
from sleep_tune.results.arms import Comparison
from sleep_tune.results.folder_comparison import compare_folders
from sleep_tune.results.macro import FEWEST
from sleep_tune.results.paradigms import compare_paradigms
from sleep_tune.results.sheet import make_sheet
from sleep_tune.results.terminal import print_comparison
from tests.results.conftest import SyntheticLog, has_note
from tests.results.test_official_reports import write_model, write_report

TASKS = ("blimp_fast", "comps")
PARADIGMS = ("passive_1", "wh_island")


def items(right: int) -> pd.DataFrame:
    """Items of two paradigms of BLiMP, and of Global PIQA, whose items are groups; `right` of each ten are right."""
    rows = [("blimp_fast", uid, f"{uid}_{at}") for uid in PARADIGMS for at in range(10)]
    rows += [("global_piqa_parallel", f"q{at}", f"q{at}") for at in range(10)]
    correct = [float(at % 10 < right) for at in range(len(rows))]
    return pd.DataFrame(rows, columns=["task", "uid", "id"]).assign(text="", correct=correct)


def experiment(folder: Path, protocol: str | None) -> Path:
    """Two arms, two seeds; `protocol` is that of the runs, None in those of an earlier version."""
    log = SyntheticLog(folder)
    prefix = PROTOCOLS[protocol or "2025"].prefix
    log.open(objective={"metric": f"{prefix}macro", "mode": "max"})
    for arm, role, right in (("epochs", "baseline", 4), ("t0001", "finalist", 7)):
        for seed in (1, 2):
            log.run(
                arm, seed, 2.0, 0.7, role=role, metrics={f"{prefix}{task}": 10.0 * (right + seed) for task in TASKS}
            )
            run = folder / "trials" / f"{arm}-s{seed}"
            (run / "eval").mkdir(parents=True)
            evaluation = {"data": "tasks"} | ({} if protocol is None else {"protocol": protocol})
            (run / "config.yaml").write_text(yaml.safe_dump({"evaluation": evaluation}))
            items(right + seed).to_parquet(run / "eval" / "items.parquet")
    return folder


def headings(comparison: Comparison) -> tuple[str, ...]:
    return tuple(title for title in make_sheet(comparison).headings if title != "Holm p")


@pytest.mark.parametrize("protocol", [None, *PROTOCOLS])
def test_items_scores_and_average_have_the_year_of_the_runs(tmp_path: Path, protocol: str | None) -> None:
    comparison, _ = compare_folders([str(experiment(tmp_path / "one", protocol))])
    prefix = PROTOCOLS[protocol or "2025"].prefix
    for arm in comparison.arms:
        assert {f"{prefix}blimp_fast", f"{prefix}global_piqa_parallel"} == arm.answers.keys()
        assert {key for key in arm.values if key.startswith("babylm")} == {
            f"{prefix}{score}" for score in (*TASKS, "macro")
        }
    rows = compare_paradigms(comparison)
    assert {(row.endpoint, row.paradigm) for row in rows} == {(f"{prefix}blimp_fast", uid) for uid in PARADIGMS}
    assert "macro" in comparison.endpoints[0]
    assert len(TASKS) >= FEWEST
    assert not any("202" in heading for heading in headings(comparison)), "one year needs no year in headings"
    assert has_note(comparison, f"by the protocol of {protocol or 2025}.")


def test_two_experiments_of_two_years_share_no_column(tmp_path: Path) -> None:
    old, new = (str(experiment(tmp_path / name, year)) for name, year in (("old", None), ("new", "2026")))
    comparison, _ = compare_folders([old, new])
    by_name = {arm.name: arm for arm in comparison.arms}
    assert len(by_name) == 4
    for arm in by_name.values():
        years = {key.partition("/")[0] for key in arm.values if key.startswith("babylm")}
        assert len(years) == 1, arm.name
        assert not any(key.startswith("babylm2026/") for key in arm.contrasts), "the baseline has none of that year"
    titles = headings(comparison)
    assert len(titles) == len(set(titles))
    for year in PROTOCOLS:
        assert [title for title in titles if year in title and title.startswith("BLiMP fast")]


def test_an_experiment_and_published_rows_of_two_years_say_which_is_which(tmp_path: Path) -> None:
    folder = str(experiment(tmp_path / "new", "2026"))
    comparison, _ = compare_folders([folder, f"ours={write_model(tmp_path, 'run')}"], [Path("babylm2026")])
    published = [arm for arm in comparison.arms if arm.kind == "published"]
    assert len(published) == 2
    titles = headings(comparison)
    assert any(title.startswith("entities 2025") for title in titles)
    assert any(title.startswith("BLiMP 2026") for title in titles)


def test_a_run_of_an_unknown_year_is_refused(tmp_path: Path) -> None:
    folder = experiment(tmp_path / "one", "2026")
    (config,) = folder.glob("trials/epochs-s1/config.yaml")
    config.write_text(config.read_text().replace("2026", "2031"))
    with pytest.raises(DataError, match=r"epochs-s1/config.yaml.*evaluation.protocol.*2026.*'2031'"):
        compare_folders([str(folder)])


def official(root: Path, name: str, year: str | None, shift: float = 0.0) -> str:
    """A model's official reports, with Global PIQA (2026), wug (2025), or no task that shows the year."""
    base = root / name / "main" / "zero_shot" / "causal"
    write_report(base / "blimp" / "blimp_fast", {"UID": {"a": 50.0 + shift, "b": 60.0 + shift}}, 55.0 + shift)
    if year is not None:
        folder = {"2025": "wug_past_tense", "2026": "global_piqa_parallel"}[year]
        write_report(base / folder / folder, {"UID": {"all": 40.0 + shift}}, 40.0 + shift)
    return f"{name}={root / name}"


def test_models_of_two_years_are_compared_in_what_the_baseline_has(tmp_path: Path) -> None:
    models = [official(tmp_path, "old", "2025"), *(official(tmp_path, f"new{at}", "2026", at) for at in range(2))]
    for baseline, primary in ((None, "babylm/blimp_fast"), ("new0", "babylm2026/blimp_fast")):
        comparison, _ = compare_folders(models, baseline=baseline)
        assert comparison.endpoints[0] == primary
    (new1,) = (arm for arm in comparison.arms if arm.name == "new1")
    assert new1.contrasts[primary].difference.mean == pytest.approx(1.0)


def test_seeds_of_one_model_are_of_one_year(tmp_path: Path) -> None:
    folders = [official(tmp_path, year, year).replace(year, "ours", 1) for year in PROTOCOLS]
    with pytest.raises(DataError, match=r"'ours'.*one year; got 2025 and 2026: .*name of their own"):
        compare_folders(folders)


def test_the_year_given_is_that_of_models_that_hide_theirs_and_of_no_others(tmp_path: Path) -> None:
    hidden, new = official(tmp_path, "hidden", None), official(tmp_path, "new", "2026")
    comparison, _ = compare_folders([hidden, new], year="2025")
    scored = {arm.name: {key for key in arm.values if key.endswith("blimp_fast")} for arm in comparison.arms}
    assert scored == {"hidden": {"babylm/blimp_fast"}, "new": {"babylm2026/blimp_fast"}}
    with pytest.raises(DataError, match=r"2026 by .*; 2025 by --protocol"):
        compare_folders([new], year="2025")


@pytest.mark.parametrize("protocol", ["2026", 2026])
def test_python_code_may_give_the_year_as_a_number_and_one_table_by_its_name(
    tmp_path: Path, protocol: str | int
) -> None:
    official(tmp_path, "hidden", None)
    table = api.compare(tmp_path / "hidden", published="babylm2026", protocol=protocol).comparison
    own = table[table["kind"] == "elsewhere"].dropna(subset=["mean"])
    assert list(own["metric"]) == ["babylm2026/blimp_fast"]
    assert table.loc[table["kind"] == "published", "arm"].nunique() == 2


def test_long_headings_are_whole_in_a_narrow_terminal(tmp_path: Path) -> None:
    models = [official(tmp_path, "old", "2025"), *(f"new{at}={tmp_path / f'new{at}'}" for at in range(2))]
    for at in range(2):
        for task in ("global_piqa_nonparallel", "global_piqa_parallel"):
            write_report(tmp_path / f"new{at}" / task / task, {"UID": {"all": 40.0 + at}}, 40.0 + at)
    comparison, _ = compare_folders(models, baseline="new0")
    console = Console(file=io.StringIO(), width=72)
    print_comparison(comparison, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "non-" in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
