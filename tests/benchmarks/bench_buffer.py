"""Choosing a buffer from 10 million candidates: time and peak memory of every strategy, against a pool in a dict.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_buffer.py                              # about three minutes
    OMP_NUM_THREADS=1 python tests/benchmarks/bench_buffer.py --candidates 100_000 --repeats 1

The peer is the usual recipe: a dict from sample to (score, age), decayed and ranked by Python loops, and
`torch.multinomial` for weighted draws. It is timed at a tenth of the candidates, beside ours at that size, since
`torch.multinomial` refuses more than 2^24 categories and the dict takes a gigabyte. Every figure comes from a process
of its own, the variants in turn; medians are compared. With every knob of scores on, the signal is the progress, its
z-scores within the cycle of reading are ranked, and uniform draws are mixed in; scores were refreshed by replays, which
is timed on its own: the losses of 3 million replayed samples become scores. Times are processor time. Peak
memory is the process's, less what it held before the choice began and had been given: interpreter, libraries, and the
scores and ages themselves.
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from sleep_tune.sleep.buffer import SCOPES, Replay, buffer_size, choose_buffer
from sleep_tune.sleep.refresh import Refresh
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.selection import STRATEGIES

CYCLES, RATIO, ALPHA, DECAY = 50, 0.3, 4.0, 0.1
KNOBS: dict[str, Any] = {"signal": "progress", "normalise": "cycle", "uniform": 0.1}
GOAL_SECONDS, GOAL_BYTES = 1.0, 1e9


def remembered(num_candidates: int) -> SampleHistory:
    """A history in which every sample has been read, in one of the last cycles."""
    rng = np.random.default_rng(0)
    history = SampleHistory(num_candidates)
    history.scores[:] = rng.gamma(9.0, 0.5, num_candidates)
    history.previous[:] = history.scores + rng.normal(size=num_candidates)
    history.last_read[:] = rng.integers(0, CYCLES, num_candidates, dtype=np.int32)
    return history


def ours(history: SampleHistory, sources: NDArray[np.int16], strategy: str, knobs: dict[str, Any]) -> int:
    """Candidates, priorities and choice, as a sleep begins."""
    candidates = SCOPES["seen"](history.last_read, CYCLES)
    replay = Replay(strategy=strategy, ratio=RATIO, alpha=ALPHA, decay=DECAY, **knobs)
    rng = np.random.default_rng(1)
    return len(choose_buffer(candidates, history, sources=sources, cycle=CYCLES, replay=replay, rng=rng))


def refreshed_seconds(num_candidates: int) -> float:
    """Time in which the losses of a buffer's last replay become scores."""
    scores = np.ones(num_candidates, np.float32)
    samples = np.arange(0, num_candidates, round(1 / RATIO))
    refresh = Refresh(num_candidates, 0.5)
    refresh.add(samples, np.ones(len(samples)), np.ones(len(samples), np.int64), np.zeros(len(samples), np.int32))
    start = time.process_time()
    refresh.apply(scores, scores.copy())
    return time.process_time() - start


def peer(pool: dict[int, tuple[float, int]], strategy: str) -> int:
    """The same choice from a dict."""
    import torch

    priorities = {sample: score**ALPHA * (1 - DECAY) ** age for sample, (score, age) in pool.items()}
    n = buffer_size(len(pool), RATIO)
    if strategy == "strict":
        return len(sorted(priorities, key=lambda sample: priorities[sample], reverse=True)[:n])
    if strategy == "random":
        return len(random.Random(0).sample(list(priorities), n))
    samples = list(priorities)
    drawn = torch.multinomial(torch.tensor(list(priorities.values())), n, replacement=False)
    return len([samples[index] for index in drawn.tolist()])


def measure(variant: str, strategy: str, num_candidates: int) -> dict[str, float]:
    """Time one choice in this process, and how much memory it took at its peak."""
    if variant == "refresh":
        return {"seconds": refreshed_seconds(num_candidates), "bytes": 0.0}
    history = remembered(num_candidates)
    sources = np.random.default_rng(2).integers(0, 6, num_candidates).astype(np.int16)
    pool = {}
    if variant == "peer":
        import torch  # noqa: F401  (loaded before the clock starts)

        ages = (CYCLES - history.last_read).tolist()
        pool = dict(enumerate(zip(history.scores.tolist(), ages, strict=True)))
    process = psutil.Process()
    held = process.memory_info().rss
    start = time.process_time()
    knobs = KNOBS if variant == "knobs" else {}
    chosen = peer(pool, strategy) if variant == "peer" else ours(history, sources, strategy, knobs)
    seconds = time.process_time() - start
    assert chosen == buffer_size(num_candidates, RATIO)
    return {"seconds": seconds, "bytes": max(peak_bytes() - held, 0)}


def peak_bytes() -> int:
    """The most resident memory that this process has held."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_its_own_process(variant: str, strategy: str, num_candidates: int) -> dict[str, float]:
    """`measure`, where nothing else has used memory."""
    command = [sys.executable, __file__, "--measure", variant, strategy, "--candidates", str(num_candidates)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Print a table: every strategy at full size, then beside the peer at a tenth of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--candidates", type=lambda text: int(text.replace("_", "")), default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measure", nargs=2, metavar=("VARIANT", "STRATEGY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        variant, strategy = arguments.measure
        print(json.dumps(measure(variant, strategy, arguments.candidates)))
        return

    tenth = arguments.candidates // 10
    whole = [(variant, strategy, arguments.candidates) for variant in ("ours", "knobs") for strategy in STRATEGIES]
    cases = [*whole, ("refresh", "weighted", arguments.candidates)]
    cases += [(variant, strategy, tenth) for strategy in STRATEGIES for variant in ("ours", "peer")]
    figures: dict[tuple[str, str, int], list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(arguments.repeats):
        for case in cases:
            figures[case].append(in_its_own_process(*case))

    def median(case: tuple[str, str, int], name: str) -> float:
        return statistics.median(figure[name] for figure in figures[case])

    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"medians of {arguments.repeats}; ratio {RATIO}, alpha {ALPHA}, decay {DECAY}\n")
    print(f"{'strategy':22}{'candidates':>12}{'seconds':>10}{'peak MB':>10}")
    for case in whole:
        seconds, size = median(case, "seconds"), median(case, "bytes")
        verdict = "goal met" if seconds < GOAL_SECONDS and size < GOAL_BYTES else "GOAL MISSED"
        name = case[1] + (", every knob" if case[0] == "knobs" else "")
        print(f"{name:22}{case[2]:>12,}{seconds:>10.3f}{size / 1e6:>10.0f}  {verdict} (1 s, 1,000 MB)")
    moved = median(("refresh", "weighted", arguments.candidates), "seconds")
    print(f"\nscores of {round(RATIO * arguments.candidates):,} replayed samples refreshed: {moved:.3f} s")
    print(f"\n{'strategy':10}{'candidates':>12}{'ours s':>10}{'dict s':>10}{'ratio':>8}{'ours MB':>10}{'dict MB':>10}")
    for strategy in STRATEGIES:
        mine, theirs = ("ours", strategy, tenth), ("peer", strategy, tenth)
        both = [median(case, "seconds") for case in (mine, theirs)]
        sizes = [median(case, "bytes") / 1e6 for case in (mine, theirs)]
        print(
            f"{strategy:10}{tenth:>12,}{both[0]:>10.4f}{both[1]:>10.3f}{both[1] / both[0]:>7.0f}x"
            f"{sizes[0]:>10.0f}{sizes[1]:>10.0f}"
        )


if __name__ == "__main__":
    main()
