import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from sleep_tune.errors import ClusterError
from sleep_tune.search.on_ray import cluster
from sleep_tune.search.on_ray.cluster import this_machine


def test_this_machine_has_the_cpus_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    this_machine.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 3")
    assert 1 <= this_machine().cpus <= (os.cpu_count() or 1)
    assert this_machine().gpus == 2
    this_machine.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert this_machine().gpus == 0
    this_machine.cache_clear()


def test_rays_folder_has_a_path_short_enough_for_its_sockets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert len(str(cluster._short_folder())) <= 12


def refused(address: str) -> str:
    with pytest.raises(ClusterError) as caught, cluster.joined(address, warn=print):
        pass
    return str(caught.value)


def test_an_address_where_no_ray_answers_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray tries for two minutes; a file of a dead cluster in /tmp/ray was enough for `auto` to do so."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert f"127.0.0.1:{port} gives: " in refused(f"127.0.0.1:{port}")
    assert "must be auto or host:port" in refused("ray://head:10001")
    assert "must be auto or host:port" in refused("head")
    monkeypatch.setattr(cluster, "_running", dict)
    assert "needs one Ray on this machine, as `ray start` makes it; no Ray runs here" in refused("auto")
    monkeypatch.setattr(cluster, "_running", lambda: {"a:1": 1, "b:2": 2})
    assert "there are a:1, b:2" in refused("auto")


@pytest.mark.ray
def test_a_raylet_that_runs_is_seen_and_one_that_has_ended_is_not(tmp_path: Path) -> None:
    """A killed raylet stays a zombie until its parent looks; a search once refused to start beside one."""
    raylet = tmp_path / "raylet"
    shutil.copy("/bin/sleep", raylet)
    with subprocess.Popen([raylet, "60"]) as process:
        assert process.pid in cluster._running().values()
        process.kill()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert process.pid not in cluster._running().values()
