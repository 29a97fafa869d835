"""The Slurm script with stand-ins for Slurm, Ray and the search: what it starts, and what a signal does."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "cluster" / "slurm.sh"

STAND_INS = {
    # scontrol show hostnames LIST; scontrol requeue JOB
    "scontrol": 'if [ "$1" = show ]; then echo first; echo second; else echo "scontrol $*" >>told; fi',
    # srun [--option=value ...] COMMAND: runs it here, as the task of the first node.
    "srun": 'while [ "${1#--}" != "$1" ]; do shift; done; SLURM_PROCID=0 exec "$@"',
    "hostname": 'if [ "$1" = --ip-address ]; then echo ::1 127.0.1.1; else echo 0.0.0.0 10.0.0.1; fi',
    # ray start --head ... --port=P: listens there until it is ended.
    "ray": """
        echo "ray $*" >>told
        for word; do case "$word" in --port=*) port="${word#--port=}";; esac; done
        exec "$REAL_PYTHON" -c "import socket, signal
listener = socket.create_server(('0.0.0.0', $port), reuse_port=True)
signal.pause()"
    """,
    # python -c ... waits for nodes; python tune.py ... is the search, which ends as $SEARCH says.
    "python": """
        if [ "$1" = -c ]; then exit 0; fi
        echo "python $*" >>told
        trap 'echo saved >>told; exit 143' TERM
        echo started >>told
        if [ -n "$SEARCH" ]; then exit "$SEARCH"; fi
        while :; do sleep 0.05; done
    """,
}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A folder in which the job can run, with a bin folder of stand-ins."""
    (tmp_path / "bin").mkdir()
    for name, body in STAND_INS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    return tmp_path


def submit(job: Path, search: str = "") -> "subprocess.Popen[bytes]":
    told = {
        "PATH": f"{job / 'bin'}:{os.environ['PATH']}",
        "REAL_PYTHON": subprocess.check_output(["which", "python3"], text=True).strip(),
        "SEARCH": search,
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "16",
        "SLURM_GPUS_ON_NODE": "4",
    }
    with (job / "output").open("wb") as output:
        return subprocess.Popen(
            ["bash", str(SCRIPT), "search_spaces/replay.yaml", "data=text", "data.path=a folder"],
            cwd=job,
            env=os.environ | told,
            stdout=output,
            stderr=output,
        )


def told(job: Path) -> list[str]:
    path = job / "told"
    return path.read_text().splitlines() if path.exists() else []


def wait_for(job: Path, line: str) -> None:
    end = time.monotonic() + 300
    while line not in told(job):
        assert time.monotonic() < end, told(job)
        time.sleep(0.02)


def test_it_starts_ray_on_the_first_node_and_the_search_beside_it(job: Path) -> None:
    running = submit(job, search="0")
    assert running.wait(300) == 0, (job / "output").read_text()
    ray, search, _ = told(job)
    port = 20_000 + os.getpid() % 20_000
    assert ray.startswith(f"ray start --head --block --node-ip-address=0.0.0.0 --port={port} --temp-dir=/tmp/ray-")
    assert ray.endswith("--num-cpus=16 --num-gpus=4")
    assert search == "python tune.py search_spaces/replay.yaml data=text data.path=a folder --address auto"


@pytest.mark.parametrize(
    ("number", "queued"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)], ids=["time is up", "cancelled"]
)
def test_a_signal_lets_the_search_save_and_only_a_full_time_queues_again(
    job: Path, number: signal.Signals, queued: bool
) -> None:
    running = submit(job)
    wait_for(job, "started")
    running.send_signal(number)
    assert running.wait(300) == 143
    lines = told(job)
    assert "saved" in lines
    assert (f"scontrol requeue {os.getpid()}" in lines) == queued


@pytest.mark.parametrize("code", [1, 2])
def test_a_search_that_ends_by_itself_is_not_queued_again(job: Path, code: int) -> None:
    running = submit(job, search=str(code))
    assert running.wait(300) == code
    assert not any("requeue" in line for line in told(job))


def test_the_script_is_bash() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    assert os.access(SCRIPT, os.X_OK)
