import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from ray._private.utils import check_version_info

from sleep_tune.errors import ClusterError
from sleep_tune.search.run.on_ray import cluster
from sleep_tune.search.run.on_ray.cluster import this_machine
from tests.messages import raises_naming


def test_this_machine_has_the_cpus_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    this_machine.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 3")
    assert 1 <= this_machine().cpus <= (os.cpu_count() or 1)
    assert this_machine().gpus == 2
    this_machine.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert this_machine().gpus == 0
    this_machine.cache_clear()


def test_a_working_directory_with_another_package_of_the_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sleep_tune").mkdir()
    (tmp_path / "sleep_tune" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    with raises_naming(ClusterError, tmp_path / "sleep_tune"), cluster.connect(address="127.0.0.1:1", environment={}):
        pass


def refused(address: str) -> str:
    with pytest.raises(ClusterError) as caught, cluster.join_cluster(address, warn=print):
        pass
    return str(caught.value)


def test_an_address_where_no_ray_answers_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray tries for two minutes; a file of a dead cluster in /tmp/ray was enough for `auto` to do so."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert f"127.0.0.1:{port}" in refused(f"127.0.0.1:{port}")
    assert "host:port" in refused("ray://head:10001")
    assert "host:port" in refused("head")
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    assert "RAY_ADDRESS must be auto" in refused("auto")
    monkeypatch.delenv("RAY_ADDRESS")
    assert "127.0.0.1:90000" in refused("127.0.0.1:90000")
    monkeypatch.setattr(cluster, "raylets", dict)
    assert "found none" in refused("auto")
    monkeypatch.setattr(cluster, "raylets", lambda: {"a:1": raylet(), "b:2": raylet()})
    assert "--address a:1 or b:2" in refused("auto")


def raylet(session: str = "/tmp/ray/session") -> SimpleNamespace:
    return SimpleNamespace(info={"cmdline": ["raylet", f"--session-dir={session}"]})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "its own"])
def test_a_cluster_that_runs_here_is_found_by_each_of_its_names(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """127.0.0.1 was refused as another Ray; and other nodes would look for it on themselves."""
    cards = [found for card in psutil.net_if_addrs().values() for found in card if found.family == socket.AF_INET]
    own = next((found.address for found in cards if not found.address.startswith("127.")), "127.0.0.1")
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        elsewhere, other_port = f"10.255.255.1:{port}", f"{own}:1"
        running = {elsewhere: raylet(), other_port: raylet(), f"{own}:{port}": raylet()}
        monkeypatch.setattr(cluster, "raylets", lambda: running)
        assert cluster._resolve(f"{own if host == 'its own' else host}:{port}") == f"{own}:{port}"
        monkeypatch.setattr(cluster, "raylets", lambda: {elsewhere: raylet()})
        assert cluster._resolve(f"127.0.0.1:{port}") == f"127.0.0.1:{port}"


def test_a_dashboard_that_other_machines_cannot_reach_is_known() -> None:
    """Ray Train asks the dashboard from whichever machine a slot's helper runs on; 127.0.0.1 is that machine itself."""
    assert cluster._is_hidden("http://127.0.0.1:8265", {"10.0.0.1", "10.0.0.2"})
    assert not cluster._is_hidden("http://127.0.0.1:8265", {"10.0.0.1"})
    assert not cluster._is_hidden("http://10.0.0.1:8265", {"10.0.0.1", "10.0.0.2"})


def test_auto_is_the_one_cluster_beside_searches_own_rays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        running = {"own:1": raylet("/tmp/sleep-tune-ray-abc/ray/session"), address: raylet()}
        monkeypatch.setattr(cluster, "raylets", lambda: running)
        assert cluster._resolve("auto") == address


def test_what_keeps_ray_from_starting_is_one_sentence_and_a_bug_of_ours_stays_a_traceback() -> None:
    for error in (Exception("timed out\nSee the logs"), ImportError("timed out"), OSError("timed out")):
        with pytest.raises(ClusterError) as caught, cluster.explain_ray_errors(lambda reason: f"not: {reason}"):
            raise error
        assert str(caught.value) == "not: timed out"
    with pytest.raises(TypeError), cluster.explain_ray_errors(str):
        raise TypeError


def test_a_version_mismatch_names_both_versions_and_what_to_do() -> None:
    """Ray's message has them on lines of their own; the first line alone said only that there was a mismatch."""
    with pytest.raises(RuntimeError) as raised:
        check_version_info({"ray_version": "2.55.0", "python_version": "3.11.9"}, "10.0.0.2:1")
    with pytest.raises(ClusterError) as caught, cluster.explain_ray_errors(str):
        raise raised.value
    assert "2.55.0" in str(caught.value) and "3.11.9" in str(caught.value) and "\n" not in str(caught.value)
    assert "same versions" in cluster._remedy(str(caught.value))


@pytest.mark.ray
def test_a_raylet_that_runs_is_seen_and_one_that_has_ended_is_not(tmp_path: Path) -> None:
    """A killed raylet stays a zombie until its parent looks; a search once refused to start beside one."""
    raylet = tmp_path / "raylet"
    shutil.copy("/bin/sleep", raylet)
    with subprocess.Popen([raylet, "60"]) as process:
        assert process.pid in [process.pid for process in cluster.raylets().values()]
        process.kill()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert process.pid not in [process.pid for process in cluster.raylets().values()]
