"""Every buffer of a run beside the one that a slow account of the run, in dicts and loops, would choose."""

import itertools
import statistics
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.sleep.budget import plan_budget
from sleep_tune.sleep.buffer import SCOPES, buffer_size
from sleep_tune.sleep.context import CONTEXTS
from sleep_tune.sleep.normalisation import NORMALISATIONS
from sleep_tune.sleep.signals import SIGNALS, SIGNED
from sleep_tune.sleep.stream import Batch, Replay, SleepStream
from tests.sleep.corpora import losses_of, packed, play

replays = st.builds(
    dict[str, Any],
    signal=st.sampled_from(sorted(SIGNALS)),
    normalise=st.sampled_from(sorted(NORMALISATIONS)),
    scope=st.sampled_from(sorted(SCOPES)),
    refresh=st.sampled_from([0.0, 0.35, 1.0]),
    alpha=st.sampled_from([0.7, 1.0, 3.3]),
    decay=st.sampled_from([0.0, 0.3]),
    ratio=st.sampled_from([0.2, 0.5]),
).filter(lambda given: given["signal"] not in SIGNED or given["normalise"] != "none")


class Account:
    """What is known of each sample: its scores and when it was last read; and the losses since the last fold."""

    def __init__(self, refresh: float) -> None:
        self.refresh = refresh
        self.score: dict[int, float] = {}
        self.previous: dict[int, float] = {}
        self.last_read: dict[int, int] = {}
        self.read: dict[int, list[float]] = {}
        self.replayed: dict[tuple[int, int], list[float]] = {}

    def add(self, batch: Batch) -> None:
        """Keep the losses of a batch."""
        for sample, loss_sum, _, replay in zip(*losses_of(batch), strict=True):
            if replay < 0:
                self.read.setdefault(int(sample), []).append(loss_sum / 2)
            else:
                self.replayed.setdefault((int(replay), int(sample)), []).append(loss_sum / 2)

    def end_fold(self, cycle: int) -> None:
        """Turn the losses into scores."""
        before = dict(self.score)
        for (_, sample), losses in sorted(self.replayed.items()) if self.refresh else ():
            self.score[sample] += self.refresh * (statistics.fmean(losses) - self.score[sample])
            self.previous[sample] = before[sample]
        for sample, losses in self.read.items():
            loss = statistics.fmean(losses)
            self.previous[sample] = self.score.get(sample, loss)
            self.score[sample], self.last_read[sample] = loss, cycle
        self.read, self.replayed = {}, {}

    def priorities(self, cycle: int, replay: Replay, sources: list[int]) -> dict[int, float] | None:
        """The priority of each candidate; None if it depends on rounding."""
        among = [i for i in sorted(self.score) if replay.scope == "seen" or self.last_read[i] == cycle]
        signal = {i: self.previous[i] - self.score[i] if replay.signal == "progress" else self.score[i] for i in among}
        groups: dict[str, Mapping[int, int]] = {
            "cycle": self.last_read,
            "source": dict(enumerate(sources)),
            "rank": dict.fromkeys(among, 0),
        }
        if replay.normalise in groups:
            group = {i: groups[replay.normalise][i] for i in among}
            if replay.normalise != "rank":
                members = {g: [signal[i] for i in among if group[i] == g] for g in group.values()}
                signal = {
                    i: (signal[i] - statistics.fmean(members[group[i]])) / (statistics.pstdev(members[group[i]]) or 1)
                    for i in among
                }
            # Groups of two always have the z-scores 1 and -1: between groups, rounding decides which of them is higher.
            for i, j in itertools.combinations(among, 2):
                equal = signal[i] == signal[j] and (group[i] == group[j] or signal[i] == 0)
                if abs(signal[i] - signal[j]) < 1e-4 and not equal:
                    return None
            values = sorted(signal.values(), reverse=True)
            signal = {i: 1 / (values.index(x) + 1 + (values.count(x) - 1) / 2) for i, x in signal.items()}
        age = {i: (1 - replay.decay) ** (cycle - self.last_read[i]) for i in among}
        return {i: signal[i] ** replay.alpha * age[i] for i in among}


@given(replays, st.sampled_from(sorted(CONTEXTS)), st.integers(0, 999))
@settings(max_examples=60)
def test_every_buffer_is_that_of_a_slow_account(given: dict[str, Any], context: str, seed: int) -> None:
    samples = packed(14 + seed % 9, 9, seed=seed)
    plan = plan_budget(
        corpus_words=samples.num_words,
        num_samples=len(samples),
        batch_size=2,
        folds=3,
        budget_passes=4,
        length_repeats=1.6,
    )
    replay = Replay(strategy="strict", **given)
    stream = SleepStream(samples, plan, replay, context=context, seed=seed)
    account, buffers = Account(replay.refresh), 0
    ended = -1  # the last cycle whose fold has scores
    for batch in play(stream):
        if batch.cycle > ended + 1:  # the sleep before was skipped: an earlier one had replayed enough
            account.end_fold(ended := batch.cycle - 1)
        if batch.phase == "sleep" and batch.cycle > ended:
            account.end_fold(ended := batch.cycle)
            phase = stream._replayer.phase
            assert phase is not None
            if (priorities := account.priorities(batch.cycle, replay, samples.sources.tolist())) is not None:
                chosen = {int(i): priorities.pop(i) for i in phase.buffer}
                assert len(chosen) == buffer_size(len(chosen) + len(priorities), replay.ratio)
                # A tenth of full priority and a seventh of 0.7 are one number but for rounding: either may be chosen.
                assert min(chosen.values()) >= max(priorities.values()) * (1 - 1e-6)
            buffers += 1
        account.add(batch)
    assert buffers > 3


def test_the_record_says_what_the_priorities_were_made_of() -> None:
    samples = packed(40, 9)
    plan = plan_budget(
        corpus_words=samples.num_words, num_samples=40, batch_size=4, folds=2, budget_passes=4, length_ratio=1
    )
    replay = Replay(strategy="strict", signal="progress", refresh=0.5, normalise="rank")
    stream = SleepStream(samples, plan, replay, context="keep", seed=0)
    history = stream.history
    means = [
        float(
            SIGNALS["progress"](
                buffer := stream._replayer.phase.buffer, history.scores[buffer], history.previous
            ).mean()
        )
        for batch in play(stream)
        if batch.phase == "sleep" and stream._replayer.phase is not None
    ]
    recorded = [record.mean_signal for record in stream.take_sleep_records()]
    assert recorded[0] == 0  # nothing had been read twice
    assert recorded[-1] > 0
    assert recorded == pytest.approx(list(dict.fromkeys(means)))
