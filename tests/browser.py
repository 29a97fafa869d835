"""Headless Chromium, offline, by its DevTools protocol over a pipe: phones, dark pages, clicks, pictures and PDF."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "google-chrome", "chromium-browser")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
)  # fmt: skip


def find_browser() -> str | None:
    """The path of Chromium, if it is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Browser:
    """One page of a running browser.

    Args:
        commands: file descriptor that the browser reads.
        answers: file descriptor that it writes.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._number, self._session, self._rest = 0, "", b""
        self.events: list[dict[str, Any]] = []
        """Everything that the page reported, such as lines on its console."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, page: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Open a file in a window of this size, and wait until its figures are drawn."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())
        self.wait_for("document.readyState === 'complete' && "
                      "(document.body.dataset.drawn || !document.querySelector('.plot'))")  # fmt: skip

    def evaluate(self, script: str) -> Any:
        """Return the value of a script, as JSON; of a promise, when it is kept."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until a script's value is true, a minute at most."""
        pause = "await new Promise(done => setTimeout(done, 100))"
        waiting = f"for (let n = 0; n < 600 && !({script}); n++) {pause}; return Boolean({script});"
        assert self.evaluate(f"(async () => {{ {waiting} }})()"), script

    def picture(self) -> bytes:
        """Return the whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])

    def pdf(self) -> bytes:
        """Return the page as it is printed on A4."""
        return base64.b64decode(self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"])

    def download(self, script: str, path: Path) -> bytes:
        """Run a script that downloads a file of this name into this folder, and return what it holds."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(path.parent))
        self.evaluate(script)
        for _ in range(600):
            if path.is_file():  # a file has another name until it is whole
                break
            time.sleep(0.1)
        return path.read_bytes()

    def console(self) -> list[str]:
        """Return the lines on the page's console, and its errors."""
        lines = [event["params"] for event in self.events if event.get("method") == "Log.entryAdded"]
        said = [line["entry"]["text"] for line in lines]
        for event in self.events:
            if event.get("method") == "Runtime.consoleAPICalled":
                said.append(" ".join(str(part.get("value")) for part in event["params"]["args"]))
            if event.get("method") == "Runtime.exceptionThrown":
                said.append(str(event["params"]["exceptionDetails"]))
        return said

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def browsing(profile: Path, *flags: str) -> Iterator[Browser]:
    """Run a browser with this profile folder, and end it."""
    program = find_browser()
    assert program is not None, "no Chromium is installed"
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    # The protocol's pipe is at the descriptors 3 and 4 of the browser.
    script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    command = ["bash", "-c", script, program, *FLAGS, f"--user-data-dir={profile}", *flags, "about:blank"]
    process = subprocess.Popen(
        command, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(ours_out, ours_in)
    finally:
        with suppress(subprocess.TimeoutExpired):
            process.terminate()
            process.wait(10)
        process.kill()
        process.wait()
        os.close(ours_out)
        os.close(ours_in)
