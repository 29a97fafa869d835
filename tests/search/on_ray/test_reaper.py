import subprocess
import sys
import time
from pathlib import Path

from sleep_tune.search.on_ray.reaper import holders, reap

HOLD = "import sys, time; file = open(sys.argv[1], 'w'); print(1, flush=True); time.sleep(60)"

SEARCH = """
import subprocess, sys, time
from pathlib import Path
from sleep_tune.search.on_ray.reaper import watched
folder = Path(sys.argv[1])
with watched(folder):
    held = subprocess.Popen([sys.executable, "-c", sys.argv[2], folder / "log"], stdout=subprocess.PIPE)
    held.stdout.readline()
    print(held.pid, flush=True)
    time.sleep(float(sys.argv[3]))
print("left", flush=True)
"""


def search(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(folder), HOLD, str(seconds)], stdout=subprocess.PIPE, text=True
    )


def wait_for_removal(folder: Path) -> None:
    end = time.monotonic() + 300
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not folder.exists()


def test_what_holds_the_folder_ends_with_a_killed_search(tmp_path: Path) -> None:
    """Kill -9 of the driver left Ray's agents for a minute, and its folder for ever."""
    driver = search(tmp_path / "ray", 60)
    assert driver.stdout is not None
    driver.stdout.readline()
    driver.kill()
    driver.wait()
    driver.stdout.close()
    wait_for_removal(tmp_path / "ray")
    assert not holders(str(tmp_path / "ray"))


def test_what_holds_the_folder_ends_with_the_search_but_not_the_search_itself(tmp_path: Path) -> None:
    driver = search(tmp_path / "ray", 0)
    told, _ = driver.communicate(timeout=300)
    assert told.splitlines()[1] == "left"
    assert driver.returncode == 0
    assert not (tmp_path / "ray").exists()


def test_a_process_that_holds_nothing_there_is_spared(tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "elsewhere")], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        reap(str(tmp_path / "ray"))
        assert other.poll() is None
        other.kill()
    assert not (tmp_path / "ray").exists()
