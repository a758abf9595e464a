"""A headless Chromium without a network, and what it says about a page."""

import contextlib
import shutil
import time
from pathlib import Path

import pytest

_LATEST = 20.0  # seconds after which a page must be ready


@contextlib.contextmanager
def chromium():
    """A browser driven by selenium, or a skip that says what is missing."""
    pytest.importorskip("selenium", reason="selenium is not installed, so no browser can be driven")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed, so no browser can be driven")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    flags = ["headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", "force-device-scale-factor=1"]
    flags += ["disable-dev-shm-usage", "disable-background-networking", "proxy-server=127.0.0.1:9"]  # nobody is there
    for flag in flags:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield Window(window)
    finally:
        window.quit()


class Window:
    """One window of the browser."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def open(self, path: Path, width: int, hash_: str = "", height: int = 1000) -> None:
        """Open a file at a width of the window, and wait until its script is done."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get("about:blank")
        self.driver.get(path.as_uri() + hash_)
        end = time.monotonic() + _LATEST
        while self.run("return document.documentElement.dataset.ready") != "true":
            assert time.monotonic() < end, f"{path.name} is not ready: {self.complaints()}"
            time.sleep(0.05)

    def run(self, script: str, *args):
        """Run a piece of JavaScript; returns what it returns."""
        return self.driver.execute_script(script, *args)

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and requests for anything but the file, since the last call."""
        said = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        asked = [entry["message"] for entry in self.driver.get_log("performance")]
        abroad = [m for m in asked if "Network.requestWillBeSent" in m and '"url":"http' in m]
        failed = [m for m in asked if "Network.loadingFailed" in m]
        return said + abroad + failed

    def text(self, selector: str) -> str:
        """The text of the first element that a selector finds."""
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def slide(self, name: str, value: float) -> None:
        """Move the control of a name of the state."""
        script = "const e = document.querySelector(`input[data-state=${arguments[0]}]`); e.value = arguments[1];"
        for kind in ("input", "change"):
            script += f"e.dispatchEvent(new Event('{kind}', {{bubbles: true}}));"
        self.run(script, name, value)

    def click(self, selector: str) -> None:
        """Click the middle of the first element that a selector finds, with a pointer as a finger or a mouse is one."""
        script = "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
        script += "const r = e.getBoundingClientRect();"
        script += "const at = {clientX: r.x + r.width / 2, clientY: r.y + r.height / 2, bubbles: true};"
        for kind in ("pointerdown", "pointerup"):
            script += f"e.dispatchEvent(new PointerEvent('{kind}', at));"
        self.run(f"{script} if (e.click) e.click();", selector)

    def drag(self, selector: str, at: tuple[float, float], to: tuple[float, float]) -> None:
        """Drag with the mouse in the first element that a selector finds; places are parts of its width and height."""
        script = "const e = document.querySelector(arguments[0]); "
        script += "e.scrollIntoView({block: 'center', behavior: 'instant'}); "
        script += "const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]"
        left, top, width, height = self.run(script, selector)
        way = ("mousePressed", 0, 1), ("mouseMoved", 0.5, 1), ("mouseMoved", 1, 1), ("mouseReleased", 1, 0)
        for kind, part, held in way:
            x, y = (a + part * (b - a) for a, b in zip(at, to, strict=True))
            place = {"x": left + x * width, "y": top + y * height}
            event = {"type": kind, **place, "button": "left", "buttons": held, "clickCount": 1}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def press(self, action: str) -> None:
        """Press a button that does an action."""
        self.run("document.querySelector(`button[data-do=${arguments[0]}]`).click()", action)

    def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return self.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def picture(self, path: Path) -> None:
        """Keep a picture of the whole page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return document.documentElement.clientWidth")
        size = {"width": width, "height": min(height, 8000), "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        time.sleep(0.2)
        self.driver.save_screenshot(str(path))
