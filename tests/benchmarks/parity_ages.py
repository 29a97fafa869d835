"""Parity of ages of acquisition: surprisal of words at checkpoints, and the ages and the score computed from curves.

    PYTHONPATH=. python tests/benchmarks/parity_ages.py CHECKOUT YEAR [--tables 200] [--keep FILE]

CHECKOUT is a working tree of that year's official code (`protocols` names repository and commit). Two things of it are
changed: checkpoints are read from folders instead of revisions of a repository, and the ages that it correlates are
recorded, because it returns them only beside a low p-value. The tables are made from seeds. `--keep` writes some scores
of the official code for the test suite (tests/evaluation/official/ages.json).
"""

import argparse
import importlib
import json
import logging
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.evaluation.aoa import (
    compare_with_children,
    read_words,
    score_checkpoints,
    surprisal_record,
    write_score,
    write_surprisal,
)
from sleep_tune.evaluation.backends import BACKENDS
from tests.evaluation.made_ages import age_tokenizer, write_ages
from tests.evaluation.tiny import tiny_model, tiny_tokenizer

STEPS = (1, 2, 5, 10)
CONTEXTS = {
    "dog": ["  I saw the naïve ", "“Really,” said the", "", "the dog"],
    "ice cream": ["they went for", "He likes\n"],
    "café": ["they went to a"],
    "Tyrannosaurus": ["the"],
    "a": ["one letter is no word for"],
    "never": [],
}


def main(checkout: Path, year: str, tables: int, keep: Path | None) -> int:
    """Compare, print, and return 1 if a score, an age, or more than the last digits of surprisal differ."""
    sys.path.insert(0, str(checkout))
    logging.disable(logging.WARNING)
    same = compare_curves(year, tables, keep)
    for backend in BACKENDS:
        same &= compare_surprisal(backend)
    return 0 if same else 1


def compare_curves(year: str, tables: int, keep: Path | None) -> bool:
    """Compare the ages and the score of generated tables."""
    utils: Any = importlib.import_module("evaluation_pipeline.utils")
    pearsonr, given = utils.pearsonr, []

    def recorded(*ages: Any) -> Any:
        given.append(ages)
        return pearsonr(*ages)

    utils.pearsonr = recorded
    tokenizer = age_tokenizer()
    curves = words = gated = 0
    differ, kept = [], {}
    for seed in range(tables):
        with tempfile.TemporaryDirectory() as folder:
            record, children = write_ages(Path(folder), seed)
            given.clear()
            further = (tokenizer,) if year != "2025" else ()
            official = utils.AoAEvaluator(children).compute_curve_fitness(record, *further)
            ours = compare_with_children(record, children, year=year, tokenizer=tokenizer)
            kept[seed] = {"score": official["curve_fitness"], "words": official["n_words"]}
            path = write_score(Path(folder), ours.score)
            written = Path(folder) / "official.json"
            written.write_text(json.dumps({"aoa": official["curve_fitness"]}, indent=2))
            ages = tuple(map(tuple, given[0])) if given else None
            if (
                path.read_bytes() != written.read_bytes()
                or official["n_words"] != len(ours.words)
                or (ages is not None and ages != (ours.model, ours.children))
            ):
                differ.append(seed)
        curves += len({row["target_word"] for row in record["results"]})
        words += len(ours.words)
        gated += ours.score == 0.0 != ours.correlation
    if keep is not None:
        stored = json.loads(keep.read_text()) if keep.is_file() else {}
        counted = [seed for seed in kept if kept[seed]["score"]]
        stored[year] = {seed: kept[seed] for seed in sorted({*counted[:3], 2, 3})}
        keep.write_text(json.dumps(stored, indent=1) + "\n")
    agreement = f"DIFFERENT: {differ}" if differ else "all scores (bytes of the file) and ages equal to the last bit"
    print(
        f"{year}: {tables} tables, {curves:,} words, {words:,} with both ages, {gated} scores 0 by their p-value: "
        f"{agreement}"
    )
    return not differ


def compare_surprisal(backend: str) -> bool:
    """Compare surprisal.json of tiny models at four checkpoints."""
    functions = importlib.import_module("evaluation_pipeline.AoA_word.evaluation_functions")
    util = importlib.import_module("evaluation_pipeline.AoA_word.eval_util")
    tokenizer = tiny_tokenizer(context for contexts in CONTEXTS.values() for context in contexts)
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary)
        path = top / "cdi_childes.json"
        path.write_text(json.dumps({word: [{"context": one} for one in all] for word, all in CONTEXTS.items()}))
        folders = {step: top / f"chck_{step}M" for step in STEPS}
        for step, folder in folders.items():
            tiny_model(backend, tokenizer, seed=step).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        words = read_words(path)
        surprisals, _ = score_checkpoints(words, folders, backend=backend, batch_tokens=512)
        record = surprisal_record(words, surprisals, model="m", expected=len(STEPS))
        ours = json.loads(write_surprisal(top, record).read_text())
        for name in ("AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoProcessor"):
            setattr(functions, name, FromFolder(getattr(functions, name), top))
        config = util.StepConfig()
        config.steps, config.word_counts = [folder.name for folder in folders.values()], [s * 10**6 for s in STEPS]
        extractor = functions.StepSurprisalExtractor(config, "m", backend, "cpu")
        targets, contexts = util.load_eval(path, 0)
        theirs = extractor.analyze_steps(contexts, targets)
    off = max(abs(a["surprisal"] - b["surprisal"]) for a, b in rows(ours, theirs))
    for a, b in rows(ours, theirs):
        a["surprisal"] = b["surprisal"] = 0.0
    rest = ours == theirs
    others = "equal" if rest else "DIFFERENT"
    print(f"{backend}: {len(record['results'])} rows of surprisal within {off:.1e} nats, other fields {others}")
    return rest and off < 1e-4 and not math.isnan(off)


def rows(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Pair the rows of two files."""
    return zip(ours["results"], theirs["results"], strict=True)


class FromFolder:
    """A class of transformers that opens the folder of a revision."""

    def __init__(self, opener: Any, top: Path) -> None:
        self._opener, self._top = getattr(opener, "_opener", opener), top

    def from_pretrained(self, _: str, *, revision: str, **options: Any) -> Any:
        """Open a checkpoint's folder."""
        return self._opener.from_pretrained(self._top / revision, **options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("year", choices=tuple(PROTOCOLS))
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    sys.exit(main(options.checkout.resolve(), options.year, options.tables, options.keep))
