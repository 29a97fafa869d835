"""The Slurm script with stand-ins for Slurm, Ray and the search: what it starts, and what a signal does."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "cluster" / "slurm.sh"
PORT = 20_000 + 2 * (os.getpid() % 10_000)
"""Of the job's Ray; its number is this process's."""

STAND_INS = {
    # scontrol show hostnames LIST; scontrol requeue JOB
    "scontrol": 'if [ "$1" = show ]; then echo first; echo second; else echo "scontrol $*" >>calls; fi',
    # srun [--option=value ...] COMMAND: runs it here, as the task of the first node.
    "srun": 'while [ "${1#--}" != "$1" ]; do echo "$1" >>options; shift; done; SLURM_PROCID=0 exec "$@"',
    "hostname": 'if [ "$1" = --ip-address ]; then echo ::1 127.0.1.1; else echo 0.0.0.0 10.0.0.1; fi',
    # ray start --head ... --port=P: listens there until it is ended.
    "ray": """
        echo "ray $*" >>calls
        echo "$RAY_AUTH_MODE $RAY_AUTH_TOKEN" >>tokens
        for word; do case "$word" in --port=*) port="${word#--port=}";; esac; done
        exec "$REAL_PYTHON" -c "import socket, signal
listener = socket.create_server(('0.0.0.0', $port), reuse_port=True)
signal.pause()"
    """,
    # python -c ... waits for nodes; python tune.py ... is the search, which ends as $SEARCH says.
    "python": """
        if [ "$1" = -c ]; then exit 0; fi
        echo "python $*" >>calls
        echo "$RAY_AUTH_MODE $RAY_AUTH_TOKEN" >>tokens
        trap 'echo saved >>calls; exit 143' TERM
        echo started >>calls
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
    variables = {
        "PATH": f"{job / 'bin'}:{os.environ['PATH']}",
        "REAL_PYTHON": subprocess.check_output(["which", "python3"], text=True).strip(),
        "SEARCH": search,
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "16",
        "SLURM_GPUS_ON_NODE": "4",
        **environment,
    }
    with (job / "output").open("wb") as output:
        return subprocess.Popen(
            ["bash", str(SCRIPT), "search_spaces/replay.yaml", "data=text", "data.path=a folder"],
            cwd=job,
            env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | variables,
            stdout=output,
            stderr=output,
        )


def calls(job: Path) -> list[str]:
    path = job / "calls"
    return path.read_text().splitlines() if path.exists() else []


def wait_for(job: Path, line: str) -> None:
    end = time.monotonic() + 300
    while line not in calls(job):
        assert time.monotonic() < end, calls(job)
        time.sleep(0.02)


def test_it_starts_ray_on_the_first_node_and_the_search_beside_it(job: Path) -> None:
    running = submit(job, search="0")
    assert running.wait(300) == 0, (job / "output").read_text()
    ray, search, _ = calls(job)
    folder = re.fullmatch(
        rf"ray start --head --block --node-ip-address=0\.0\.0\.0 --port={PORT} --dashboard-host=0\.0\.0\.0 "
        rf"--dashboard-port={PORT + 1} --temp-dir=(/tmp/ray-\d+-\w{{6}})/ray --num-cpus=16 --num-gpus=4",
        ray,
    )
    assert folder is not None
    assert stat.S_IMODE(Path(folder[1]).stat().st_mode) == 0o700
    assert "--cpus-per-task=16" in (job / "options").read_text().splitlines(), "srun itself gives a task one processor"
    asked = "search_spaces/replay.yaml data=text data.path=a folder"
    assert search == f"python tune.py {asked} --address 0.0.0.0:{PORT}"


def tokens(job: Path) -> list[str]:
    return (job / "tokens").read_text().splitlines()


def test_every_start_of_the_job_has_a_new_token_that_ray_and_the_search_share(job: Path) -> None:
    for _ in range(2):
        assert submit(job, search="0").wait(300) == 0
    first, search, second, _ = tokens(job)
    assert re.fullmatch("token [0-9a-f]{64}", first)
    assert search == first != second
    for shown in [job / "output", job / "calls", *job.glob("ray-*.log")]:
        assert first.removeprefix("token ") not in shown.read_text()


def test_a_task_without_the_token_starts_no_ray(job: Path) -> None:
    """So it is where the site's srun hands on no environment."""
    srun = job / "bin" / "srun"
    srun.write_text(srun.read_text().replace("exec", "unset RAY_AUTH_TOKEN; exec"))
    assert submit(job, search="0").wait(300) != 0
    assert calls(job) == []


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
    lines = calls(job)
    assert "saved" in lines
    assert (f"scontrol requeue {os.getpid()}" in lines) == queued


@pytest.mark.parametrize("code", [1, 2])
def test_a_search_that_ends_by_itself_is_not_queued_again(job: Path, code: int) -> None:
    running = submit(job, search=str(code))
    assert running.wait(300) == code
    assert not any("requeue" in line for line in calls(job))


SEARCH = """
import os, sys, time
from pathlib import Path
from sleep_tune.search.run.on_ray import cluster
def warn(sentence):
    raise AssertionError(sentence)
with cluster.join_cluster(sys.argv[-1], warn) as nodes:
    import ray
    answer = ray.get(ray.remote(lambda: sorted(name for name in os.environ if "AUTH" in name)).remote())
    assert answer == ["RAY_AUTH_MODE", "RAY_AUTH_TOKEN"], answer
    Path("calls").write_text("joined")
    while not Path("looked").exists():
        time.sleep(0.05)
"""
"""Stands in for the search: joins as it does, has a task done, and stays until it was looked at."""

INTRUDER = """
import encodings.idna, json, os, sys, urllib.error, urllib.request  # before it loses the right to import
import grpc
gcs, dashboard, folder = sys.argv[1:]
channel = grpc.insecure_channel(gcs, options=[("grpc.enable_http_proxy", 0)])
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)  # nobody
answers = {}
def ask(path, data=None):
    request = urllib.request.Request(dashboard + path, data, {"content-type": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
answers["job"] = ask("/api/jobs/", b'{"entrypoint": "id"}')
answers["state"] = ask("/api/v0/nodes")
answers["log"] = ask("/api/v0/logs/file?filename=raylet.out")
for name in ("NodeInfoGcsService/GetAllNodeInfo", "InternalKVGcsService/InternalKVGet"):
    try:
        answers[name] = len(channel.unary_unary("/ray.rpc." + name)(b"", timeout=60))
    except grpc.RpcError as error:
        answers[name] = error.code().name
try:
    answers["folder"] = os.listdir(folder)
except PermissionError:
    answers["folder"] = "closed"
print(json.dumps(answers))
"""
"""A user of the same machine without the token (and without rights, where the tests run as root)."""


def own_address() -> str:
    """An address of this machine that other nodes could use; the script refuses loopback addresses."""
    found = [
        card.address for cards in psutil.net_if_addrs().values() for card in cards if card.family is socket.AF_INET
    ]
    outward = [address for address in found if not address.startswith("127.")]
    if not outward:
        pytest.skip("this machine has loopback addresses only")
    return outward[0]


def content(path: Path) -> bytes:
    """What a file holds; nothing if Ray has replaced it meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@pytest.mark.ray
def test_ray_as_the_script_starts_it_refuses_calls_without_the_token(job: Path) -> None:
    """A user without rights once had the head run a job as root, and read a file of mode 0600 with it."""
    address = own_address()
    (job / "bin" / "hostname").write_text(f"#!/bin/sh\necho {address}\n")
    for name in ("python", "ray"):
        (job / "bin" / name).write_text(f'#!/bin/sh\nexec {Path(sys.executable).parent / name} "$@"\n')
    (job / "tune.py").write_text(SEARCH)
    library = str(Path(__file__).parents[2])
    running = submit(job, SLURM_JOB_NUM_NODES="1", SLURM_CPUS_PER_TASK="1", SLURM_GPUS_ON_NODE="0", PYTHONPATH=library)
    try:
        end = time.monotonic() + 300
        while calls(job) != ["joined"]:
            assert running.poll() is None, (job / "output").read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
        log = next(job.glob("ray-*.log")).read_text()
        dashboard = re.search(r"RAY_API_SERVER_ADDRESS='(http://[\d.:]+)'", log)
        assert dashboard is not None, log
        (head,) = [process for process in psutil.process_iter(["cmdline"]) if is_head(process, running.pid)]
        folder = next(flag.partition("=")[2] for flag in head.info["cmdline"] if flag.startswith("--temp-dir="))
        gcs = f"{address}:{PORT}"
        answered = subprocess.check_output(
            [sys.executable, "-c", INTRUDER, gcs, dashboard[1], folder],
            env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        )
        refused = {"job": 401, "state": 401, "log": 401, "folder": "closed"}
        refused |= dict.fromkeys(
            ("NodeInfoGcsService/GetAllNodeInfo", "InternalKVGcsService/InternalKVGet"), "UNAUTHENTICATED"
        )
        answers = json.loads(answered)
        if os.geteuid() != 0:
            del answers["folder"], refused["folder"]  # its owner may look into it
        assert answers == refused
        token = head.environ()["RAY_AUTH_TOKEN"]
        assert not any(
            token in word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or []
        )
        written = [path for place in (job, Path(folder)) for path in place.rglob("*") if path.is_file()]
        assert len(written) > 10
        assert [path for path in written if token.encode() in content(path)] == []
    finally:
        (job / "looked").touch()
        try:
            assert running.wait(300) == 0, (job / "output").read_text()
        finally:
            running.kill()


def is_head(process: psutil.Process, job: int) -> bool:
    """Whether a process is the `ray start --head` of the script with this process id."""
    command = process.info["cmdline"] or []
    return "start" in command and "--head" in command and job in {parent.pid for parent in process.parents()}


def test_the_script_is_bash() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    assert os.access(SCRIPT, os.X_OK)
