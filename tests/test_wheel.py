"""A wheel in an empty environment, away from the repository: it trains, searches, compares, exports and evaluates.

The wheel is built from the source archive, as `pip install` of that archive does. The other packages come from the
environment of the tests, by a .pth file, which does not lead to that environment's editable installation.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest

from tests.evaluation import official_data

pytest.importorskip("hatchling")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[1]

SPACE = """\
base: {data: text, data.path: texts, data.max_length: 32, tokenizer.vocab_size: 300, model: tiny, sleep: mine,
       training.batch_size: 8, evaluation.samples: 8}
parameters: {sleep.folds: {choice: [2, 3]}}
stop: {trials: 1}
baselines: {epochs: {}}
finalists: {count: 1, seeds: 2}
"""
TINY = (
    "data=text",
    "data.path=texts",
    "data.max_length=64",
    "tokenizer.vocab_size=300",
    "model=tiny",
    "sleep=mine",
    "training.batch_size=8",
    "evaluation.samples=8",
    "budget.passes=2",
)
WORDS = ("dog", "cat", "hen", "pig", "owl", "rat", "bee", "fox")

Done = subprocess.CompletedProcess[str]


def build(target: str, source: Path, folder: Path) -> Path:
    """Build the package in `source`, and return the file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(build("sdist", ROOT, folder / "archive")) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    wheel = build("wheel", source, folder / "built")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    theirs = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "theirs.pth").write_text("\n".join(theirs))
    return python.parent


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, a choice of the user's own, a search space and a task."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "texts").mkdir()
    (folder / "texts" / "lines.txt").write_text(
        "\n".join(f"the {a} saw the {b} near the {c}" for a in WORDS for b in WORDS for c in WORDS)
    )
    (folder / "conf" / "sleep").mkdir(parents=True)
    (folder / "conf" / "sleep" / "mine.yaml").write_text("folds: 2\nreplay: {strategy: strict}\n")
    (folder / "mine.yaml").write_text(SPACE)
    official_data.write_data(folder / "fast_eval")
    return folder


def call(environment: Path, work: Path, *arguments: str) -> Done:
    """Call an installed program in the user's folder; Python's path is its own."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables["SLEEP_TUNE_CACHE"] = str(work / "cache")
    command = [str(environment / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_a_user_s_whole_way(environment: Path, work: Path) -> None:
    def tune(*arguments: str) -> str:
        return call(environment, work, "sleep-tune", *arguments).stdout

    assert "* tiny" in tune("train", "--help")
    assert "sleep-tune search" in tune("search", "--help")
    assert "replay" in tune("search", "replay", "--help")

    tune("train", *TINY, "run.dir=run")
    made = json.loads((work / "run" / "environment.json").read_text())
    assert made["commit"] is None or git("cat-file", "-t", made["commit"]) == "commit"
    assert (made["commit"] is None) == (not (ROOT / ".git").exists())
    assert "folds: 2" in (work / "run" / "config.yaml").read_text()

    assert "nothing was started" in tune("search", "mine", "budget.passes=2", "--plan")
    assert "epochs" in tune("search", "mine", "budget.passes=2", "--launcher", "inline")
    assert "finished" in tune("search", "mine", "--status")
    assert "epochs" in tune("compare", "results/mine")
    assert "BabyLM 2026" in tune("compare", "results/mine", "--published", "babylm2026")
    assert Path(work, tune("report", "results/mine").strip()).is_file()
    assert "sleep-tune train" in tune("export", "results/mine", "--name", "found")
    assert (work / "conf" / "sleep" / "found.yaml").is_file()

    tune("evaluate", "run/model", "--data", "fast_eval", "--tasks", "blimp", "--output-dir", "scores")
    assert list((work / "scores").rglob("best_temperature_report.txt"))


def test_the_package_is_the_wheel_s(environment: Path, work: Path) -> None:
    code = "import sleep_tune, sleep_tune.installation as i; print(sleep_tune.__file__, i.CLONE, i.command('search'))"
    file, clone, *command = call(environment, work, "python", "-c", code).stdout.split()
    assert Path(file).is_relative_to(environment.parent)
    assert (clone, command) == ("None", ["sleep-tune", "search"])
