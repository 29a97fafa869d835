"""Parity of the collated file, on a complete submission of made-up predictions. See parity_statistics.md.

    PYTHONPATH=. python tests/benchmarks/parity_collation.py CHECKOUT [--keep tests/evaluation/official/collation.json]

CHECKOUT is a working tree of babylm/evaluation-pipeline-2025. `--keep` writes the official scores of the
checkpoints' fast tasks, and a hash of everything else, for the test suite.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.evaluation.collation import write_collation
from sleep_tune.evaluation.submission import missing_parts
from tests.evaluation.made_submission import write_fast_data, write_results

BACKEND, FAST, READING = "mlm", "fast_eval_results", "reading"


def main(checkout: Path, keep: Path | None) -> int:
    """Compare the files of each track, print, and return 1 if more than the last digits of reading's fits differ."""
    same = True
    for track in AOA_CHECKPOINTS:
        with tempfile.TemporaryDirectory() as temporary:
            results, data = Path(temporary) / "results" / "made", write_fast_data(Path(temporary) / "fast_eval")
            write_results(results, data, backend=BACKEND, track=track)
            lacking = missing_parts(results, BACKEND, track)
            theirs = official(checkout, results, data, track)
            ours = write_collation(results, BACKEND, track, data).read_bytes()
        same &= compare(track, ours, theirs) and not lacking
        if keep is not None and track == "strict-small":
            read = json.loads(theirs)
            fast = read.pop(FAST)
            kept = {"sha256": hashlib.sha256(json.dumps(read).encode()).hexdigest(), FAST: fast}
            keep.write_text(json.dumps(kept, indent=1) + "\n")
    return 0 if same else 1


def official(checkout: Path, results: Path, data: Path, track: str) -> bytes:
    """Return the file that the official code makes in a process of its own."""
    arguments = ["--model_path_or_name", results.name, "--backend", BACKEND, "--track", track, "--fast"]
    arguments += ["--results_dir", str(results.parent), "--fast_eval_dir", str(data)]
    subprocess.run(
        [sys.executable, "-m", "evaluation_pipeline.collate_preds", *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        check=True,
    )
    return (results / f"all_full_preds_and_fast_scores_{BACKEND}.json").read_bytes()


def compare(track: str, ours: bytes, theirs: bytes) -> bool:
    """Print how two files differ, and return whether they agree."""
    if ours == theirs:
        print(f"{track}: {len(ours):,} bytes, the same")
        return True
    fits = [json.loads(file)[FAST][READING] for file in (ours, theirs)]
    off = max(abs(a[name] - b[name]) for a, b in zip(*fits, strict=True) for name in ("spr", "rt"))
    rest = without_fits(ours) == without_fits(theirs)
    print(
        f"{track}: {len(ours):,} bytes, {'the same' if rest else 'DIFFERENT'} but for the fits of reading times, which "
        f"are within {off:.1e}"
    )
    return rest and off < 1e-9


def without_fits(file: bytes) -> str:
    """Return the file with reading's fitted numbers set to 0."""
    read: dict[str, Any] = json.loads(file)
    for fits in read[FAST][READING]:
        fits.update(dict.fromkeys(fits, 0.0))
    return json.dumps(read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    sys.exit(main(given.checkout.resolve(), given.keep))
