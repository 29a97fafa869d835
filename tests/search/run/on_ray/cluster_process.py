"""The process of `driving.Cluster`: commands as JSON lists on standard input; Ray's files go to $RAY_TMPDIR."""

import json
import sys
from collections.abc import Callable
from typing import Any

from ray.cluster_utils import Cluster
from ray.util.state import list_actors


def main() -> None:
    """Run commands until the input ends."""
    cluster = Cluster()
    nodes: dict[str, Any] = {}

    def add(cpus: int) -> str:
        arguments: dict[str, Any] = {"include_dashboard": True, "dashboard_port": None} if not nodes else {}
        node = cluster.add_node(num_cpus=cpus, object_store_memory=100_000_000, **arguments)
        nodes[node.unique_id] = node
        return str(node.unique_id)

    def remove(name: str) -> None:
        cluster.remove_node(nodes[name], allow_graceful=False)

    def left() -> list[str]:
        groups = cluster.global_state.placement_group_table().values()  # type: ignore[no-untyped-call]
        actors = list_actors(address=cluster.address, filters=[("state", "!=", "DEAD")])
        # Ray makes one of these for a cluster when anything first trains there, and shares it among all jobs.
        actors = [actor for actor in actors if actor.class_name != "_AutoscalingCoordinatorActor"]
        return [f"placement group {group['state']}" for group in groups if group["state"] != "REMOVED"] + [
            f"actor {actor.class_name} {actor.state}" for actor in actors
        ]

    commands: dict[str, Callable[..., Any]] = {
        "add": add,
        "remove": remove,
        "left": left,
        "address": lambda: cluster.address,
    }
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        answer = commands[name](*arguments)
        sys.stdout.write(f"answer {json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
