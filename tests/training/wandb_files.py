"""Content of a folder of Weights & Biases, read without its package; and a proxy that must not be used."""

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Kept", "closed_network", "tracked_lines"]


class Kept:
    """The one run that wandb/ of a run's folder holds, offline."""

    def __init__(self, run: Path) -> None:
        """Read it; a second one, or a half one, is an error."""
        (place,) = (run / "wandb").glob("*run-*")
        assert place.name.startswith("offline-run-"), place
        (self.path,) = place.glob("run-*.wandb")
        found = list(_records(self.path))
        self.kinds = Counter(record.WhichOneof("record_type") for record in found)
        (self.run,) = (record.run for record in found if record.WhichOneof("record_type") == "run")
        self.lines = [record.history.step.num for record in found if record.WhichOneof("record_type") == "history"]
        self.summary: dict[str, Any] = {
            update.key: json.loads(update.value_json)
            for record in found
            if record.WhichOneof("record_type") == "summary"
            for update in record.summary.update
            if update.key
        }
        self.config: dict[str, Any] = {update.key: json.loads(update.value_json) for update in self.run.config.update}

    @property
    def finished(self) -> bool:
        """Whether it was closed: what a killed process leaves has no exit."""
        return self.kinds["exit"] == 1


def tracked_lines(run: Path) -> list[int]:
    """Numbers of the journal's lines."""
    return list(range(len((run / "metrics.jsonl").read_text().splitlines())))


def _records(path: Path) -> Iterator[Any]:
    """The records of a .wandb file: LevelDB's log format, blocks of 32 kB, after a header of seven bytes."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole = path.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a record in one piece, or its last piece
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(whole)
            yield record
            whole = b""


@contextmanager
def closed_network() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a proxy that nothing should ask, and what it was asked."""
    asked: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            asked.append(connection.recv(200))
            connection.close()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
