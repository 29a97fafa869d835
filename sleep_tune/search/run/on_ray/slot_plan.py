"""Number of trials that fit on the machines of a cluster, and the CPUs and GPUs of each worker."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sleep_tune.errors import ClusterError
from sleep_tune.search.space.search_space import Resources

__all__ = ["Node", "SlotPlan", "count_slots", "plan_slots", "shared_memories"]


@dataclass(frozen=True, slots=True)
class Node:
    """The CPUs and GPUs of one machine."""

    cpus: int
    gpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPlan:
    """Number of trials that run at a time, and the workers of each trial with their CPUs and GPUs."""

    slots: int
    workers: int
    cpus_per_worker: int
    gpus_per_worker: float

    @property
    def gpus(self) -> float:
        """GPUs of one trial."""
        return self.workers * self.gpus_per_worker

    def describe(self) -> str:
        """Return the plan in words, for the start of a search and for --plan."""
        each = f"{self.cpus_per_worker} CPU{'s' * (self.cpus_per_worker != 1)}, {_gpus(self.gpus_per_worker)}"
        return (
            f"{self.slots} slot{'s' * (self.slots != 1)} of {self.workers} worker{'s' * (self.workers != 1)} ({each})"
        )


def plan_slots(resources: Resources, nodes: Sequence[Node]) -> SlotPlan:
    """Return the largest number of trials that fit on the nodes; a trial may span nodes, a worker may not.

    `auto` GPUs: one per worker if any node has a GPU, else none. `auto` CPUs: with GPUs, the CPUs per GPU of the node
    that has fewest; without GPUs, one.

    Raises:
        ClusterError: not even one trial fits; the message gives the numbers.
    """
    gpus = resources.gpus_per_worker
    if isinstance(gpus, str):
        gpus = 1.0 if any(node.gpus >= 1 for node in nodes) else 0.0
    hosts = [node for node in nodes if node.gpus >= gpus]
    cpus = resources.cpus_per_worker
    if isinstance(cpus, str):
        cpus = max(1, min((node.cpus // _gpu_places(node, gpus) for node in hosts), default=1)) if gpus else 1
    places = _places(nodes, cpus, gpus)
    if places < resources.workers:
        has = ", ".join(f"{node.cpus} CPUs and {_gpus(node.gpus)}" for node in nodes) or "no nodes"
        raise ClusterError(
            f"one trial does not fit on the cluster: it needs {resources.workers} worker(s) with {cpus} CPU(s) and "
            f"{_gpus(gpus)} each (resources.workers, .cpus_per_worker, .gpus_per_worker); the cluster has {has}, "
            f"enough for {places} such worker(s)"
        )
    return SlotPlan(
        slots=places // resources.workers, workers=resources.workers, cpus_per_worker=cpus, gpus_per_worker=float(gpus)
    )


def count_slots(plan: SlotPlan, nodes: Iterable[Node]) -> int:
    """Return how many trials of this plan fit on the nodes that are present now (0 or more)."""
    return _places(nodes, plan.cpus_per_worker, plan.gpus_per_worker) // plan.workers


def shared_memories(plan: SlotPlan, nodes: Iterable[Node]) -> frozenset[str]:
    """Return the memories that several trials of this plan may use at the same time: 'GPU', 'machine'."""
    places = max((_places([node], plan.cpus_per_worker, plan.gpus_per_worker) for node in nodes), default=0)
    if places <= plan.workers:
        return frozenset()
    return frozenset({"GPU", "machine"} if 0 < plan.gpus_per_worker <= 0.5 else {"machine"})


def _places(nodes: Iterable[Node], cpus: int, gpus: float) -> int:
    """Return how many workers fit, each on one node."""
    hosts = [node for node in nodes if node.gpus >= gpus]
    return sum(min(node.cpus // cpus, _gpu_places(node, gpus) if gpus else node.cpus) for node in hosts)


def _gpu_places(node: Node, gpus: float) -> int:
    """Return how many workers the GPUs of a node hold, if each takes `gpus`, above 0; a share lies on one GPU."""
    if gpus >= 1:
        return int(node.gpus // gpus)
    whole, rest = divmod(node.gpus, 1)
    return sum(int(size / gpus + 1e-9) * int(count) for size, count in ((1.0, whole), (rest, 1)))


def _gpus(number: float) -> str:
    return "no GPU" if not number else f"{number:g} GPU{'s' * (number != 1)}"
