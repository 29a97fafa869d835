"""As much of Weights & Biases' server as its client asks for: runs are taken in, and the lines of their histories."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Server", "serving"]

BUCKET = {
    "id": "bucket",
    "name": "run",
    "displayName": "run",
    "description": "",
    "config": "{}",
    "sweepName": None,
    "historyLineCount": 0,
    "project": {"id": "project", "name": "sleep-tune", "entity": {"id": "somebody", "name": "somebody"}},
}
VIEWER = {"id": "somebody", "entity": "somebody", "username": "somebody", "flags": "{}", "teams": {"edges": []}}


class Server:
    """What it has received, and its address."""

    def __init__(self, url: str, *, accepts: bool) -> None:
        self.url = url
        self.accepts = accepts
        """Whether it accepts keys."""
        self.steps: list[int] = []
        """The step of every line of a history, in their order."""
        self.exit_codes: list[int] = []

    @property
    def environment(self) -> dict[str, str]:
        """With which the client finds it."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40}

    def answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        """To one request."""
        if path == "/graphql":
            if "createRunFiles" in asked["query"]:
                return {"data": {"createRunFiles": {"runID": "bucket", "uploadHeaders": [], "files": []}}}
            if "upsertBucket" in asked["query"]:
                return {"data": {"upsertBucket": {"bucket": BUCKET, "inserted": True}}}
            return {"data": {"viewer": VIEWER, "model": None, "serverInfo": {"features": []}}}
        lines = asked.get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
        self.steps += [json.loads(line)["_step"] for line in lines]
        self.exit_codes += [asked["exitcode"]] if asked.get("complete") else []
        return {"exitcode": None, "limits": {}}


@contextmanager
def serving(*, accepts: bool = True) -> Iterator[Server]:
    """A server on this machine, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if server.accepts:
                self._send(200, server.answer(self.path, json.loads(body)))
            else:
                self._send(401, {"errors": [{"message": "no such key"}]})

        def _send(self, code: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{listener.server_port}", accepts=accepts)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
