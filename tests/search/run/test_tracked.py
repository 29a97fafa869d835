"""A tracked search without a key attempts no connection to anything but this machine, in any of its processes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.wandb_files import Kept, tracked_lines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[3]

SPACE = """\
base: {data: toy, data.sentences: 300, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 4,
       sleep: default, evaluation.samples: 8, evaluation.pairs: 12, training.save_model: false,
       training.checkpoint_ratio: 0.5, training.log_ratio: 0.05, training.device: cpu, tracking: wandb}
parameters:
  sleep.folds: {choice: [2, 3]}
scheduler: {name: none}
stop: {trials: 2}
finalists: {count: 0}
"""

ADDRESS = re.compile(r'connect\(.*sa_family=(AF_INET6?).*inet_(?:addr|pton)\((?:AF_INET6, )?"([^"]+)"')
HERE = ("127.", "::1", "::ffff:127.")


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, which sees the connections of any program")
def test_without_a_key_nothing_connects_to_another_machine(tmp_path: Path) -> None:
    """A hook into Python would not see the service of Weights & Biases, which is a program of its own."""
    (tmp_path / "kept.yaml").write_text(SPACE)
    calls = tmp_path / "calls.txt"
    trace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect,execve", "-o", str(calls)]
    command = [sys.executable, str(ROOT / "tune.py"), "kept.yaml", "--launcher", "inline"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    shown = subprocess.run(
        [*trace, *command],
        cwd=tmp_path,
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in shown.stderr:
        pytest.skip("strace may trace nothing here")
    assert shown.returncode == 0, shown.stderr
    seen = calls.read_text()
    assert "wandb-core" in seen, "the service was traced, too"
    called = [match[2] for match in ADDRESS.finditer(seen)]
    assert [address for address in called if not address.startswith(HERE)] == []
    trials = tmp_path / "results" / "kept" / "trials"
    for name in ("t0001", "t0002"):
        kept = Kept(trials / name)
        assert kept.lines == tracked_lines(trials / name)
        assert kept.finished
    assert f"upload with: wandb sync {trials}/*/wandb/offline-run-*" in shown.stdout.replace("\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cache", "calls.txt", "kept.yaml", "results"]
