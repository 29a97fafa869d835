"""Name and folder of a run that is trained by hand, where they were not given."""

from pathlib import Path

import pytest

from sleep_tune.commands.train import help_text
from sleep_tune.config.load import compose
from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError, DataError, RunFolderError
from sleep_tune.experiment.run_folder import read_config, record_run
from sleep_tune.experiment.run_place import compose_run


def placed(*overrides: str) -> RunConfig:
    return compose_run(overrides)


def test_a_mapping_is_placed_as_texts_are() -> None:
    assert compose_run({"sleep": "weighted", "training.seed": 3}) == placed("sleep=weighted", "training.seed=3")


@pytest.mark.parametrize(
    ("overrides", "name", "folder"),
    [
        ((), "default", "runs/default"),
        (("sleep=weighted", "training.seed=3"), "weighted-seed3", "runs/weighted-seed3"),
        (("run.name=mine", "training.seed=3"), "mine", "runs/mine"),
        (("run.name=mine", "run.dir=/there/x"), "mine", "/there/x"),
        (("run.dir=/there/x",), "x", "/there/x"),
    ],
)
def test_name_and_folder(
    overrides: tuple[str, ...], name: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (placed(*overrides).run.name, placed(*overrides).run.dir) == (name, folder)


def test_a_run_of_an_earlier_version_stays_in_runs_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record_run(tmp_path / "runs" / "default", compose(["training.seed=3", "run.name=default"]))
    assert placed("training.seed=3").run.dir == "runs/default"
    assert placed("training.seed=4").run.dir == "runs/seed4"
    (tmp_path / "runs" / "default" / "config.yaml").write_text("- no configuration\n")
    assert placed("training.seed=3").run.dir == "runs/seed3"


def test_a_run_in_a_folder_of_its_own_keeps_its_name_when_it_is_resumed(tmp_path: Path) -> None:
    record_run(tmp_path / "before", placed(f"run.dir={tmp_path / 'before'}"))
    (tmp_path / "before").rename(tmp_path / "after")
    assert placed(f"run.dir={tmp_path / 'after'}").run.name == "before"
    assert placed(f"run.dir={tmp_path / 'after'}", "training.seed=9").run.name == "after"


def test_the_protocol_is_chosen_once_and_kept(tmp_path: Path) -> None:
    """A run that names none was made before there were two: its scores are those of 2025."""
    run, data = tmp_path / "run", tmp_path / "fast_eval"
    (data / "blimp_fast").mkdir(parents=True)
    command = (f"run.dir={run}", f"evaluation.data={data}")
    assert placed(f"run.dir={run}").evaluation.protocol == "auto"  # no data, so no scores
    assert placed(*command).evaluation.protocol == "2026"
    record_run(run, placed(*command))
    (data / "wug_past_tense").mkdir()
    assert placed(*command).evaluation.protocol == "2026"
    file = run / "config.yaml"
    file.write_text("".join(line for line in file.read_text().splitlines(True) if "protocol:" not in line))
    assert read_config(run).evaluation.protocol == "2025"
    assert placed(*command).evaluation.protocol == "2025"
    assert record_run(run, placed(*command))
    with pytest.raises(RunFolderError, match=r"evaluation\.protocol is 2025 there, 2026 here"):
        record_run(run, placed(*command, "evaluation.protocol=2026"))


def test_a_protocol_or_task_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    for name in ("wug_past_tense", "global_piqa_parallel"):
        (tmp_path / name).mkdir()
    data = f"evaluation.data={tmp_path}"
    with pytest.raises(DataError, match=r"2025.*2026.*evaluation\.protocol"):
        placed(data)
    with pytest.raises(ConfigError, match=r"evaluation\.tasks .*2026.* wug_past_tense, a task of 2025"):
        placed(data, "evaluation.protocol=2026", "evaluation.tasks=[wug_past_tense]")
    with pytest.raises(ConfigError, match=r"evaluation\.protocol needs evaluation\.data"):
        placed("evaluation.protocol=2026")
    assert compose_run({"evaluation.data": str(tmp_path), "evaluation.protocol": 2025}).evaluation.protocol == "2025"
    with pytest.raises(ConfigError, match=r"evaluation\.protocol.*2027"):
        placed(data, "evaluation.protocol=2027")


def test_the_examples_of_help_are_runs_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line.split("   ")[0].split() for line in help_text().splitlines() if line.startswith("  python train_w")]
    folders = [placed(*words[2:]).run.dir for words in lines]
    assert len(set(folders)) == len(folders) == 3
