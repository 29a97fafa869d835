"""From a space to a finished search: who runs the trials, what a signal does, where all noise goes.

Importing this module starts nothing and imports no Ray; only the launcher that needs it does.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rich.console import Console

from sleep_tune.config.schema import RunConfig
from sleep_tune.search import cluster
from sleep_tune.search.cluster import Node, Seats
from sleep_tune.search.director import Director
from sleep_tune.search.display import Display
from sleep_tune.search.inline import run_inline
from sleep_tune.search.printing import printing_to, terminal
from sleep_tune.search.space import CorpusSummary, Space
from sleep_tune.search.work import Worker

__all__ = ["LAUNCHERS", "Interrupt", "Interrupted", "Launch", "launch"]


class Interrupted(Exception):
    """The search was told to stop by a signal; everything is saved, and the same command goes on."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


@dataclass
class Interrupt:
    """Ctrl-C, SIGTERM and a closed terminal as a flag, so that the search ends between two events, not within one.

    A second Ctrl-C raises KeyboardInterrupt at once.
    """

    number: int | None = None
    """The signal that came, if one did."""
    _before: dict[int, object] = field(default_factory=dict)

    def __enter__(self) -> "Interrupt":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets SIGHUP
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.number is not None

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a launcher needs to run a search's trials."""

    director: Director
    worker: Worker
    seats: Seats
    nodes: list[Node]
    joined: bool
    """Whether the process belongs to a Ray cluster already."""
    logs: Path
    interrupted: Callable[[], bool]
    refresh: Callable[[], None]


def _inline(launch: Launch) -> None:
    def refresh() -> None:
        launch.refresh()
        if launch.interrupted():
            raise KeyboardInterrupt

    run_inline(launch.director, launch.worker, refresh)


def _ray(launch: Launch) -> None:
    with contextlib.ExitStack() as stack:
        if not launch.joined:
            stack.enter_context(cluster.started(launch.nodes[0]))
        from sleep_tune.search import tuner

        tuner.run(
            launch.director,
            launch.worker,
            launch.seats,
            logs=launch.logs,
            interrupted=launch.interrupted,
            tick=launch.refresh,
        )


LAUNCHERS: dict[str, Callable[[Launch], None]] = {"inline": _inline, "ray": _ray}
"""Who runs the trials: this process, one at a time, or Ray on warm slots."""


def launch(
    space: Space,
    base: RunConfig,
    corpus: CorpusSummary,
    folder: Path,
    worker: Worker,
    *,
    launcher: str = "ray",
    address: str | None = None,
) -> None:
    """Run the search in `folder` to its end, or go on with it; returns at once if it has ended.

    Args:
        space: the study.
        base: what `space.base` composes to.
        corpus: what every trial reads.
        folder: the experiment's folder; what Ray and the trials print goes to its logs/.
        worker: trains one configuration.
        launcher: a name in `LAUNCHERS`.
        address: a Ray cluster to join; None starts one on this machine.

    Raises:
        UserError: see `Director` and `cluster`.
        Interrupted: a signal ended this session.
    """
    folder = folder.absolute()
    logs = folder / "logs"
    with contextlib.ExitStack() as stack:
        console = Console(file=stack.enter_context(terminal()))
        nodes = [cluster.this_machine()]
        if address is not None:
            stack.enter_context(_noise_to(logs))
            nodes = stack.enter_context(cluster.joined(address))
        seats = cluster.plan_seats(space.resources, nodes)
        if launcher == "inline":
            seats = Seats(slots=1, workers=1, cpus_per_worker=nodes[0].cpus, gpus_per_worker=min(1.0, nodes[0].gpus))
        director = Director(space, base, corpus, folder, gpus=seats.gpus)
        stack.callback(director.close)
        if director.finished:
            return
        if address is None:
            stack.enter_context(_noise_to(logs))
        console.print(f"{folder}: {seats.describe()}; logs in {logs}", highlight=False, soft_wrap=True)
        interrupt = stack.enter_context(Interrupt())
        display = stack.enter_context(Display(director, seats.slots, console))
        try:
            LAUNCHERS[launcher](
                Launch(
                    director=director,
                    worker=worker,
                    seats=seats,
                    nodes=nodes,
                    joined=address is not None,
                    logs=logs,
                    interrupted=interrupt,
                    refresh=display.refresh,
                )
            )
        except KeyboardInterrupt:
            interrupt.number = interrupt.number or signal.SIGINT
        if interrupt.number is not None and not director.finished:
            raise Interrupted(interrupt.number)


@contextlib.contextmanager
def _noise_to(logs: Path) -> Iterator[None]:
    with printing_to(logs / "driver.log"):
        yield
