"""Preparation of a text: `python tests/benchmarks/bench_corpus.py --words 1000000 --repeats 3`.

The peer is the recipe of transformers' examples (run_mlm, run_clm): `datasets` loads the text, `map` tokenizes it,
and a second `map` groups the tokens into rows of the same length. It gets the tokenizer that our side has trained.
Each side runs in a process of its own, one after the other, with one process and one thread of the tokenizer:

- ours: the text is read, divided, the tokenizer trained, the text encoded and packed
- ours, loaded: the same with that tokenizer loaded from a folder (tokenizer=hub), as the peer does
- datasets: the peer
- ours again, datasets again: the same once more, when the result is in the cache; all pages of the arrays are read

Of each: seconds, seconds of the processor, the peak of memory (imports included) and bytes on disk. The text is
generated: words with Zipf's frequencies, sentences of 15 words, capitals, commas and quotation marks. Results are
printed as they come.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

BLOCK = 100_000
"""Words that are generated at a time."""
ROW = 128
ONSETS = ("", *"bcdfghjklmnprstvw", "br", "ch", "cl", "dr", "fl", "gr", "pl", "pr", "sh", "sl", "st", "th", "tr")
VOWELS = (*"aeiou", "ea", "ou")
CODAS = ("", "", *"nrstld", "ng", "ck")
SYLLABLES = len(ONSETS) * len(VOWELS)


@cache
def spell(rank: int) -> str:
    """Return the word of a rank in Zipf's law; frequent words are short."""
    word: str = CODAS[rank * 7 % len(CODAS)]
    rest = rank
    while True:
        rest, digit = divmod(rest, SYLLABLES)
        onset, vowel = divmod(digit * 73 % SYLLABLES, len(VOWELS))
        word = ONSETS[onset] + ("é" if rank % 97 == 0 else VOWELS[vowel]) + word
        if rest == 0:
            return word
        rest -= 1


def generate(index: int, num_words: int) -> str:
    """Return the text of a block."""
    random = np.random.default_rng([0, index])
    words = [spell(rank) for rank in np.minimum(8 * random.pareto(0.55, num_words), 1e7).astype(np.int64).tolist()]
    chances = random.random(num_words)
    for at in np.flatnonzero(chances < 0.06).tolist():
        words[at] += ","
    for at in np.flatnonzero(chances > 0.985).tolist():
        words[at] += "\u2019s"
    lines, paragraph, begin = [], [], 0
    while begin < num_words:
        words_here = words[begin : begin + 1 + int(random.negative_binomial(3, 3 / 16))]
        begin += len(words_here)
        end, quoted, last = random.random(3).tolist()
        sentence = " ".join(words_here).rstrip(",").capitalize() + ("." if end < 0.85 else "?" if end < 0.93 else "!")
        paragraph.append(f"“{sentence}”" if quoted < 0.1 else sentence)
        if last < 0.2 or begin >= num_words:
            lines += [" ".join(paragraph), *([""] if last < 0.02 else [])]
            paragraph = []
    return "\n".join(lines) + "\n"


def write_text(folder: Path, num_words: int) -> None:
    """Write text.txt."""
    folder.mkdir()
    with (folder / "text.txt").open("w", encoding="utf-8") as file:
        for index, at in enumerate(range(0, num_words, BLOCK)):
            file.write(generate(index, min(BLOCK, num_words - at)))


def run_ours(folder: Path, cache_dir: Path, tokenizer: Path | None) -> dict[str, Any]:
    """Prepare the text."""
    from sleep_tune.config.schema import DataConfig, TokenizerConfig
    from sleep_tune.data.prepare import prepare

    kinds = TokenizerConfig() if tokenizer is None else TokenizerConfig(kind="hub", name=str(tokenizer))
    data = DataConfig(kind="text", path=str(folder), cache_dir=str(cache_dir), max_length=ROW)
    corpus = prepare(data, kinds)
    for part in (corpus.train, corpus.dev, corpus.test):
        part.tokens.sum()
    return {"tokenizer": str(corpus.tokenizer_dir), "rows": sum(map(len, (corpus.train, corpus.dev, corpus.test)))}


def run_peer(folder: Path, cache_dir: Path, tokenizer: Path | None) -> dict[str, Any]:
    """Prepare the text as transformers' examples do."""
    os.environ |= {"HF_HOME": str(cache_dir), "HF_HUB_OFFLINE": "1"}
    import datasets
    from transformers import AutoTokenizer
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    encode = AutoTokenizer.from_pretrained(tokenizer)

    def tokenize(examples: dict[str, list[str]]) -> Any:
        return encode(examples["text"], return_special_tokens_mask=True)

    def group(examples: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
        joined = {name: list(chain(*values)) for name, values in examples.items()}
        total = len(joined["input_ids"]) // ROW * ROW
        return {name: [values[at : at + ROW] for at in range(0, total, ROW)] for name, values in joined.items()}

    text = datasets.load_dataset("text", data_files={"train": str(folder / "text.txt")}, split="train")
    tokens = text.map(tokenize, batched=True, remove_columns=["text"])
    rows = tokens.map(group, batched=True)
    for batch in rows.with_format("numpy").iter(1000):
        batch["input_ids"].sum()
    return {"rows": len(rows)}


def measure(side: str, folder: Path, cache_dir: Path, tokenizer: Path | None) -> dict[str, Any]:
    """Return what one side needs, in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--side", side, str(folder), str(cache_dir), str(tokenizer or "")]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | {"TOKENIZERS_PARALLELISM": "false"}
    )
    found = json.loads(done.stdout.splitlines()[-1])
    size = sum(path.stat().st_size for path in cache_dir.rglob("*") if path.is_file() and not path.is_symlink())
    return {**found, "wall": time.perf_counter() - began, "disk": size}


def run_side(side: str, folder: str, cache_dir: str, tokenizer: str) -> None:
    """Run one side in this process, and print what it needed; memory of children is added to that of this process."""
    run = run_peer if side == "datasets" else run_ours
    found = run(Path(folder), Path(cache_dir), Path(tokenizer) if tokenizer else None)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    print(json.dumps({**found, "processor": processor, "memory": sum(usage.ru_maxrss for usage in usages) * 1024}))


def compare(num_words: int, repeats: int, top: Path) -> None:
    """Print the figures of both sides, repeated in turn, and the ratio of the medians."""
    write_text(top / "text", num_words)
    size = (top / "text" / "text.txt").stat().st_size
    print(f"{num_words:,} words, {size / 1e6:.1f} MB of text; rows of {ROW} tokens", flush=True)
    figures: dict[str, list[dict[str, Any]]] = {}
    for turn in range(repeats):
        folders = {name: top / f"{name}-{turn}" for name in ("trained", "loaded", "datasets")}
        tokenizer: Path | None = None
        for name, side, folder in (
            ("ours", "ours", folders["trained"]),
            ("ours, loaded", "ours", folders["loaded"]),
            ("datasets", "datasets", folders["datasets"]),
            ("ours again", "ours", folders["trained"]),
            ("datasets again", "datasets", folders["datasets"]),
        ):
            folder.mkdir(exist_ok=True)
            found = measure(side, top / "text", folder, None if name in ("ours", "ours again") else tokenizer)
            tokenizer = tokenizer or Path(found["tokenizer"])
            figures.setdefault(name, []).append(found)
            print(
                f"  {name:<15} {found['wall']:7.1f} s  processor {found['processor']:7.1f} s  memory "
                f"{found['memory'] / 1e6:6.0f} MB  disk {found['disk'] / 1e6:7.1f} MB  {found['rows']:,} rows "
                f"(load of the machine {os.getloadavg()[0]:.1f})",
                flush=True,
            )
    for ours, peer in (("ours", "datasets"), ("ours, loaded", "datasets"), ("ours again", "datasets again")):
        shares = {
            what: median(found[what] for found in figures[ours]) / median(found[what] for found in figures[peer])
            for what in ("processor", "memory", "disk")
        }
        print(f"  {ours} / {peer}: " + ", ".join(f"{what} {share:.2f}" for what, share in shares.items()), flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000, help="words of the text")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side, in turn")
    parser.add_argument("--side", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run_side(*options.side)
        return
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs shared with other work")
    with tempfile.TemporaryDirectory() as top:
        compare(options.words, options.repeats, Path(top))


if __name__ == "__main__":
    main()
