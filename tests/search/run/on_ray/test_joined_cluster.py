"""Searches on a Ray cluster that was there before them, and beside it; one cluster for the tests of this file."""

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sleep_tune.search.run.on_ray.cluster import this_machine
from sleep_tune.search.run.on_ray.job_sweeper import JobSweeper
from tests.search.run.on_ray.driving import PATIENCE, Cluster, Driver

FOREIGN = {
    "RAY_ADDRESS": "10.255.255.1:6379",
    "RAY_API_SERVER_ADDRESS": "http://10.255.255.1:8265",
    "RAY_AUTH_TOKEN_PATH": "/nowhere/token",
    "RAY_GCS_SERVER_PORT": "80000",
    "RAY_JOB_CONFIG_JSON_ENV_VAR": '{"runtime_env": {"env_vars": {"RAY_CHDIR_TO_TRIAL_DIR": "1"}}}',
    "RAY_NAMESPACE": "others",
    "RAY_REDIS_ADDRESS": "10.255.255.1:6380",
    "RAY_RUNTIME_ENV_HOOK": "nowhere.hook",
    "RAY_TMPDIR": "/nowhere",
    "RAY_USE_TLS": "1",
    "TUNE_RESULT_DIR": "/nowhere",
    "TUNE_DISABLE_AUTO_INIT": "1",
    "http_proxy": "http://10.255.255.1:3128",
}
"""What a shell may hold from work with another cluster; any of these would stop a search, or mislead it."""

SWEEPER = JobSweeper.__name__

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(600)]


LATE = """
import pathlib, sys, time
import ray
from ray.util.placement_group import placement_group
from sleep_tune.search.run.on_ray.job_sweeper import start_sweeper

ray.init(address=sys.argv[1], log_to_driver=False)
start_sweeper()

@ray.remote(num_cpus=1, lifetime="detached")
class Late:
    def make_group(self, seconds, made):
        time.sleep(seconds)
        placement_group([{"CPU": 1}])
        pathlib.Path(made).touch()
        ray.actor.exit_actor()

@ray.remote(num_cpus=0, resources={"node:__internal_head__": 0.001}, lifetime="detached")
class Stays:
    pass

late, stays, named = Late.remote(), Stays.remote(), Stays.options(name="shared").remote()
ray.get([each.__ray_ready__.remote() for each in (late, stays, named)])
late.make_group.remote(4, sys.argv[2])
"""
"""A job that leaves what a killed search may leave of Ray Train: a new placement group, and an actor on the head.

A second actor has a name, as that which Ray makes for all jobs.
"""


class Clusters:
    """The cluster of this file's tests; another one follows if a test has left something in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._cluster: Cluster | None = None

    def clean(self) -> Cluster:
        """Return a cluster without placement groups and actors: a head without CPUs, and two nodes of one CPU."""
        cluster = self._cluster
        if cluster is None or not cluster.alive or len(cluster.nodes) != 3 or leftovers(cluster):
            self.close()
            self._cluster = cluster = self._stack.enter_context(Cluster(self._folder))
            for cpus in (0, 1, 1):
                cluster.add(cpus)
        return cluster

    def close(self) -> None:
        """End the cluster, if there is one."""
        self._stack.close()
        self._cluster = None


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    """One cluster for all tests, as long as it is clean."""
    clusters = Clusters(tmp_path_factory.mktemp("cluster"))
    yield clusters
    clusters.close()


@pytest.fixture
def cluster(clusters: Clusters) -> Cluster:
    """A cluster in which nothing is left of other tests."""
    return clusters.clean()


def leftovers(cluster: Cluster) -> list[str]:
    """Placement groups and actors, other than sweepers, which stay for a while, and the shared actor of a test."""
    return [each for each in cluster.left() if SWEEPER not in each and "Stays" not in each]


def nothing_is_left(cluster: Cluster) -> bool:
    """Whether no placement group and no actor is left, after a while."""
    end = time.monotonic() + PATIENCE
    while (left := leftovers(cluster)) and time.monotonic() < end:
        time.sleep(0.5)
    assert not left
    return True


def test_what_is_made_or_stays_after_the_end_of_a_job_is_removed(
    start: Callable[..., Driver], cluster: Cluster, tmp_path: Path
) -> None:
    """Ray keeps it for ever: a search that was killed kept processors of its cluster, and another could not start."""
    driver = start("-c", LATE, cluster.address, str(tmp_path / "made"), script=True)
    assert driver.wait() == 0, driver.output.read_text()
    assert not (tmp_path / "made").exists()
    end = time.monotonic() + PATIENCE
    while (left := cluster.left()) != ["actor Stays ALIVE"] and time.monotonic() < end:
        time.sleep(0.5)
    assert left == ["actor Stays ALIVE"]
    assert (tmp_path / "made").exists()


def test_a_bug_a_refusal_a_signal_and_a_kill_leave_nothing_in_the_cluster(
    start: Callable[..., Driver], cluster: Cluster
) -> None:
    """No placement group, actor or process of the search stays. Two workers train each trial of the first one."""
    joined = ("--address", cluster.address, "--seconds")
    driver = start(*joined, "0.2", "--workers", "2", "--bug", "t0002", name="bug")
    assert driver.wait() == 1, driver.output.read_text()
    events = driver.events()
    ended = [(e["trial"], e["event"]) for e in events if e["event"] in ("completed", "stopped")]
    assert ended == [("t0001", "completed")]
    assert Counter(driver.starts()) == {"t0001": 2, "t0002": 2}
    failed = next(e for e in events if e["event"] == "failed")
    assert (failed["trial"], failed["data"]["kind"]) == ("t0002", "bug")
    assert failed["data"]["reason"] == "ZeroDivisionError: a bug of ours"
    assert failed["data"]["log"] == str(driver.folder / "logs" / "t0002.log")
    assert "ZeroDivisionError: a bug of ours" in driver.output.read_text()
    assert "ZeroDivisionError" in (driver.folder / "logs" / "t0002.log").read_text()
    assert driver.leaves_nothing()
    assert nothing_is_left(cluster)

    driver = start(*joined, "0.1", "--workers", "3", name="refused")
    assert driver.wait() == 2
    assert "needs 3 worker(s)" in driver.output.read_text()
    assert nothing_is_left(cluster)

    driver = start(*joined, "30", name="stopped")
    driver.until(lambda: len(driver.starts()) == 2)
    driver.process.send_signal(signal.SIGINT)
    assert driver.wait() == 130
    assert nothing_is_left(cluster)

    driver = start(*joined, "30", name="killed")
    driver.until(lambda: len(driver.starts()) == 2)
    driver.process.kill()
    driver.wait()
    assert nothing_is_left(cluster)
    assert driver.leaves_nothing()


def test_a_search_runs_beside_another_ray_whatever_the_shell_sets(
    start: Callable[..., Driver], cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another search joins the cluster meanwhile. Ray Train once asked the wrong cluster about its controller."""
    scratch = tmp_path / ("scratch-" * 12)
    scratch.mkdir()
    joining = start("--address", f"localhost:{cluster.address.rpartition(':')[2]}", "--trials", "1", name="joined")
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", str(scratch))
    driver = start("--cpus", str(this_machine().cpus), "--seconds", "3", "--trials", "1")
    driver.until(lambda: driver.count("report") >= 1)
    driver.named("ray::RayTrainWorker")[0].kill()
    driver.until(lambda: driver.attempts(2) == 1)
    driver.named("ray::TrainController")[0].kill()
    assert driver.wait() == 0, driver.output.read_text()
    assert driver.leaves_nothing()
    assert driver.events()[-1]["data"] == {"finished": True}
    assert driver.count("failed") == 0
    assert driver.after("lost") == 2
    assert "process" in driver.output.read_text()
    assert "RAY_ADDRESS" in driver.output.read_text()
    assert str(scratch) in (driver.folder / "logs" / "t0001.log").read_text()
    assert not list(scratch.iterdir())
    assert joining.wait() == 0, joining.output.read_text()
    assert nothing_is_left(cluster)


def test_a_cluster_may_lose_a_node_and_gain_one(start: Callable[..., Driver], cluster: Cluster) -> None:
    lost = cluster.nodes[-1]
    here = f"127.0.0.1:{cluster.address.rpartition(':')[2]}"
    driver = start("--address", here, "--seconds", "20", "--trials", "1")
    driver.until(lambda: driver.running() == 2)
    cluster.remove(lost)
    driver.until(lambda: driver.after("lost") >= 1)
    driver.until(lambda: driver.running() == 1 and len(driver.starts()) > 2)
    cluster.add(1)
    driver.until(lambda: driver.running() == 2)
    assert driver.wait() == 0, driver.output.read_text()
    ends = Counter(e["trial"] for e in driver.events() if e["event"] in ("completed", "stopped", "failed"))
    assert set(ends.values()) == {1}
    assert driver.count("failed") == 0
    assert nothing_is_left(cluster)
