"""A user's own package, by import path, from its own folder: trained, killed and resumed, searched, and compared."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.messages import missing

ROOT = Path(__file__).parents[1]

REPLAY = """\
import numpy as np


def middle(priorities, scores, n, rng):
    order = np.argsort(priorities, kind="stable")
    start = (len(order) - n) // 2
    return np.sort(order[start : start + n])


def twice(priorities, scores, n, rng):
    return np.zeros(n, int)


def broken(priorities, scores, n, rng):
    return priorities[n:].unknown
"""

CORPORA = """\
from pathlib import Path

from sleep_tune.data.documents import Document, RawCorpus, Splits
from sleep_tune.data.pairs import MinimalPair


def read(data):
    def documents():
        lines = Path(data.path).read_text().splitlines()
        pairs = tuple(MinimalPair("order", line, " ".join(reversed(line.split()))) for line in lines[:20])
        return Splits(tuple(Document("lines", (line,)) for line in lines), pairs={"dev": pairs, "test": pairs})

    return RawCorpus(identity={"lines": str(len(Path(data.path).read_text()))}, read=documents)
"""

TASKS = """\
from sleep_tune.evaluation.items import Item, TextOption


def stripes(file):
    for line in file.content.decode().splitlines():
        good, bad = line.split(",")
        yield Item(uid="stripes", id="", options=(TextOption(good), TextOption(bad)))
"""

MODELS = """\
import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput


class MixerConfig(PretrainedConfig):
    model_type = "my_mixer"

    def __init__(self, vocab_size=300, hidden_size=16, length=32, **more):
        super().__init__(**more)
        self.vocab_size, self.hidden_size, self.length = vocab_size, hidden_size, length


class Mixer(PreTrainedModel):
    config_class = MixerConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.mix = nn.Linear(config.length, config.length)
        self.out = nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **more):
        states = nn.functional.dropout(self.embed(input_ids), 0.1, self.training)
        if attention_mask is not None:
            states = states * attention_mask[..., None]
        padded = nn.functional.pad(states.transpose(1, 2), (0, self.config.length - input_ids.shape[1]))
        mixed = torch.tanh(self.mix(padded)).transpose(1, 2)[:, : input_ids.shape[1]]
        return MaskedLMOutput(logits=self.out(states + mixed))


def build(model, *, vocab_size, max_length, special, objective):
    return Mixer(MixerConfig(vocab_size=vocab_size, hidden_size=model.hidden, length=max_length))
"""

OWN = {
    "model.kind": "my_lab.models:build",
    "sleep.replay.strategy": "my_lab.replay:middle",
    "data.kind": "my_lab.corpora:read",
    "data.path": "lines.txt",
}
OWN |= {"evaluation.data": "tasks", "evaluation.tasks": "[my_lab.tasks:stripes]"}
TINY = {"data.max_length": 32, "tokenizer.vocab_size": 300, "model.layers": 1, "model.hidden": 16, "model.heads": 2}
TINY |= {"model.feed_forward": 16, "evaluation.samples": 8, "sleep.folds": 2, "training.batch_size": 8}

FILES = {"replay": REPLAY, "corpora": CORPORA, "tasks": TASKS, "models": MODELS, "__init__": ""}

SPACE = """\
base: {data.kind: "my_lab.corpora:read", data.path: lines.txt, data.max_length: 32, tokenizer.vocab_size: 300,
       model: tiny, model.hidden: 16, sleep.folds: 2, training.batch_size: 8, training.save_model: false,
       budget.passes: 2, evaluation.samples: 8,
       evaluation.data: tasks, evaluation.tasks: ["my_lab.tasks:stripes"]}
objective: {metric: babylm2026/stripes}
parameters:
  sleep.replay.strategy: {choice: [strict, "my_lab.replay:middle"]}
search: {algorithm: random}
stop: {trials: 2}
baselines: {epochs: {}}
finalists: {count: 1, seeds: 2}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """The user's folder."""
    (tmp_path / "my_lab").mkdir()
    for name, text in FILES.items():
        (tmp_path / "my_lab" / f"{name}.py").write_text(text)
    lines = [f"the {a} saw the {b} near the {c}" for a in WORDS for b in WORDS for c in WORDS]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    (tmp_path / "tasks" / "stripes").mkdir(parents=True)
    (tmp_path / "tasks" / "stripes" / "items.csv").write_text("the dog saw the cat,dog the saw cat the\n" * 4)
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path


WORDS = ("dog", "cat", "hen", "pig", "owl", "rat", "bee", "fox")


def arguments(script: str, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / script), *more]


def overrides(**more: object) -> list[str]:
    return [f"{key}={value}" for key, value in (TINY | OWN | {"budget.passes": 4} | more).items()]


def command(lab: Path, script: str, *more: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of the repository in the user's folder; the cache is there too."""
    environment = os.environ | {"SLEEP_TUNE_CACHE": str(lab / "cache")}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        arguments(script, *more), cwd=lab, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


def outcome(lab: Path, name: str) -> dict[str, object]:
    values: dict[str, object] = json.loads((lab / "runs" / name / "outcome.json").read_text())
    return {key: value for key, value in values.items() if key != "seconds"}


@pytest.mark.slow
def test_a_run_is_killed_resumed_and_refused_once_the_source_has_changed(lab: Path) -> None:
    whole = command(lab, "train_worker.py", *overrides(**{"run.name": "whole"}))
    assert whole.returncode == 0, whole.stderr
    assert not missing(whole.stdout, "stripes|trust_remote_code=True")
    config = yaml.safe_load((lab / "runs" / "whole" / "config.yaml").read_text())
    assert [entry.split()[:2] for entry in config["run"]["sources"]] == [
        ["my_lab.corpora:read", "my_lab/corpora.py"],
        ["my_lab.models:build", "my_lab/models.py"],
        ["my_lab.replay:middle", "my_lab/replay.py"],
        ["my_lab.tasks:stripes", "my_lab/tasks.py"],
    ]
    cut = overrides(**{"run.name": "cut"})
    environment = os.environ | {"SLEEP_TUNE_CACHE": str(lab / "cache")}
    with subprocess.Popen(arguments("train_worker.py", *cut), cwd=lab, env=environment) as process:
        end = time.monotonic() + 240
        while process.poll() is None and not list((lab / "runs" / "cut").glob("attempt-*/checkpoint-*")):
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    resumed = command(lab, "train_worker.py", *cut)
    assert resumed.returncode == 0, resumed.stderr
    assert outcome(lab, "cut") == outcome(lab, "whole")
    with (lab / "my_lab" / "replay.py").open("a") as file:
        file.write("# another\n")
    refused = command(lab, "train_worker.py", *cut)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert not missing(refused.stderr, "runs/cut|my_lab.replay:middle|my_lab/replay.py")


@pytest.mark.slow
def test_a_wrong_result_is_a_sentence_and_a_bug_a_traceback_that_names_the_function(lab: Path) -> None:
    wrong = command(lab, "train_worker.py", *overrides(**{"sleep.replay.strategy": "my_lab.replay:twice"}))
    assert wrong.returncode == 2
    assert not missing(wrong.stderr, "my_lab.replay:twice|repeated")
    assert "Traceback" not in wrong.stderr
    bug = command(
        lab, "train_worker.py", *overrides(**{"sleep.replay.strategy": "my_lab.replay:broken", "run.name": "bug"})
    )
    assert bug.returncode == 1
    assert not missing(bug.stderr, "Traceback|my_lab/replay.py|in broken|unknown")


def test_an_error_while_importing_is_a_sentence_with_its_line(lab: Path) -> None:
    (lab / "my_lab" / "replay.py").write_text("import numpy\n\nnumpy.no_such()\n")
    refused = command(lab, "train_worker.py", *overrides())
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert not missing(refused.stderr, f"{lab / 'my_lab' / 'replay.py'}:3:|sleep.replay.strategy|AttributeError")
    assert not (lab / "runs").exists()


def test_the_plan_of_a_search(lab: Path) -> None:
    plan = command(lab, "tune.py", "space.yaml", "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "2 trials" in plan.stdout


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_search_with_a_strategy_of_its_own_beside_strict(lab: Path, launcher: str) -> None:
    """It ends with its report, which does not need the user's code; a changed source is another study."""
    done = command(lab, "tune.py", "space.yaml", "--launcher", launcher)
    assert done.returncode == 0, done.stderr
    experiment = yaml.safe_load((lab / "results" / "space" / "experiment.yaml").read_text())
    assert "my_lab.replay:middle" in str(experiment["base"]["run"]["sources"])
    used = {}
    for file in (lab / "results" / "space" / "trials").glob("*/config.yaml"):
        config = yaml.safe_load(file.read_text())
        used[config["sleep"]["replay"]["strategy"]] = [entry.split()[0] for entry in config["run"]["sources"]]
    shared = ["my_lab.corpora:read", "my_lab.tasks:stripes"]
    assert used["my_lab.replay:middle"] == [shared[0], "my_lab.replay:middle", shared[1]]
    assert used["strict"] == shared
    with (lab / "my_lab" / "replay.py").open("a") as source:
        source.write("# another\n")
    refused = command(lab, "tune.py", "space.yaml", "--launcher", launcher)
    assert refused.returncode == 2
    assert not missing(refused.stderr, "another study|my_lab.replay:middle|my_lab/replay.py")
    (lab / "my_lab").rename(lab / "gone")
    report = command(lab, "analysis/report.py", "results/space")
    assert report.returncode == 0, report.stderr
    best = command(lab, "analysis/export_best.py", "results/space", "--conf", "exported")
    assert best.returncode == 0, best.stderr
