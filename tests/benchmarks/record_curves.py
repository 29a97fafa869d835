"""Record learning curves of real training, which the simulator searches instead of training.

    python tests/benchmarks/record_curves.py OUT.jsonl                       # toy language: 64 configurations, 20 twice
    python tests/benchmarks/record_curves.py OUT.jsonl --count 48 --repeated 12 \
        'parameters.training.learning_rate={log_uniform: [0.001, 0.02]}'     # with one more parameter
    python tests/benchmarks/record_curves.py OUT.jsonl --space tests/benchmarks/recorded_text.yaml \
        --count 120 --repeated 24 --seeds 3 data.path=FOLDER                 # real text, 24 under three seeds

Configurations are drawn at random from the parameters of a space (overrides change it), trained to the end of their
budget with a tiny model, and evaluated at every tenth of it; nothing is stopped. The first --repeated of them are
trained under several seeds, the same for all, which tells the noise of seeds apart from the settings. A run takes some
twelve seconds on one thread. Run again, the command resumes after the last whole line.

sleep_tune/simulation/recorded/replay.jsonl was made by the first command; it holds the first 52 configurations.
text.jsonl beside it was made by the third, on nine children's classics (public domain, Standard Ebooks editions); it
holds the first 33 configurations.

OUT: a line that says what was recorded, then one line per run: settings, seed, and eval/nll at each share. It holds
numbers only, and no path of the text.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sleep_tune.config.environment import environment
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import from_dict, to_dict
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.experiment.trial_state import Value
from sleep_tune.records import Decision, Progress
from sleep_tune.search.decide.sampler import Sampler
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import Space
from sleep_tune.search.space.space_file import load_space
from sleep_tune.search.space.space_json import to_json
from sleep_tune.search.space.trial_configs import with_settings
from sleep_tune.training.run import train

ROOT = Path(__file__).parents[2]
SPACE = ROOT / "tests" / "benchmarks" / "mechanism.yaml"
SHARES = tuple(tenth / 10 for tenth in range(1, 11))
METRIC = "eval/nll"
BASE = (
    "data=toy",
    "data.sentences=6000",
    "data.max_length=16",
    "tokenizer.vocab_size=512",
    "model=tiny",
    "model.dropout=0",
    "model.attention_dropout=0",
    "budget.passes=10",
    "training.batch_size=32",
    "training.learning_rate=0.005",
    "training.warmup=0.1",
    "training.masking.probability=0.4",
    "training.device=cpu",
    "training.threads=1",
    "training.checkpoint_ratio=0",
    "training.save_model=false",
    "evaluation.samples=128",
    "evaluation.pairs=0",
)
"""A model small enough for hundreds of runs, that learns the language's structure within a run and not at its start."""


def record(config: RunConfig, corpus: Corpus) -> list[float]:
    """Train one configuration to its end: eval/nll at each of SHARES."""
    values: dict[int, float] = {}

    def report(progress: Progress) -> Decision:
        if progress.rung is not None:
            values[progress.rung] = progress.metrics[METRIC]
        return Decision.CONTINUE

    train(config, report, corpus=corpus)
    return [round(values[rung], 5) for rung in sorted(values)]


def drawn(space: Space, count: int, repeated: int, seeds: int) -> list[tuple[dict[str, Value], int]]:
    """Settings and seeds of all runs, in their order."""
    sampler = Sampler(space.parameters, algorithm="random", mode="min", seed=space.search.seed, startup=1)
    runs = []
    for number in range(count):
        settings = sampler.ask(number)
        runs += [(settings, seed) for seed in range(seeds if number < repeated else 1)]
    return runs


def config_of(base: RunConfig, settings: dict[str, Value], seed: int, folder: Path) -> RunConfig:
    """The whole configuration of one run."""
    run = {
        "run.name": "recorded",
        "run.dir": str(folder),
        "training.seed": seed,
        "evaluation.rungs": SHARES[:-1],
        "evaluation.test": False,
    }
    return from_dict(with_settings(to_dict(base), settings | run))


def header(space: Space, corpus: Corpus) -> dict[str, object]:
    """What the lines after it are."""
    made = environment()
    return {
        "made_by": "tests/benchmarks/record_curves.py",
        "metric": METRIC,
        "mode": "min",
        "shares": SHARES,
        "corpus": {"words": corpus.train.num_words, "samples": len(corpus.train)},
        "parameters": to_json(space)["parameters"],
        "base": {key: value for key, value in to_json(space)["base"].items() if key != "data.path"},
        "commit": made["commit"],
        "packages": {name: made["packages"][name] for name in ("numpy", "torch", "transformers")},
    }


def main(arguments: Sequence[str]) -> int:
    """Record what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--count", type=int, default=64, help="configurations")
    parser.add_argument(
        "--repeated", type=int, default=20, help="of these, trained under all seeds, not only the first"
    )
    parser.add_argument("--seeds", type=int, default=2, help="seeds 0, 1, ... of a repeated configuration")
    parser.add_argument("--space", type=Path, default=SPACE, help="space whose parameters are recorded")
    given = parser.parse_intermixed_args(arguments)
    space = load_space(given.space, [*(BASE if given.space == SPACE else ()), *given.overrides])
    base = compose_base(space)
    corpus = prepare(base.data, base.tokenizer)
    if not given.out.exists():
        given.out.write_text(json.dumps(header(space, corpus)) + "\n")
    known = {
        (json.dumps(line["settings"]), line["seed"]) for line in map(json.loads, given.out.read_text().splitlines()[1:])
    }
    runs = drawn(space, given.count, given.repeated, given.seeds)
    for number, (settings, seed) in enumerate(runs, 1):
        if (json.dumps(settings), seed) in known:
            continue
        with tempfile.TemporaryDirectory() as folder:
            values = record(config_of(base, settings, seed, Path(folder) / "run"), corpus)
        with given.out.open("a") as file:
            file.write(json.dumps({"settings": settings, "seed": seed, "values": values}) + "\n")
        print(f"{number}/{len(runs)} seed {seed} {settings}: {values[0]:.3f} ... {values[-1]:.3f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
