"""The Slurm script with stand-ins for Slurm, Ray and the search: what it starts, and what a signal does."""

import os
import re
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
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
        echo "$RAY_AUTH_MODE $RAY_AUTH_TOKEN" >>tokens
        for word; do case "$word" in --port=*) port="${word#--port=}";; esac; done
        exec "$REAL_PYTHON" -c "import socket, signal
listener = socket.create_server(('0.0.0.0', $port), reuse_port=True)
signal.pause()"
    """,
    # python -c ... waits for nodes; python tune.py ... is the search, which ends as $SEARCH says.
    "python": """
        if [ "$1" = -c ]; then exit 0; fi
        echo "python $*" >>told
        echo "$RAY_AUTH_MODE $RAY_AUTH_TOKEN" >>tokens
        trap 'echo saved >>told; exit 143' TERM
        echo started >>told
        if [ -n "$SEARCH" ]; then exit "$SEARCH"; fi
        while :; do sleep 0.05; done
    """,
}


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the job can run, with a bin folder of stand-ins."""
    (tmp_path / "bin").mkdir()
    for name, body in STAND_INS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    yield tmp_path
    for folder in Path("/tmp").glob(f"ray-{os.getpid()}-*"):
        shutil.rmtree(folder)


def submit(job: Path, search: str = "", **environment: str) -> "subprocess.Popen[bytes]":
    told = environment | {
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
            env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | told,
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
    folder = re.fullmatch(
        rf"ray start --head --block --node-ip-address=0\.0\.0\.0 --dashboard-host=0\.0\.0\.0 --port={port} "
        r"--temp-dir=(/tmp/ray-\d+-\w{6})/ray --num-cpus=16 --num-gpus=4",
        ray,
    )
    assert folder is not None
    assert stat.S_IMODE(Path(folder[1]).stat().st_mode) == 0o700
    assert search == "python tune.py search_spaces/replay.yaml data=text data.path=a folder --address auto"


def tokens(job: Path) -> list[str]:
    return (job / "tokens").read_text().splitlines()


def test_every_start_of_the_job_has_a_new_token_that_ray_and_the_search_share(job: Path) -> None:
    for _ in range(2):
        assert submit(job, search="0").wait(300) == 0
    first, search, second, _ = tokens(job)
    assert re.fullmatch("token [0-9a-f]{64}", first)
    assert search == first != second
    for shown in [job / "output", job / "told", *job.glob("ray-*.log")]:
        assert first.removeprefix("token ") not in shown.read_text()


def test_a_task_without_the_token_starts_no_ray(job: Path) -> None:
    """So it is where the site's srun hands on no environment."""
    srun = job / "bin" / "srun"
    srun.write_text(srun.read_text().replace("exec", "unset RAY_AUTH_TOKEN; exec"))
    assert submit(job, search="0").wait(300) != 0
    assert told(job) == []


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
