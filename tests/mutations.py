"""A search's log, damaged in many ways, and what every reader makes of it: the same, a refusal, or something else."""

import contextlib
import json
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from sleep_tune.errors import UserError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.search_state import fold_events
from sleep_tune.records import SCHEMA
from sleep_tune.results.seed_plan import find_plan
from sleep_tune.results.study_growth import find_growth
from sleep_tune.results.trial_tables import tabulate_curves, tabulate_trials
from sleep_tune.search.monitor.screen import screen
from sleep_tune.search.monitor.snapshot import read_recorded
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Space, Stop
from tests.made import make_old
from tests.search.monitor.shown import drawn
from tests.search.studies import WORKER, open_search, outcome, progress, search, start, study

SAME, REFUSED, EARLIER = "read as it was", "refused", "read as an earlier log"
OTHER, TRACEBACK = "read otherwise", "traceback"

Mutation = Callable[[list[bytes], Random], bytes]
"""From a log's lines, with their newlines, to a file's content."""


def _at(lines: list[bytes], random: Random) -> int:
    return random.randrange(len(lines))


def _edited(lines: list[bytes], at: int, line: bytes) -> bytes:
    return b"".join([*lines[:at], line, *lines[at + 1 :]])


def dropped(lines: list[bytes], random: Random) -> bytes:
    """A line is missing; not the last one."""
    return _edited(lines, random.randrange(len(lines) - 1), b"")


def doubled(lines: list[bytes], random: Random) -> bytes:
    at = _at(lines, random)
    return _edited(lines, at, lines[at] * 2)


def swapped(lines: list[bytes], random: Random) -> bytes:
    first, second = random.sample(range(len(lines)), 2)
    changed = list(lines)
    changed[first], changed[second] = lines[second], lines[first]
    return b"".join(changed)


def digit(lines: list[bytes], random: Random) -> bytes:
    at = _at(lines, random)
    line = bytearray(lines[at])
    place = random.choice([place for place, byte in enumerate(line) if chr(byte).isdigit()])
    line[place] = ord(str((line[place] - ord("0") + random.randrange(1, 10)) % 10))
    return _edited(lines, at, bytes(line))


def flipped(lines: list[bytes], random: Random) -> bytes:
    """A bit, anywhere; but the last newline, without which the last line is torn."""
    content = bytearray(b"".join(lines))
    content[random.randrange(len(content) - 1)] ^= 1 << random.randrange(8)
    return bytes(content)


def cut_off(lines: list[bytes], random: Random) -> bytes:
    content = b"".join(lines)
    return content[: random.randrange(1, len(content))]


def cut_between(lines: list[bytes], random: Random) -> bytes:
    return b"".join(lines[: random.randrange(1, len(lines))])


def removed(lines: list[bytes], random: Random) -> bytes:
    """Some bytes in the middle are missing."""
    content = b"".join(lines)
    start = random.randrange(len(content) - 20)
    return content[:start] + content[start + random.randrange(1, 20) :]


def spliced(lines: list[bytes], random: Random) -> bytes:
    """Its second half is that of another search's log."""
    other = [line.replace(b"search", b"other").replace(b"t0001", b"t0002") for line in lines]
    at = random.randrange(1, len(lines))
    return b"".join(lines[:at] + other[at:])


def newer(lines: list[bytes], random: Random) -> bytes:
    at = random.choice([_at(lines, random), len(lines) - 1])
    return _edited(lines, at, json.dumps(json.loads(lines[at]) | {"schema": SCHEMA + 1}).encode() + b"\n")


def garbage(lines: list[bytes], random: Random) -> bytes:
    at = _at(lines, random)
    return _edited(lines, at, random.choice([b"\n", b"{}\n", b"[]\n", b"null\n", b"x\n", random.randbytes(40) + b"\n"]))


def added(lines: list[bytes], random: Random) -> bytes:
    """A whole line of garbage after the last one."""
    return b"".join([*lines, random.choice([b"\n", b"{}\n", b"[" * 9000 + b"\n", b"}\n", b'{"schema":1}\n'])])


def carriage_returns(lines: list[bytes], random: Random) -> bytes:
    at = _at(lines, random)
    return b"".join(line.replace(b"\n", b"\r\n") if number >= at else line for number, line in enumerate(lines))


def byte_order_mark(lines: list[bytes], random: Random) -> bytes:
    return b"\xef\xbb\xbf" + b"".join(lines)


def value(lines: list[bytes], random: Random) -> bytes:
    """Some value of a line's object is another, or of another type, or gone."""
    at = _at(lines, random)
    line = json.loads(lines[at])
    holder: Any = line
    while True:
        key = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.2:
            break
        holder = inner
    odd: list[Any] = [None, -1, 10**400, 1e999, "x", "", [], {}, True, "\ud800", "t9999", 1.5, inner]
    if random.random() < 0.2:
        del holder[key]
    else:
        holder[key] = random.choice(odd)
    return _edited(lines, at, json.dumps(line, separators=(",", ":")).encode() + b"\n")


MUTATIONS: dict[str, Mutation] = {
    "a line dropped": dropped,
    "a line doubled": doubled,
    "two lines swapped": swapped,
    "a digit changed": digit,
    "a bit flipped": flipped,
    "bytes missing": removed,
    "cut off anywhere": cut_off,
    "cut off between two lines": cut_between,
    "another log from a line on": spliced,
    "a line of a newer schema": newer,
    "a line of garbage": garbage,
    "a line of garbage at the end": added,
    "carriage returns": carriage_returns,
    "a byte order mark": byte_order_mark,
    "a value changed or removed": value,
}


def make_search(folder: Path) -> Space:
    """A search that ended, in `folder`/x, with all that a log may hold; the space under which it did.

    It took trials of an earlier one, in `folder`/old, was paused, met a bug, and grew.
    """
    search(folder / "old", study(name="old"))
    director = open_search(folder / "x")
    trial = start(director)
    director.held = "the disk is nearly full"
    director.on_progress(trial.id, progress(10))
    director.on_end(trial.id, outcome("paused", 1.0))
    director.held = None
    trial = start(director)
    director.on_failure(trial.id, "KeyError: 'größer'", "bug", "logs/t0001.log")
    director.close()
    director = open_search(folder / "x")
    director.on_lost(start(director).id)
    director.close()
    director = open_search(folder / "x")
    run_inline(director, WORKER)
    director.close()
    grown = replace(study(), stop=Stop(trials=9), warm_start=(str(folder / "old"),))
    search(folder / "x", grown)
    return grown


class Readers:
    """All that reads a log, over one search; opening it to continue may write to the folder that is read.

    Args:
        folder: of the search (`make_search`).
        space: that it ended under.
    """

    def __init__(self, folder: Path, space: Space) -> None:
        self._folder = folder
        self._space = space

    def read(self, content: bytes) -> tuple[Any, ...]:
        """What they make of a log's content."""
        with tempfile.TemporaryDirectory() as parent:
            copy = Path(parent) / "x"
            shutil.copytree(self._folder, copy)
            (copy / LOG).write_bytes(content)
            events = read_events(copy / LOG)
            state = fold_events(events)
            table, curves = tabulate_trials(state), tabulate_curves(state)
            recorded = read_recorded(copy, is_driven=False)
            adopting = replace(self._space, name="new", warm_start=(str(copy),))
            taken = open_search(Path(parent) / "new", adopting, clock=lambda: 0.0)
            director = open_search(copy, self._space, clock=lambda: 0.0)
            with contextlib.ExitStack() as stack:
                for opened in (taken, director):
                    stack.callback(opened._held.close)
                asked = [next(iter(opened._history.studies)).sampler.ask(99) for opened in (taken, director)]
                return (
                    table.to_csv(),
                    curves.to_csv(),
                    find_growth(events),
                    find_plan(events),
                    repr(recorded.trials),
                    drawn(screen(recorded, 1, width=100)).partition(" gone")[2],
                    repr(director.trials),
                    repr([*taken.trials.values()]).replace(parent, ""),
                    asked,
                )


def judge(readers: Readers, content: bytes, whole: bytes, truth: tuple[Any, ...]) -> tuple[str, str]:
    """What becomes of a damaged log, and what was said of it."""
    try:
        told = readers.read(content)
    except UserError as error:
        assert "\n" not in str(error), error
        return REFUSED, str(error)
    except Exception:
        return TRACEBACK, traceback.format_exc()
    if told == truth:
        return SAME, ""
    is_cut = whole.startswith(content[: content.rfind(b"\n") + 1])
    return (EARLIER if is_cut else OTHER), ""


def damaged(content: bytes, number: int) -> Iterator[tuple[str, bytes]]:
    """So many logs that were damaged in each way, by the way; each is another file than `content`."""
    lines = content.splitlines(keepends=True)
    for name, mutation in MUTATIONS.items():
        for seed in range(number):
            changed = mutation(lines, Random(seed))
            if changed != content:
                yield name, changed


def make_logs(folder: Path) -> tuple[Space, dict[str, bytes]]:
    """A search in `folder` and its log, as it is and as one of schema 1."""
    space = make_search(folder)
    now = (folder / "x" / LOG).read_bytes()
    make_old(folder / "x" / LOG)
    old = (folder / "x" / LOG).read_bytes()
    return space, {"present schema": now, "schema 1": old}
