"""What the kernel says of its kills, and what Ray says of its own."""

from pathlib import Path

import pytest
from ray.exceptions import OutOfMemoryError, RayActorError

from sleep_tune.search.run.on_ray.memory_kills import count_kills, killed_for_memory


@pytest.mark.parametrize(
    ("text", "count"),
    [("pgfault 7\noom_kill 12\ndrop_pagecache 0\n", 12), ("pgfault 7\n", 0), ("", 0), (None, 0)],
    ids=["counted", "an older kernel", "empty", "no such file"],
)
def test_kills_are_counted_where_the_kernel_counts_them(text: str | None, count: int, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "vmstat").write_text(text)
    assert count_kills(tmp_path / "vmstat") == count


def test_rays_kill_is_found_behind_tunes_own_errors() -> None:
    """Since 2.56 Ray kills all workers of a node at once, the search's own among them; Tune then ends."""
    memory = OutOfMemoryError("8 worker(s) were killed")  # type: ignore[no-untyped-call]
    for cause, killed in ((memory, True), (RayActorError(), False)):
        error = RuntimeError("Caught unexpected exception")
        error.__cause__ = KeyError("another")
        error.__cause__.__context__ = cause
        assert killed_for_memory(error) is killed
