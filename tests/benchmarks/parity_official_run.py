"""Run the official pipeline's own zero-shot code on some tasks, and write the option scores that it compares.

    cd CHECKOUT && PYTHONPATH=. python .../parity_official_run.py CALLS.json

CHECKOUT is a working tree of the official code of 2025, or `strict/` in one of 2026. CALLS.json is a list of
{"module": "sentence_zero_shot" or "reading", "arguments": [of its run.py], "scores": file to write, "seconds": file for
the seconds of its scoring loop, by the clock and of the processor, without start-up}; the last two are not written for
reading. Three things of the pipeline are changed: folders are listed in the order of names (it takes them in the order
of the file system, so the order of its report differs between machines), the scores that it compares are recorded, and
torch is seeded before each scoring loop, because the code of 2026 draws among tied options without a seed.
"""

import json
import pathlib
import runpy
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
from evaluation_pipeline.sentence_zero_shot import compute_results, run  # type: ignore[import-not-found]

SEED = 42

scores: list[list[float]] = []
seconds: list[tuple[float, float]] = []
in_any_order = pathlib.Path.iterdir


def in_order(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """List a folder by name."""
    return iter(sorted(in_any_order(folder)))


def keeping(function: Any) -> Any:
    """Return the function, which now records the scores of a batch before the pipeline ranks them."""

    def ranked(args: Any, stats: Any, all_log_probs: Any, *rest: Any) -> None:
        scores.extend(torch.stack(all_log_probs[1.0], dim=1).tolist())
        function(args, stats, all_log_probs, *rest)

    return ranked


def seeded_and_timed(function: Any) -> Any:
    """Return the function, which now seeds torch and measures the pipeline's loop; it tokenises within the loop."""

    def measured(*arguments: Any) -> Any:
        torch.manual_seed(SEED)
        started, worked = time.perf_counter(), time.process_time()
        answer = function(*arguments)
        seconds.append((time.perf_counter() - started, time.process_time() - worked))
        return answer

    return measured


if __name__ == "__main__":
    pathlib.Path.iterdir = in_order  # type: ignore[method-assign, assignment]
    for name in ("rank_and_evaluate", "rank_and_evaluate_wug"):
        if hasattr(compute_results, name):
            setattr(compute_results, name, keeping(getattr(compute_results, name)))
    run.compute_results = seeded_and_timed(run.compute_results)
    for call in json.loads(pathlib.Path(sys.argv[1]).read_text()):
        scores.clear()
        sys.argv[1:] = call["arguments"]
        if call["module"] == "reading":
            runpy.run_module("evaluation_pipeline.reading.run", run_name="__main__")
            continue
        run.main()
        pathlib.Path(call["scores"]).write_text(json.dumps(scores))
        pathlib.Path(call["seconds"]).write_text(json.dumps(seconds[-1]))
