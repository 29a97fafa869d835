import os
import resource
import stat
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from sleep_tune.errors import ClusterError
from sleep_tune.search.run.on_ray import own_ray
from sleep_tune.search.run.on_ray.slot_plan import Node


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_rays_folder_is_this_users_alone_and_its_path_short_enough_for_sockets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, umask: int
) -> None:
    """Ray opens its own folder to everybody; a path of more than 107 bytes is none for a socket."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = os.umask(umask)
    folder = own_ray._private_folder("do without")
    os.umask(before)
    try:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        socket_path = folder / "ray" / "session_2026-12-31_23-59-59_999999_4194304" / "sockets" / "dash_MetricsHead"
        assert len(os.fsencode(socket_path)) <= 107
    finally:
        folder.rmdir()


def test_a_machine_without_room_for_rays_folder_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_ray, "FOLDER_BYTES", 10**18)
    with pytest.raises(ClusterError) as caught:
        own_ray._private_folder("do without")
    for named in ("/tmp has", "/dev/shm", "MB free", "TMPDIR", "do without"):
        assert named in str(caught.value)


def test_the_limits_that_ray_may_exceed_are_given_in_numbers(tmp_path: Path) -> None:
    assert "ulimit -n" in own_ray._limits(tmp_path / "gone")
    assert f"MB free in {tmp_path}" in own_ray._limits(tmp_path / "gone")


@pytest.mark.parametrize(("limited", "named"), [("NOFILE", "64 (ulimit -Hn)"), ("NPROC", "64 (ulimit -u)")])
def test_too_low_a_limit_is_refused_before_ray_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, limited: str, named: str
) -> None:
    low = getattr(resource, f"RLIMIT_{limited}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, 64) if which == low else (-1, -1))
    with pytest.raises(ClusterError) as caught, own_ray.start_own_ray(Node(1, 0), otherwise="do without"):
        pass
    assert named in str(caught.value) and "do without" in str(caught.value)


def threads_allowed(monkeypatch: pytest.MonkeyPatch, allowed: int, used: int, *, user: int = 1000) -> None:
    """A limit on the threads of this user, whose processes have so many; another user's have more than any limit."""
    fakes = [
        SimpleNamespace(info={"num_threads": threads, "uids": SimpleNamespace(real=uid)})
        for threads, uid in ((used, 1000), (10**6, 1001))
    ]
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "getuid", lambda: user)
    monkeypatch.setattr(
        resource, "getrlimit", lambda which: (allowed, allowed) if which == resource.RLIMIT_NPROC else (-1, -1)
    )
    monkeypatch.setattr(psutil, "process_iter", lambda attributes: fakes)


def test_threads_that_this_user_has_already_count_against_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    threads_allowed(monkeypatch, own_ray.LEAST_THREADS + 50, 51)
    with pytest.raises(ClusterError, match=f"allows {own_ray.LEAST_THREADS + 50} .*have 51"):
        own_ray._require_limits("do without")
    threads_allowed(monkeypatch, own_ray.LEAST_THREADS + 50, 50)
    own_ray._require_limits("do without")
    threads_allowed(monkeypatch, 64, 0, user=0)  # the system does not hold root to it
    own_ray._require_limits("do without")


def test_a_place_is_measured_in_bytes_as_the_paths_of_sockets_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/t/\u00e9\u00e9\u00e9\u00e9\u00e9")
    monkeypatch.setattr(own_ray, "SHORT_PLACES", ())
    with pytest.raises(ClusterError) as caught:
        own_ray._private_folder("do without")
    assert "\u00e9" not in str(caught.value)


def test_variables_that_are_ignored_and_other_rays_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("RAY_", "TUNE_"))]:
        monkeypatch.delenv(name)
    theirs = SimpleNamespace(info={"username": "ann"}, pid=7)
    monkeypatch.setattr(own_ray, "raylets", dict)
    assert own_ray.startup_notes() == []
    monkeypatch.setattr(own_ray, "raylets", lambda: {"10.0.0.1:6379": theirs})
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    others, variables = own_ray.startup_notes()
    assert "10.0.0.1:6379 (ann, process 7)" in others
    assert "ignores RAY_ADDRESS" in variables
