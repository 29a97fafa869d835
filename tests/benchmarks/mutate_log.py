"""What becomes of a search's log that was damaged: `PYTHONPATH=. python tests/benchmarks/mutate_log.py` (some minutes).

Damages the log of a real search in each of the ways of `tests/mutations.py`, many times, and counts what the readers
(continuing, --status, a warm start, the tables) make of it. With --show, prints what was said of the odd ones.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from tests.mutations import EARLIER, OTHER, REFUSED, SAME, TRACEBACK, Readers, damaged, judge, make_logs

FATES = (SAME, REFUSED, EARLIER, OTHER, TRACEBACK)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=30, help="logs damaged in each way")
    parser.add_argument("--show", action="store_true", help="print what was said of logs that were not refused")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        space, logs = make_logs(Path(folder))
        readers = Readers(Path(folder) / "x", space)
        for schema, content in logs.items():
            truth = readers.read(content)
            fates: dict[str, Counter[str]] = {}
            for name, changed in damaged(content, given.each):
                fate, told = judge(readers, changed, content, truth)
                fates.setdefault(name, Counter())[fate] += 1
                if given.show and fate in (OTHER, TRACEBACK):
                    print(f"{schema}, {name}: {fate}\n{told}")
            fates["all"] = sum(fates.values(), Counter())
            print(f"{schema}: {len(content.splitlines())} lines, {fates['all'].total()} damaged logs")
            print(f"{'':30}" + "".join(f"{fate:>24}" for fate in FATES))
            for name, counts in fates.items():
                print(f"{name:30}" + "".join(f"{counts[fate]:>24}" for fate in FATES))


if __name__ == "__main__":
    main()
