"""How long looking after the disk of a search takes, and how long an attempt takes to see that it is still the writer.

`python tests/benchmarks/bench_disk.py [TRIALS] > tests/benchmarks/bench_disk.txt`
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from sleep_tune.search.run.disk import PATIENCE, DiskWatch
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Finalists, Parameter, Resources, Search, Stop, Uniform
from sleep_tune.training.attempts import is_writer, make_attempt
from tests.search.run.test_disk import write_run
from tests.search.studies import open_search, plain


def main(trials: int) -> None:
    """Run a search of that many trials that train nothing, and look after its folder."""
    space = plain(
        parameters=(Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)),),
        search=Search(algorithm="random"),
        stop=Stop(trials=trials),
        finalists=Finalists(count=5, seeds=2),
        resources=Resources(disk_gb=1000),
    )
    with tempfile.TemporaryDirectory() as folder:
        director = open_search(Path(folder) / "x", space)
        run_inline(director, write_run)
        files = sum(path.is_file() for path in Path(folder).rglob("*"))
        disk = DiskWatch(director)
        print(f"{len(director.trials)} trials, {files} files")
        looks = [_seconds(disk.watch) for _ in range(200)]
        busy = [seconds for seconds in looks if seconds >= PATIENCE]
        print(f"measuring and removing: {len(busy)} looks, at most {max(busy, default=0) * 1e3:.0f} ms each")
        later = looks[-20:]
        print(f"every later look: median {statistics.median(later) * 1e3:.1f} ms, at most {max(later) * 1e3:.1f} ms")
        print(disk.summary())
        director.close()
        attempt = make_attempt(Path(folder) / "run")
        spent = _seconds(lambda: [is_writer(attempt) for _ in range(10_000)])
        print(f"is this attempt still the writer: {spent / 10_000 * 1e6:.1f} us a look")


def _seconds(call: object) -> float:
    begun = time.perf_counter()
    assert callable(call)
    call()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
