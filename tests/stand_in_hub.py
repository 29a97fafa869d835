"""What of the Hugging Face Hub its client needs to publish small models and to read them back, on this machine."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["StandInHub", "stand_in_hub"]

LICENCES = ("apache-2.0", "mit")


@dataclass
class StandInHub:
    """A repository owner/model, as it was published."""

    address: str = ""
    branches: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main": {}})
    """Branch -> name -> content of its files."""
    tokens: set[str] = field(default_factory=set)

    @property
    def surroundings(self) -> dict[str, str]:
        """Variables with which a process of its own uses this Hub."""
        return {"HF_ENDPOINT": self.address, "HF_TOKEN": "hf_mine", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}


class Handler(BaseHTTPRequestHandler):
    """Answers the client."""

    hub: StandInHub

    def do_POST(self) -> None:
        """Make a repository or a branch, say how files are to be sent, check a card, or take a commit."""
        body = self._body()
        self.hub.tokens.add(self.headers.get("authorization", ""))
        place = f"{self.hub.address}/owner/model"
        if self.path == "/api/repos/create":
            self._answer({"url": place, "name": "owner/model"})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]
            self._answer({"files": modes})
        elif self.path.endswith("/validate-yaml"):
            licence = re.search(r"^license: (.*)$", json.loads(body)["content"], re.MULTILINE)
            wrong = licence is not None and licence[1] not in LICENCES
            errors = [{"message": '"license" must be one of those of the Hub'}] if wrong else []
            self._answer({"errors": errors, "warnings": []}, 400 if wrong else 200)
        elif "/branch/" in self.path:
            name = self.path.rpartition("/")[2]
            if name in self.hub.branches:
                self._answer({"error": "Reference already exists"}, 409)
            else:
                self.hub.branches[name] = dict(self.hub.branches["main"])
                self._answer({})
        else:
            branch = self.hub.branches[self.path.rpartition("/")[2]]
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    branch[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self._answer({"commitUrl": f"{place}/commit/1", "commitOid": "1", "success": True})

    def do_HEAD(self) -> None:
        """What a file is, without its content."""
        self.do_GET()

    def do_GET(self) -> None:
        """A file of a branch, the list of its files, or what the repository is."""
        asked = re.search(r"/(?:revision|tree|resolve)/([^/?]+)/?([^?]*)", self.path)
        branches = {_commit(name): files for name, files in self.hub.branches.items()} | self.hub.branches
        files = branches[asked[1]] if asked else self.hub.branches["main"]
        commit = asked[1] if asked and len(asked[1]) == 40 else _commit(asked[1] if asked else "main")
        if "/resolve/" in self.path and asked:
            content = files[asked[2]]
            self._send(content, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit})
        elif "/tree/" in self.path:
            self._answer([{"type": "file", "path": key, "size": len(files[key]), "oid": commit} for key in files])
        else:
            siblings = [{"rfilename": key} for key in files]
            self._answer({"id": "owner/model", "modelId": "owner/model", "sha": commit, "siblings": siblings})

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        """Return a body of known length, or in chunks."""
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, content: Any, status: int = 200) -> None:
        self._send(json.dumps(content).encode(), {"Content-Type": "application/json"}, status)

    def _send(self, data: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _commit(branch: str) -> str:
    return hashlib.sha1(branch.encode()).hexdigest()


@contextmanager
def stand_in_hub() -> Iterator[StandInHub]:
    """Serve an empty repository within the block."""
    hub = StandInHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneHub", (Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
