"""How many trials the machines of a cluster hold, and what each worker of a trial gets. Arithmetic; knows no Ray."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sleep_tune.errors import ClusterError
from sleep_tune.search.space.search_space import Resources

__all__ = ["Node", "Seats", "count_slots", "plan_seats"]


@dataclass(frozen=True, slots=True)
class Node:
    """What one machine has."""

    cpus: int
    gpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """How many trials run at a time, and what each worker of a trial holds."""

    slots: int
    workers: int
    cpus_per_worker: int
    gpus_per_worker: float

    @property
    def gpus(self) -> float:
        """GPUs that one trial holds."""
        return self.workers * self.gpus_per_worker

    def describe(self) -> str:
        """A sentence for the start of a run and for --plan."""
        each = f"{self.cpus_per_worker} CPU{'s' * (self.cpus_per_worker != 1)}, {_gpus(self.gpus_per_worker)}"
        return (
            f"{self.slots} slot{'s' * (self.slots != 1)} of {self.workers} worker{'s' * (self.workers != 1)} ({each})"
        )


def plan_seats(resources: Resources, nodes: Sequence[Node]) -> Seats:
    """Fit as many trials on the nodes as they hold; a worker is never split over two nodes, a trial may be.

    `auto` GPUs: one for each worker if any node has one. `auto` CPUs: with GPUs, as many as every GPU of the node that
    has fewest CPUs per GPU can have; without, one.

    Raises:
        ClusterError: not even one trial fits; the message has the figures.
    """
    gpus = resources.gpus_per_worker
    if isinstance(gpus, str):
        gpus = 1.0 if any(node.gpus >= 1 for node in nodes) else 0.0
    hosts = [node for node in nodes if node.gpus >= gpus]
    cpus = resources.cpus_per_worker
    if isinstance(cpus, str):
        cpus = max(1, min((int(node.cpus // (node.gpus // gpus)) for node in hosts), default=1)) if gpus else 1
    places = _places(nodes, cpus, gpus)
    if places < resources.workers:
        has = ", ".join(f"{node.cpus} CPUs and {_gpus(node.gpus)}" for node in nodes) or "no nodes"
        raise ClusterError(
            f"one trial must fit on the cluster: it needs {resources.workers} worker(s) with {cpus} CPU(s) and "
            f"{_gpus(gpus)} each (resources.workers, .cpus_per_worker, .gpus_per_worker); the cluster has {has}, "
            f"which holds {places} such worker(s)"
        )
    return Seats(
        slots=places // resources.workers, workers=resources.workers, cpus_per_worker=cpus, gpus_per_worker=float(gpus)
    )


def count_slots(seats: Seats, nodes: Iterable[Node]) -> int:
    """How many trials of this shape the nodes hold: those that are there now, of which some came or left; from 0."""
    return _places(nodes, seats.cpus_per_worker, seats.gpus_per_worker) // seats.workers


def _places(nodes: Iterable[Node], cpus: int, gpus: float) -> int:
    """Workers that fit, each on one node."""
    hosts = [node for node in nodes if node.gpus >= gpus]
    return sum(min(node.cpus // cpus, int(node.gpus // gpus) if gpus else node.cpus) for node in hosts)


def _gpus(number: float) -> str:
    return "no GPU" if not number else f"{number:g} GPU{'s' * (number != 1)}"
