import os
import resource
import stat
from pathlib import Path

import pytest

from sleep_tune.errors import ClusterError
from sleep_tune.search.on_ray import own_ray
from sleep_tune.search.on_ray.seats import Node


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


def test_what_ray_may_be_short_of_is_told_in_figures(tmp_path: Path) -> None:
    assert "ulimit -n" in own_ray._limits(tmp_path / "gone")
    assert f"MB free in {tmp_path}" in own_ray._limits(tmp_path / "gone")


@pytest.mark.parametrize(("limited", "named"), [("NOFILE", "64 (ulimit -Hn)"), ("NPROC", "64 (ulimit -u)")])
def test_too_low_a_limit_is_refused_before_ray_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, limited: str, named: str
) -> None:
    low = getattr(resource, f"RLIMIT_{limited}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, 64) if which == low else (-1, -1))
    with pytest.raises(ClusterError) as caught, own_ray.started(Node(1, 0), otherwise="do without"):
        pass
    assert named in str(caught.value) and "do without" in str(caught.value)
