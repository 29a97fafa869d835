"""Export of the winner: settings that compose, a valid command, a model that is published whole."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sleep_tune.commands.export import main
from sleep_tune.config.load import compose
from sleep_tune.config.tree import to_dict
from sleep_tune.experiment.run_folder import read_config
from tests.analysis.commands import call
from tests.results.conftest import SyntheticLog
from tests.stand_in_hub import stand_in_hub

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A search whose finalist kept its model."""
    log = SyntheticLog(tmp_path / "found")
    log.open(name="found", parameters={"sleep.folds": {}}, base={"data": "toy", "model": "tiny"})
    config = to_dict(compose(["sleep=strict", "sleep.folds=7", "sleep.length.ratio=0.5", "data=toy", "model=tiny"]))
    for seed in (1000, 1001):
        log.run("epochs", seed, 2.0, 0.8)
        log.run("t0004", seed, 1.9, 0.8, role="finalist", parameters={"sleep.folds": 7})
        run = log.folder / "trials" / f"t0004-s{seed}"
        (run / "model").mkdir(parents=True)
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        (run / "model" / "config.json").write_text("{}")
        (run / "model" / "model.safetensors").write_bytes(b"\0weights")
    return log.folder


def export(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script, with these variables in a process of its own: the Hub's client reads them when it is imported."""
    if not environment:
        return call(main, *arguments)
    command = [sys.executable, "analysis/export_best.py", *map(str, arguments)]
    kept = {key: value for key, value in os.environ.items() if key != "HF_TOKEN" and not key.startswith("HF_HUB")}
    given = kept | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def test_the_settings_are_a_choice_of_the_group_and_compose_to_what_was_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "conf"
    done = export(folder, "--conf", conf)
    assert (done.returncode, done.stderr) == (0, "")
    assert "python train_worker.py sleep=found run.name=found-full data=toy model=tiny" in done.stdout
    monkeypatch.chdir(tmp_path)
    again = compose(["sleep=found", "run.name=found-full", "data=toy", "model=tiny"])
    assert (again.sleep.folds, again.sleep.replay.strategy) == (7, "strict")
    assert (again.sleep.length.passes, again.sleep.length.ratio) == (None, 0.5)


def test_other_settings_of_the_name_are_not_overwritten_unless_forced(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "conf" / "sleep" / "found.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("folds: 1\n")
    done = export(folder, "--conf", tmp_path / "conf")
    assert done.returncode == 2
    for part in (str(path), "--name", "--force"):
        assert part in done.stderr
    assert path.read_text() == "folds: 1\n"
    assert export(folder, "--conf", tmp_path / "conf", "--force").returncode == 0
    assert "folds: 7" in path.read_text()
    assert export(folder, "--conf", tmp_path / "conf").returncode == 0


def test_an_experiment_from_elsewhere_chooses_no_place_and_no_settings(folder: Path, tmp_path: Path) -> None:
    described = yaml.safe_load((folder / "experiment.yaml").read_text())
    described["space"]["name"] = "../../out"
    (folder / "experiment.yaml").write_text(yaml.safe_dump(described))
    done = export(folder, "--conf", tmp_path / "conf")
    assert done.returncode == 2
    assert "--name" in done.stderr
    assert "'../../out'" in done.stderr
    assert not list(tmp_path.glob("**/out.yaml"))


@pytest.mark.slow
def test_model_tokenizer_and_card_are_published(folder: Path, tmp_path: Path) -> None:
    with stand_in_hub() as hub:
        done = export(folder, "--conf", tmp_path / "conf", "--push-to-hub", "owner/model", **hub.surroundings)
    assert (done.returncode, done.stderr) == (0, "")
    assert hub.tokens == {"Bearer hf_mine"}
    received = hub.branches["main"]
    assert set(received) == {"config.json", "model.safetensors", "README.md"}
    assert received["model.safetensors"] == b"\0weights"
    card = received["README.md"].decode()
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["pipeline_tag"] == "fill-mask"
    assert 'from_pretrained("owner/model")' in card
    assert "| t0004 |" in card
    assert "folds: 7" in card
    assert done.stdout.rstrip().endswith("/owner/model/commit/1")


@pytest.mark.slow
def test_models_at_numbers_of_words_are_read_back_as_revisions(folder: Path, tmp_path: Path) -> None:
    for run in (folder / "trials").iterdir():
        for words in (1, 10, 2):
            saved = run / "checkpoints" / f"chck_{words}M"
            saved.mkdir(parents=True)
            (saved / "config.json").write_text("{}")
            (saved / "model.safetensors").write_bytes(b"%d" % words)
    with stand_in_hub() as hub:
        publish = ("--conf", tmp_path / "conf", "--push-to-hub", "owner/model", "--word-checkpoints")
        for _ in range(2):  # the same command again completes what was interrupted
            done = export(folder, *publish, **hub.surroundings)
            assert (done.returncode, done.stderr) == (0, "")
        script = "import sys, huggingface_hub as hub; print(hub.snapshot_download(sys.argv[1], revision=sys.argv[2]))"
        command = [sys.executable, "-c", script, "owner/model", "chck_10M"]
        surroundings = os.environ | hub.surroundings | {"HF_HOME": str(tmp_path / "hf")}
        got = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stderr
    downloaded = Path(got.stdout.strip())
    assert (downloaded / "model.safetensors").read_bytes() == b"10"
    assert 'revision="chck_10M"' in (downloaded / "README.md").read_text()
    assert list(hub.branches) == ["main", "chck_1M", "chck_2M", "chck_10M"]
    assert "`chck_1M`, `chck_2M`, `chck_10M`" in hub.branches["main"]["README.md"].decode()


@pytest.mark.slow
def test_a_card_that_the_hub_refuses_is_one_message(folder: Path, tmp_path: Path) -> None:
    with stand_in_hub() as hub:
        wrong = ("--push-to-hub", "owner/model", "--license", "mine")
        done = export(folder, "--conf", tmp_path / "conf", *wrong, **hub.surroundings)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for part in ("--push-to-hub", '"license" must be one of'):
        assert part in done.stderr
    assert not hub.branches["main"]


def test_models_at_numbers_of_words_need_a_hub_and_a_run_that_saved_them(folder: Path, tmp_path: Path) -> None:
    for arguments, part in (
        (("--word-checkpoints",), "--push-to-hub"),
        (("--word-checkpoints", "--push-to-hub", "owner/model"), "training.word_checkpoints=true"),
        (("--push-to-hub", "owner/model/branch"), "OWNER/NAME"),
    ):
        done = export(folder, "--conf", tmp_path / "conf", *arguments)
        assert done.returncode == 2
        assert part in done.stderr
    assert not (tmp_path / "conf" / "sleep" / "found.yaml").exists()


def test_a_model_goes_to_the_folder_that_is_named_and_replaces_nothing(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "shared"
    stated = ("--license", "mit", "--data-license", "CC0", "--language", "de", "--repository", "https://example.org/x")
    assert export(folder, "--conf", tmp_path / "conf", "--to", place, *stated).returncode == 0
    assert {path.name for path in place.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    card = (place / "README.md").read_text()
    for part in ("license: mit", "licence of the text: CC0", "language: de", "git clone https://example.org/x"):
        assert part in card
    before = (place / "README.md").read_bytes()
    done = export(folder, "--conf", tmp_path / "conf", "--to", place)
    assert done.returncode == 2
    assert str(place) in done.stderr
    assert (place / "README.md").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf", "found", "shared"]


def test_a_run_by_itself_is_exported_with_a_command_that_repeats_it(folder: Path, tmp_path: Path) -> None:
    run = folder / "trials" / "t0004-s1000"
    done = export(run, "--conf", tmp_path / "conf", "--to", tmp_path / "shared")
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load((tmp_path / "conf" / "sleep" / "t0004-s1000.yaml").read_text())["folds"] == 7
    line = (tmp_path / "shared" / "README.md").read_text().partition("python train_worker.py ")[2].splitlines()[0]
    again, config = compose(shlex.split(line)), read_config(run)
    assert replace(again, run=config.run) == config


def test_a_folder_that_is_neither_a_run_nor_an_experiment_is_refused(tmp_path: Path) -> None:
    done = export(tmp_path, "--conf", tmp_path / "conf")
    assert done.returncode == 2
    for part in (str(tmp_path), "trials.jsonl", "config.yaml"):
        assert part in done.stderr


def test_numbers_have_four_digits_unless_all_are_asked_for(folder: Path, tmp_path: Path) -> None:
    for run in (folder / "trials").iterdir():
        text = (run / "config.yaml").read_text().replace("ratio: 0.5", "ratio: 0.5123456789")
        (run / "config.yaml").write_text(text)
    path = tmp_path / "conf" / "sleep" / "found.yaml"
    assert export(folder, "--conf", tmp_path / "conf").returncode == 0
    assert yaml.safe_load(path.read_text())["length"]["ratio"] == 0.5123
    assert "config.yaml" in path.read_text().splitlines()[1]
    assert export(folder, "--conf", tmp_path / "conf", "--force", "--exact").returncode == 0
    written = path.read_text()
    assert yaml.safe_load(written)["length"]["ratio"] == 0.5123456789
    # Files of earlier versions have all digits: the command that wrote one can be given again.
    assert export(folder, "--conf", tmp_path / "conf").returncode == 0
    assert path.read_text() == written


def test_a_model_that_was_not_kept_is_not_published(folder: Path, tmp_path: Path) -> None:
    for run in (folder / "trials").iterdir():
        (run / "model" / "config.json").unlink()
        (run / "outcome.json").touch()
    done = export(folder, "--conf", tmp_path / "conf", "--push-to-hub", "owner/model")
    assert done.returncode == 2
    assert "model" in done.stderr
    assert "weights were not kept" in done.stderr


def test_no_file_from_outside_the_experiment_is_published(folder: Path, tmp_path: Path) -> None:
    """An experiment from elsewhere may have a link to a key of the user's, or to a folder of theirs."""
    (tmp_path / "private").write_text("secret")
    for run in (folder / "trials").iterdir():
        (run / "model" / "vocab.txt").symlink_to(tmp_path / "private")
    done = export(folder, "--conf", tmp_path / "conf", "--push-to-hub", "owner/model")
    assert done.returncode == 2
    for part in ("vocab.txt", folder, tmp_path / "private"):
        assert str(part) in done.stderr


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_one_message(folder: Path, tmp_path: Path) -> None:
    surroundings = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_mine", "HF_HUB_OFFLINE": "0"}
    done = export(folder, "--conf", tmp_path / "conf", "--push-to-hub", "owner/model", **surroundings)
    assert done.returncode == 2
    assert "--push-to-hub" in done.stderr
    assert "'owner/model'" in done.stderr
    assert "Traceback" not in done.stderr
