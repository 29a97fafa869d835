"""Show what each strategy would replay: `python analysis/sampler_demo.py [group=choice | option=value ...]`.

On a folder of text: `python analysis/sampler_demo.py data=text data.path=DIR`. Overrides are those of train_worker.py.
By default sleep.replay.alpha is 4 (with 1 a weighted draw is nearly uniform) and sleep.length.ratio 0.5.

Trains a real model on a few folds as a run would. Then prints the folds, their scores, the buffers that each strategy
chooses from these scores, and the mean score of each strategy's buffers. Exit code 1 if these means are not in the
order strict > weighted > random.
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone's package, whichever is installed

from sleep_tune import cli
from sleep_tune.errors import BudgetError, ConfigError
from sleep_tune.plain_text import visible

if TYPE_CHECKING:
    from sleep_tune.config.schema import RunConfig
    from sleep_tune.data.prepare import Corpus
    from sleep_tune.sleep.batch_stream import BatchStream
    from sleep_tune.sleep.sample_history import SampleHistory
    from sleep_tune.sleep.samples import Samples

Decode = Callable[[NDArray[np.integer]], str]

BASE = {"sleep.replay.alpha": 4.0, "sleep.length.ratio": 0.5}
STRATEGIES = ("strict", "weighted", "random")
"""In the order of the mean score that their buffers should have, the highest first."""
MAX_WORDS = 300_000
DRAWS = 40
SHOWN_FOLDS = 12
SHOWN_LETTERS = 96


def main(arguments: Sequence[str]) -> int:
    """Train on some folds and print what would be replayed."""
    parser = argparse.ArgumentParser(
        prog="sampler_demo.py",
        description="Read a few folds with a real model, and show what each strategy would replay.",
        allow_abbrev=False,
    )
    parser.add_argument("--cycles", type=int, default=3, help="folds to read (default: 3)")
    parser.add_argument("--buffers", type=int, default=2, help="buffers to draw by each strategy (default: 2)")
    parser.add_argument("--samples", type=int, default=3, help="samples to show of each buffer (default: 3)")
    parser.add_argument("overrides", nargs="*", help="as for train_worker.py, such as data=text data.path=DIR")
    options = parser.parse_intermixed_args(arguments)
    from sleep_tune.config.load import compose
    from sleep_tune.data.prepare import prepare

    config = compose(options.overrides, base=BASE)
    if config.data.max_words is None:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, max_words=MAX_WORDS))
    for name in ("cycles", "buffers", "samples"):
        if getattr(options, name) < 1:
            raise ConfigError(f"--{name} must be at least 1; got {getattr(options, name)}")
    if config.sleep.replay.reference is not None:
        raise ConfigError("sleep.replay.reference must be null for this demonstration, which trains one model only")
    if config.sleep.interleave or config.sleep.matched is not None:
        key = "sleep.interleave must be false" if config.sleep.interleave else "sleep.matched must be null"
        raise ConfigError(f"{key} for this demonstration, which shows what sleep phases would replay")
    corpus = prepare(config.data, config.tokenizer)
    stream = train_cycles(config, corpus, options.cycles)
    show_folds(config, stream, corpus.train)
    show_scores(config, stream, corpus.train)
    decode = make_decoder(corpus)
    for strategy in STRATEGIES:
        for number in range(1 if strategy == "strict" else options.buffers):
            buffer = draw_buffer(config, stream, corpus.train, number, strategy=strategy)
            show_buffer(f"{strategy}, draw {number + 1}", buffer, stream.history, corpus.train, decode, options.samples)
    show_contexts(config, draw_buffer(config, stream, corpus.train, 0), corpus.train, decode)
    return 0 if show_order(config, stream, corpus.train) else 1


def train_cycles(config: "RunConfig", corpus: "Corpus", cycles: int) -> "BatchStream":
    """Train as a run would, and return its stream at the first batch of the last cycle's sleep, with all scores so far.

    Raises:
        BudgetError: the run has fewer sleeps than `cycles`.
    """
    import torch

    from sleep_tune.models.architectures import ARCHITECTURES
    from sleep_tune.models.build import build_model
    from sleep_tune.models.sparse import sparse_forward
    from sleep_tune.training.batch_feed import BatchFeed
    from sleep_tune.training.hardware import choose_device
    from sleep_tune.training.process_group import ProcessGroup
    from sleep_tune.training.session import open_stream

    samples, training = corpus.train, config.training
    alone = ProcessGroup()
    stream = open_stream(config, corpus, alone)
    if not stream.plan.sleeps:
        raise BudgetError("a run must sleep to replay something; this one spends its whole budget awake")
    if stream.plan.passes is not None and cycles > stream.plan.passes * stream.folds:
        raise BudgetError(f"--cycles must be at most {int(stream.plan.passes * stream.folds)}; got {cycles}")
    device = choose_device(training, alone)
    feed = BatchFeed(
        stream, samples, training, mask=ARCHITECTURES[config.model.kind].mask, device=device, processes=alone
    )
    model = build_model(
        config.model,
        objective=training.objective,
        vocab_size=samples.vocab_size,
        max_length=samples.max_length,
        special=samples.special,
        seed=training.seed,
    ).to(device)  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.learning_rate)
    with sparse_forward(model):
        for prepared in feed:
            if stream.phase == "sleep" and stream.cycle >= cycles - 1:
                return stream
            print_progress(f"cycle {stream.cycle + 1}/{cycles}, {stream.phase}: {stream.words_seen:,} words")
            total, losses = model(
                input_ids=prepared.input_ids,
                attention_mask=prepared.attention_mask,
                positions=prepared.positions,
                labels=prepared.labels,
            )
            feed.record_losses(prepared, losses)
            optimizer.zero_grad()
            (total / prepared.divisor).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    raise BudgetError(f"the budget must hold {cycles} sleeps; it ends in cycle {stream.cycle + 1}: lower --cycles")


def print_progress(line: str) -> None:
    """Print a line over the previous one, if the output is a terminal."""
    if sys.stderr.isatty():
        print(f"\r{line:70}", end="", file=sys.stderr, flush=True)


def draw_buffer(
    config: "RunConfig", stream: "BatchStream", samples: "Samples", index: int, **changed: str
) -> NDArray[np.int32]:
    """Return a buffer for the sleep after the last fold: indices of samples.

    Args:
        config: of the run.
        stream: at the start of that sleep.
        samples: the corpus.
        index: number of the draw; another number gives other random choices.
        changed: options of sleep.replay that differ from the configuration.
    """
    from sleep_tune.sleep.buffer import SCOPES, Replay, choose_buffer
    from sleep_tune.sleep.randomness import Purpose, generator

    settings = dataclasses.asdict(config.sleep.replay) | changed
    del settings["reference"]
    replay = Replay(**settings)
    candidates = SCOPES[replay.scope](stream.history.last_read, stream.cycle)
    rng = generator(config.training.seed, Purpose.BUFFER, index)
    return choose_buffer(
        candidates, stream.history, sources=samples.sources, cycle=stream.cycle, replay=replay, rng=rng
    )


def show_folds(config: "RunConfig", stream: "BatchStream", samples: "Samples") -> None:
    """Print the corpus, the plan, and the sizes of the first pass's folds."""
    from sleep_tune.sleep.wake_pass import WakePass

    print_progress("")
    words = f"{samples.num_words:,} words in {len(samples):,} samples of {samples.max_length} tokens"
    print(f"\n{config.data.kind}: {words}, from {', '.join(samples.source_names)}")
    print(f"{stream.plan.describe()}\n")
    wake_pass = WakePass(samples, stream.plan, seed=config.training.seed, pass_index=0)
    print(f"{'fold':>6}{'batches':>10}{'samples':>10}{'words':>12}")
    for fold in range(min(stream.folds, SHOWN_FOLDS)):
        first, last = wake_pass.bounds[fold : fold + 2]
        size, count = len(wake_pass.rows(first, last)), sum(wake_pass.words[first:last])
        print(f"{fold + 1:>6}{last - first:>10}{size:>10,}{count:>12,}")
    if stream.folds > SHOWN_FOLDS:
        print(f"{'...':>6}  and {stream.folds - SHOWN_FOLDS} more, none larger by more than a batch")


def show_scores(config: "RunConfig", stream: "BatchStream", samples: "Samples") -> None:
    """Print the scores of each fold; earlier folds were scored by a less trained model, so their scores are higher."""
    history = stream.history
    print(f"\nread so far: {stream.read_ratio:.0%} of the samples; scores are mean losses in nats, as read awake")
    for cycle in range(max(0, stream.cycle - SHOWN_FOLDS + 1), stream.cycle + 1):
        scores = history.scores[history.last_read == cycle]
        spread = f"{np.quantile(scores, 0.1):.2f} to {np.quantile(scores, 0.9):.2f}"
        age = "just read" if cycle == stream.cycle else f"age {stream.cycle - cycle}"
        print(f"  cycle {cycle + 1}: mean {scores.mean():.2f}, most of them {spread} ({age})")


def show_buffer(
    title: str, buffer: NDArray[np.int32], history: "SampleHistory", samples: "Samples", decode: Decode, shown: int
) -> None:
    """Print size, mean score and sources of a buffer, and some of its samples, from the highest score down."""
    scores = history.scores[buffer]
    shares = np.bincount(samples.sources[buffer], minlength=len(samples.source_names)) / len(buffer)
    sources = ", ".join(f"{name} {share:.0%}" for name, share in zip(samples.source_names, shares, strict=True))
    print(visible(f"\n{title}: {len(buffer):,} samples, mean score {scores.mean():.2f}; {sources}"))
    picked = buffer[np.linspace(0, len(buffer) - 1, min(shown, len(buffer))).astype(int)]
    for sample in picked[np.argsort(-history.scores[picked])]:
        print(visible(f"  {history.scores[sample]:6.2f}  {decode(samples.tokens[sample])}"))


def show_contexts(config: "RunConfig", buffer: NDArray[np.int32], samples: "Samples", decode: Decode) -> None:
    """Print the first row that a sleep on the buffer would replay, in every context."""
    from sleep_tune.sleep.context import CONTEXTS
    from sleep_tune.sleep.sleep_phase import SleepPhase

    print(f"\nthe first row replayed of the {config.sleep.replay.strategy} buffer, by context")
    for name, context in CONTEXTS.items():
        phase = SleepPhase(context(samples), buffer, cycle=0, seed=config.training.seed, num_candidates=len(buffer))
        print(visible(f"  {name:8}{decode(phase.draw(1).input_ids[0])}"))


def show_order(config: "RunConfig", stream: "BatchStream", samples: "Samples") -> bool:
    """Print the mean score of each strategy's buffers from the last fold; return whether strict > weighted > random."""
    scores = stream.history.scores
    fresh = stream.history.last_read == stream.cycle
    print(f"\namong the {np.count_nonzero(fresh):,} samples just read, of mean score {scores[fresh].mean():.3f}:")
    means: list[float] = []
    for strategy in STRATEGIES:
        draws = range(1 if strategy == "strict" else DRAWS)
        drawn_buffers = (
            draw_buffer(config, stream, samples, index, strategy=strategy, scope="fold") for index in draws
        )
        drawn = [scores[buffer].mean() for buffer in drawn_buffers]
        means.append(float(np.mean(drawn)))
        buffers = "its buffer" if len(draws) == 1 else f"{DRAWS} buffers, {min(drawn):.3f} to {max(drawn):.3f}"
        print(f"  {strategy:9} mean score {means[-1]:.3f}  ({buffers})")
    right = means[0] > means[1] > means[2]
    print("strict > weighted > random: " + ("yes" if right else f"no (alpha is {config.sleep.replay.alpha:g})"))
    return right


def make_decoder(corpus: "Corpus") -> Decode:
    """Return a function from a row of tokens to its text, shortened to a line."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_dir / "tokenizer.json"))

    def decode(tokens: NDArray[np.integer]) -> str:
        text = " ".join(tokenizer.decode(tokens.tolist(), skip_special_tokens=True).split())
        return text if len(text) <= SHOWN_LETTERS else f"{text[: SHOWN_LETTERS - 3]}..."

    return decode


if __name__ == "__main__":
    sys.exit(cli.run(main, sys.argv[1:]))
