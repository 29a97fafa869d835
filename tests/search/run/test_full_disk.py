"""A disk that is full, at whatever moment of a search: one sentence, no trial is lost or counted, and it continues."""

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import DiskError, UserError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.run_folder import record_run
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.search.run import launch
from sleep_tune.search.run.disk import DiskWatch
from sleep_tune.search.run.fake_worker import FakeWorker
from tests.search.fake_search import study

SIZE = 2**20


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of a mebibyte."""
    folder = tmp_path_factory.mktemp("small")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(autouse=True)
def _no_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the search would pause beforehand, and wait for room."""
    monkeypatch.setattr(launch, "DiskWatch", functools.partial(DiskWatch, reserve=0, free=lambda folder: 10**12))


@dataclass
class Filler:
    """Trains nothing, writes what a run writes, and fills the disk before one of its reports or starts.

    Args:
        disk: that is filled.
        moment: which of them, over all trials, counted from 0.
        room: bytes that it leaves: some of a line, or none.
    """

    disk: Path
    moment: int
    room: int = 0
    writes: bool = True
    """Whether a run writes files, so that it, not the search, meets the full disk."""
    noise: int = 0
    """Bytes that a run prints: they go to driver.log."""

    def __call__(self, config: RunConfig, report: Report) -> Outcome:
        """Train nothing."""
        self._pass()
        assert config.run.dir is not None
        if self.writes:
            record_run(Path(config.run.dir), config)
        print("n" * self.noise)  # noqa: T201

        def reported(progress: Progress) -> Decision:
            self._pass()
            return report(progress)

        return FakeWorker(heartbeats=1)(config, reported)

    def _pass(self) -> None:
        if self.moment == 0:
            fill(self.disk, self.room)
        self.moment -= 1


def fill(disk: Path, room: int) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
        if room:
            file.truncate(max(0, file.tell() - 4096))


def trial_ends(folder: Path) -> dict[str, tuple[str, object]]:
    """How each trial ended, and with what value."""
    ends = ("completed", "stopped", "failed", "refused")
    return {str(e.trial): (e.event, e.data.get("value")) for e in read_events(folder / LOG) if e.event in ends}


@functools.cache
def undisturbed(parent: Path) -> dict[str, tuple[str, object]]:
    study(parent / "study", worker=FakeWorker(heartbeats=1)).run(launcher="inline", address=None)
    return trial_ends(parent / "study")


@pytest.mark.parametrize("room", [0, 4096])
@pytest.mark.parametrize("moment", [0, 2, 9, 20])
@pytest.mark.parametrize("writes", [True, False])
def test_the_search_says_so_and_continues_once_there_is_room(
    writes: bool,
    moment: int,
    room: int,
    small_disk: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whether a run met it, or the search's own log."""
    folder = small_disk / f"{moment}-{room}-{writes}" / "study"
    worker = Filler(small_disk, moment, room, writes)
    with pytest.raises(DiskError, match=rf"the disk must have room for {small_disk}.*; it is full") as raised:
        study(folder, worker=worker).run(launcher="inline", address=None)
    assert "\n" not in str(raised.value)
    assert writes or str(folder / LOG) in str(raised.value)
    assert not [event for event in read_events(folder / LOG) if event.event == "failed"]
    (small_disk / "filler").unlink()
    study(folder, worker=FakeWorker(heartbeats=1)).run(launcher="inline", address=None)
    assert trial_ends(folder) == undisturbed(tmp_path_factory.getbasetemp())
    shutil.rmtree(folder)


def test_what_a_run_prints_into_a_full_log_is_no_bug(small_disk: Path) -> None:
    """In its own process, whose output goes to the driver's log; its terminal gets one line."""
    lines = [
        "import sys; from pathlib import Path; from sleep_tune import cli; from sleep_tune.search.run import launch"
    ]
    lines += ["from tests.search.fake_search import study; from tests.search.run.test_full_disk import Filler"]
    lines += ["launch.DiskWatch.__init__.__kwdefaults__ |= {'reserve': 0, 'free': lambda folder: 10**12}"]
    lines += ["folder, moment = Path(sys.argv[1]), int(sys.argv[2])"]
    lines += ["search = study(folder / 'printing', worker=Filler(folder, moment, writes=False, noise=50_000))"]
    lines += ["sys.exit(cli.run(lambda arguments: search.run(launcher='inline', address=None) or 0, []))"]
    command = [sys.executable, "-c", "\n".join(lines), str(small_disk)]
    first = subprocess.run([*command, "5"], capture_output=True, text=True, check=False)
    assert (first.returncode, first.stderr.count("\n")) == (2, 1), first.stderr
    assert "the disk must have room for" in first.stderr
    (small_disk / "filler").unlink()
    again = subprocess.run([*command, "-1"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    assert "nnn" not in first.stdout + again.stdout
    assert not [event for event in read_events(small_disk / "printing" / LOG) if event.event == "failed"]
    shutil.rmtree(small_disk / "printing")


def test_before_anything_was_trained(small_disk: Path) -> None:
    """Not even the lock can be written."""
    fill(small_disk, 0)
    with pytest.raises(UserError, match=rf"{small_disk}.*No space left"):
        study(small_disk / "new" / "study", worker=FakeWorker()).run(launcher="inline", address=None)
    (small_disk / "filler").unlink()
    study(small_disk / "new" / "study", worker=FakeWorker()).run(launcher="inline", address=None)
