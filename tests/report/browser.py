"""A headless Chromium, driven by its own protocol through a pipe: no driver, no port."""

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
LONGEST = 300.0  # s that a browser may live: one that hangs is a failure, not a wait
KEYS = {
    "ArrowRight": 39,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowDown": 40,
    "Home": 36,
    "End": 35,
    "Tab": 9,
    "Enter": 13,
}


def found() -> str | None:
    """Where a Chromium is, if there is one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page of a Chromium that runs. problems: console errors, exceptions, failed fetches."""

    def __init__(self, to: BinaryIO, answers: BinaryIO) -> None:
        self._out, self._in = to, answers
        self._count, self._session = 0, ""
        self.problems: list[str] = []
        self.fetched: list[str] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        attached = self.do("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Call the protocol, and wait for its answer."""
        self._count += 1
        asked = {"id": self._count, "method": method, "params": params}
        if self._session:
            asked["sessionId"] = self._session
        self._out.write(json.dumps(asked).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        letters = bytearray()
        while (letter := self._in.read(1)) != b"\0":
            assert letter, "the browser is gone"
            letters += letter
        message: dict[str, Any] = json.loads(letters)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.problems.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.problems.append(str(told["entry"]))
            case "Network.loadingFailed":
                self.problems.append(str(told))
            case "Network.requestWillBeSent":
                self.fetched.append(told["request"]["url"])

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        self.do("Page.navigate", url=url)
        self.wait_for_page()

    def wait_for_page(self) -> None:
        """Wait until the page that an address, a key or a click leads to is loaded."""
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def ask(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        answer = self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        self.do("Input.dispatchKeyEvent", type="keyDown", **pressed, **text)
        self.do("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def resize(self, width: int, height: int = 900) -> None:
        """Another size of the window, px."""
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def darken(self) -> None:
        """The user likes it dark."""
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.do("Emulation.setEmulatedMedia", features=dark)

    def picture(self, selector: str | None = None, *, whole: bool = False) -> bytes:
        """PNG of an element, of what is in the window, or of the whole page."""
        more: dict[str, Any] = {"captureBeyondViewport": whole}
        if selector is not None:
            x, y, width, height = self.ask(
                f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
                "return [b.x + scrollX, b.y + scrollY, b.width, b.height] })()"
            )
            clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
            more = {"clip": clip, "captureBeyondViewport": True}
        return base64.b64decode(self.do("Page.captureScreenshot", format="png", **more)["data"])


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Browser]:
    """Start a Chromium with a fresh profile, and end it."""
    to_browser, our_write = os.pipe()
    our_read, from_browser = os.pipe()
    # Debian's chromium refuses root without this; our own pages are no danger.
    options = [*OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    words = [program, *options, f"--user-data-dir={profile}", "about:blank"]
    shell = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
    with subprocess.Popen(
        ["bash", "-c", shell, "bash", *words],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(to_browser)
        os.close(from_browser)
        watchdog = threading.Timer(LONGEST, process.kill)
        watchdog.start()
        try:
            with os.fdopen(our_write, "wb", 0) as to, os.fdopen(our_read, "rb") as answers:
                yield Browser(to, answers)
        finally:
            watchdog.cancel()
            process.terminate()
            process.wait(20)
