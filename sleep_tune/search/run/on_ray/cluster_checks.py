"""What a joined cluster's machines must be able to do before a search begins, asked of each by a tiny task on it.

A worker that cannot write where the search reads fails hours later, or never says why. Knows no trials.
"""

import contextlib
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from sleep_tune.errors import ClusterError

__all__ = ["check_nodes", "look"]

CHECK_SECONDS = 120.0
"""A node that has not answered by then is refused."""


def look(folder: str, token: str, reads: Sequence[str]) -> str | None:
    """What is wrong on the machine where this runs, in a clause; None if nothing is.

    Args:
        folder: absolute path where runs write; the search has put a file named `token` there.
        token: name of a file that nobody else makes; another one beside it is written and removed here.
        reads: absolute paths that runs read.
    """
    for path in reads:
        if not os.access(path, os.R_OK):
            return f"{path}, which its runs must read, is not there"
    if not (Path(folder) / token).exists():
        return f"{folder} is another folder there than here: what its runs write would not be seen"
    written = Path(folder) / f"{token}-{uuid.uuid4().hex}"
    try:
        written.write_text(token, encoding="utf-8")
        written.unlink()
    except OSError as error:
        return f"its runs cannot write to {folder}: {error}"
    return None


def check_nodes(folder: Path, reads: Sequence[Path]) -> None:
    """Have every node of the cluster write to `folder` and find what is to be read; Ray must be up.

    Args:
        folder: results/<name>, absolute; it exists here.
        reads: absolute paths that runs read.

    Raises:
        ClusterError: a node cannot, or does not answer; the message names it.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0, max_retries=1)(look)
    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    token = f".seen-by-every-node-{uuid.uuid4().hex}"
    (folder / token).touch()
    try:
        answers = [
            ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
                str(folder), token, [str(path) for path in reads]
            )
            for node in nodes
        ]
        told = []
        for node, answer in zip(nodes, answers, strict=True):
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            try:
                wrong = ray.get(answer, timeout=CHECK_SECONDS)
            except ray.exceptions.GetTimeoutError:
                wrong = f"it did not answer within {CHECK_SECONDS:.0f} s"
            except ray.exceptions.RayError as error:
                wrong = str(error).strip().splitlines()[-1]
            if wrong is not None:
                told.append(f"{name}: {wrong}")
    finally:
        with contextlib.suppress(OSError):
            (folder / token).unlink()
    if told:
        raise ClusterError(f"every node of the cluster must share the search's folders; {'; '.join(told)}")
