"""Parity of the collated file, on made-up submissions: complete, and with gaps. See parity_statistics.md.

    PYTHONPATH=. python tests/benchmarks/parity_collation.py CHECKOUT YEAR [--keep tests/evaluation/official]

CHECKOUT is a working tree of that year's official code (`protocols` names repository and commit). `--keep` writes the
official scores of the checkpoints' fast tasks, and a hash of everything else, for the test suite.

The official collation of 2026 compares a checkpoint's prediction on EWoK, a whole sentence, with the bare target. It is
run unchanged, first on the data as it is, where its scores of EWoK must be 0, and then on a copy in which the bare
target is the whole sentence.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.babylm.protocols import PROTOCOLS, Protocol
from sleep_tune.evaluation.collation import collate, write_collation
from sleep_tune.evaluation.submission import missing_parts
from tests.evaluation.made_submission import remove_parts, write_fast_data, write_results

BACKEND, FAST, READING = "mlm", "fast_eval_results", "reading"


def main(checkout: Path, protocol: Protocol, keep: Path | None) -> int:
    """Compare the files of each track, print, and return 1 if more than the last digits of reading's fits differ."""
    same = True
    for track in AOA_CHECKPOINTS:
        for is_whole in (True, False)[: 1 + protocol.allows_missing]:
            with tempfile.TemporaryDirectory() as temporary:
                results, data = Path(temporary) / "results" / "made", Path(temporary) / "fast_eval"
                write_fast_data(data, protocol)
                write_results(results, data, backend=BACKEND, track=track, protocol=protocol)
                if not is_whole:
                    remove_parts(results, BACKEND)
                gaps = missing_parts(results, BACKEND, track, protocol)
                if protocol.whole_sentences:
                    ewok = json.loads(official(checkout, results, data, track))[FAST]["ewok"]
                    print(
                        f"official EWoK of the checkpoints: {sorted({n for one in ewok if one for n in one.values()})}"
                    )
                theirs = official(checkout, results, with_whole_targets(data, protocol), track)
                content, gaps = collate(results, BACKEND, track, data, protocol, gaps)
                ours = write_collation(results, BACKEND, content).read_bytes()
            same &= compare(f"{protocol.year} {track}, {len(gaps)} gaps", ours, theirs) and is_whole is not bool(gaps)
            if keep is not None and track == "strict-small" and is_whole:
                read = json.loads(theirs)
                fast = read.pop(FAST)
                kept = {"sha256": hashlib.sha256(json.dumps(read).encode()).hexdigest(), FAST: fast}
                (keep / f"collation_{protocol.year}.json").write_text(json.dumps(kept, indent=1) + "\n")
    return 0 if same else 1


def with_whole_targets(data: Path, protocol: Protocol) -> Path:
    """Return a copy of the fast data in which EWoK's targets are whole sentences, if the protocol predicts those."""
    if not protocol.whole_sentences:
        return data
    copy = data.with_name("whole_targets")
    shutil.copytree(data, copy)
    for path in (copy / "ewok_fast").iterdir():
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        lines = (json.dumps(row | {"Target1": f"{row['Context1']} {row['Target1']}"}) for row in rows)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return copy


def official(checkout: Path, results: Path, data: Path, track: str) -> bytes:
    """Return the file that the official code makes in a process of its own."""
    arguments = ["--model_path_or_name", results.name, "--backend", BACKEND, "--track", track, "--fast"]
    arguments += ["--results_dir", str(results.parent), "--fast_eval_dir", str(data)]
    subprocess.run(
        [sys.executable, "-m", "evaluation_pipeline.collate_preds", *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return (results / f"all_full_preds_and_fast_scores_{BACKEND}.json").read_bytes()


def compare(what: str, ours: bytes, theirs: bytes) -> bool:
    """Print how two files differ, and return whether they agree."""
    if ours == theirs:
        print(f"{what}: {len(ours):,} bytes, the same")
        return True
    fits = [json.loads(file)[FAST][READING] for file in (ours, theirs)]
    pairs = [(a, b) for a, b in zip(*fits, strict=True) if a and b]
    off = max(abs(a[name] - b[name]) for a, b in pairs for name in ("spr", "rt"))
    rest = without_fits(ours) == without_fits(theirs)
    print(
        f"{what}: {len(ours):,} bytes, {'the same' if rest else 'DIFFERENT'} but for the fits of reading times, which "
        f"are within {off:.1e}"
    )
    return rest and off < 1e-9


def without_fits(file: bytes) -> str:
    """Return the file with reading's fitted numbers set to 0."""
    read: dict[str, Any] = json.loads(file)
    for fits in filter(None, read[FAST][READING]):
        fits.update(dict.fromkeys(fits, 0.0))
    return json.dumps(read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("year", choices=tuple(PROTOCOLS))
    parser.add_argument("--keep", type=Path, help="folder of the test suite's files")
    given = parser.parse_args()
    sys.exit(main(given.checkout.resolve(), PROTOCOLS[given.year], given.keep))
