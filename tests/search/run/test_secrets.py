"""No key, token or password reaches a file of a tracked search, its output, or the list of processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[3]

SPACE = """\
base: {data: toy, data.sentences: 120, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 2,
       sleep: default, evaluation.samples: 4, evaluation.pairs: 12, training.batch_size: 8, training.save_model: false,
       training.device: cpu, tracking: wandb, tracking.wandb: offline, tracking.tensorboard: true}
parameters:
  sleep.folds: {choice: [2, 3]}
scheduler: {name: none}
stop: {trials: 1}
finalists: {count: 0}
"""

PLANTED = "p1anted"
PROXY = f"http://user:{PLANTED}-proxy@127.0.0.1:9"
SECRETS = {
    "WANDB_API_KEY": f"{PLANTED}-wandb".ljust(40, "0"),
    **{
        name: f"{PLANTED}-{name.lower()}"
        for name in (
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "RAY_AUTH_TOKEN",
        )
    },
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), PROXY),
}


def command_lines() -> bytes:
    found = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes() + b"\n"
        except OSError:  # it has ended
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").is_file(), reason="needs the list of processes in /proc")
def test_planted_secrets_are_found_nowhere(tmp_path: Path) -> None:
    (tmp_path / "kept.yaml").write_text(SPACE)
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "remote", "add", "origin", f"https://user:{PLANTED}-git@127.0.0.1/x.git"], check=True)
    command = [sys.executable, str(ROOT / "tune.py"), "kept.yaml", "--launcher", "inline"]
    environment = os.environ | SECRETS | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    seen = b""
    with (tmp_path / "printed").open("wb") as printed:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=printed, stderr=subprocess.STDOUT)
        while process.poll() is None:
            seen += command_lines()
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                continue
    assert process.returncode == 0, (tmp_path / "printed").read_text()
    assert b"tune.py" in seen
    assert b"wandb-core" in seen, "the service of Weights & Biases was seen, too"
    assert PLANTED.encode() not in seen
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and ".git" not in path.parts}
    tracked = [content for path, content in files.items() if path.suffix == ".wandb"]
    assert any(b"kept.yaml" in content for content in tracked), "what is in the file of W&B can be searched"
    assert {str(path) for path, content in files.items() if PLANTED.encode() in content} == set()
